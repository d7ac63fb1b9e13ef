using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Vision transformer: images to embeddings.</summary>
/// <remarks>
/// Source: open_clip v3.3.0 (<c>VisionTransformer</c>): patches, class token first, norm before the blocks, pooled at the class
/// token. N images, S image size, G patches, P prefix tokens, W width, D embedding size.
/// </remarks>
internal sealed class VisionTower : IVisionTower
{
    private readonly Tensor _projection;
    private readonly LayerNorm _lastNorm;
    private readonly TransformerBlock[] _blocks;

    public VisionTower(ModelWeights weights, ClipArchitecture architecture, int datasetTypes, int prefixLength)
    {
        long width = architecture.VisionWidth, patch = architecture.PatchSize, grid = architecture.ImageSize / patch;
        var std = Math.Pow(width, -0.5);
        ClassToken = weights.Normal("visual.class_embedding", std, width);
        Positions = weights.Normal("visual.positional_embedding", std, grid * grid + 1, width);
        _projection = weights.Normal("visual.proj", std, width, architecture.EmbeddingSize);
        Patches = weights.Uniform("visual.conv1.weight", 1 / Math.Sqrt(3.0 * patch * patch), width, 3, patch, patch);
        FirstNorm = new LayerNorm(weights, "visual.ln_pre", width);
        _blocks = [.. Enumerable.Range(0, architecture.VisionLayers).Select(i => new TransformerBlock(
            weights, $"visual.transformer.resblocks.{i}", width, architecture.VisionHeads, architecture.MlpRatio, architecture.Activation, textLayers: null))];
        _lastNorm = new LayerNorm(weights, "visual.ln_post", width);
        if (prefixLength > 0) Prefixes = new PrefixEmbeddings(weights, "visual.prefix_embedding", datasetTypes, prefixLength, width);
    }

    /// <summary>[W, 3, p, p].</summary>
    public Tensor Patches { get; }

    /// <summary>[W].</summary>
    public Tensor ClassToken { get; }

    /// <summary>[1+G, W].</summary>
    public Tensor Positions { get; }

    /// <summary>The norm before the blocks.</summary>
    public LayerNorm FirstNorm { get; }

    /// <summary>Null without prefix tokens.</summary>
    public PrefixEmbeddings? Prefixes { get; }

    /// <summary>The blocks in order.</summary>
    public IReadOnlyList<TransformerBlock> Blocks => _blocks;

    /// <summary>Embeddings, not yet of unit length.</summary>
    /// <param name="images">[N, 3, S, S] normalised pixels.</param>
    /// <param name="datasetTypes">[N] int64, the index of each image's dataset type, or null for no prefix.</param>
    /// <returns>[N, D].</returns>
    public Tensor Forward(Tensor images, Tensor? datasetTypes)
    {
        using var scope = NewDisposeScope();
        var n = images.shape[0];
        var patches = Convolution.OfPatches(images, Patches);                                         // [N, G, W]
        var sequence = cat([ClassToken.expand(n, 1, -1), patches], 1) + Positions;                    // [N, 1+G, W]
        long first = 0;
        if (Prefixes is not null && datasetTypes is not null)
        {
            sequence = Prefixes.Prepend(sequence, datasetTypes);                                       // [N, P+1+G, W]
            first = Prefixes.Length;
        }
        sequence = FirstNorm.Forward(sequence);
        foreach (var block in _blocks.AsSpan(0, _blocks.Length - 1)) sequence = block.Forward(sequence, AttentionMask.None);
        var pooled = _blocks[^1].ForwardAt(sequence, full([n], first, ScalarType.Int64, images.device), AttentionMask.None);
        return Head(pooled).MoveToOuterDisposeScope();
    }

    /// <summary>Pooled tokens to embeddings: [N, W] -> [N, D].</summary>
    public Tensor Head(Tensor pooled)
    {
        using var scope = NewDisposeScope();
        return _lastNorm.Forward(pooled).matmul(_projection).MoveToOuterDisposeScope(); // [N, W] @ [W, D]
    }
}
