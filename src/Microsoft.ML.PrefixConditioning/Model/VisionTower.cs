using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Vision transformer: images to embeddings.</summary>
/// <remarks>
/// Source: open_clip v3.3.0 (<c>VisionTransformer</c>): patches, class token first, norm before the blocks, pooled at the class
/// token. N images, S image size, G patches, P prefix tokens, W width, D embedding size.
/// </remarks>
internal sealed class VisionTower : IVisionTower
{
    private readonly Tensor _classToken, _positions, _projection, _patches;   // [W], [1+G, W], [W, D], [W, 3, p, p]
    private readonly Products _products;
    private readonly PrefixEmbeddings? _prefixes;
    private readonly LayerNorm _firstNorm, _lastNorm;
    private readonly bool _fused;
    private readonly Lazy<FusedWeight> _patchProducts;   // made when all weights are declared

    public VisionTower(ModelWeights weights, ClipModelShape shape, bool fused)
    {
        var architecture = shape.Architecture;
        _fused = fused;
        long width = architecture.VisionWidth, patch = architecture.PatchSize, grid = architecture.ImageSize / patch;
        var std = Math.Pow(width, -0.5);
        _products = weights.Products;
        var (first, last) = (weights.Of(TrainableParts.Vision), weights.Of(TrainableParts.Vision, architecture.VisionLayers + 1));
        _classToken = first.Normal("visual.class_embedding", std, width);
        _positions = first.Normal("visual.positional_embedding", std, grid * grid + 1, width);
        _projection = weights.Of(TrainableParts.Projections).Normal("visual.proj", std, width, architecture.EmbeddingSize);
        _patches = first.Uniform("visual.conv1.weight", 1 / Math.Sqrt(3.0 * patch * patch), width, 3, patch, patch);
        _patchProducts = new(() => new FusedWeight(_patches, !_products.IsSingle));
        _firstNorm = new LayerNorm(first, "visual.ln_pre", width);
        Stack = new TransformerStack(Enumerable.Range(0, architecture.VisionLayers).Select(i => new TransformerBlock(
            weights.Of(TrainableParts.Vision, i + 1), $"visual.transformer.resblocks.{i}", width, architecture.VisionHeads,
            architecture.MlpRatio, architecture.Activation, textLayers: null)), AttentionMask.None, fused);
        _lastNorm = new LayerNorm(last, "visual.ln_post", width);
        if (shape.ImagePrefixLength > 0)
            _prefixes = new PrefixEmbeddings(weights, "visual.prefix_embedding", shape.DatasetTypes, shape.ImagePrefixLength, width);
    }

    /// <inheritdoc/>
    public TransformerStack Stack { get; }

    /// <inheritdoc/>
    public Tensor Forward(Tensor images, long[]? datasetTypes, Tensor? branchFactors = null)
    {
        using var scope = NewDisposeScope();
        var n = images.shape[0];
        var kernels = _fused ? InferenceKernels.For(!_products.IsSingle, _projection, _patches, _lastNorm.Gain) : null;
        if (_patches.requires_grad && _patchProducts.IsValueCreated) _patchProducts.Value.DropPacked();
        var positions = _products.Added(_positions);
        var sequence = kernels?.Embed(images, _patchProducts.Value, _classToken, positions)
            ?? cat([_classToken.expand(n, 1, -1), Convolution.OfPatches(images, _patches, _products)], 1)   // [N, 1+G, W]
                .Add(positions);
        var first = 0;
        if (_prefixes is not null && datasetTypes is not null)
        {
            sequence = _prefixes.Prepend(sequence, datasetTypes);                                           // [N, P+1+G, W]
            first = _prefixes.Length;
        }
        sequence = kernels?.Normalize(sequence, _firstNorm.Gain, _firstNorm.Bias) ?? _firstNorm.Forward(sequence);
        var pooled = Stack.Pool(sequence, [.. Enumerable.Repeat(first, (int)n)]);                           // [N, W]
        var embeddings = kernels?.Project(pooled, _lastNorm.Gain, _lastNorm.Bias, _projection, !_products.IsSingle)
            ?? _products.Product(_lastNorm.Forward(pooled), _projection);                                   // [N, W] @ [W, D]
        return embeddings.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Stack.Dispose();
        if (_patchProducts.IsValueCreated) _patchProducts.Value.Dispose();
    }
}
