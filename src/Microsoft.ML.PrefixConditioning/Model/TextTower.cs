using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Text transformer: token ids and a prefix to embeddings.</summary>
/// <remarks>
/// Source: open_clip v3.3.0 (<c>CLIP.encode_text</c>): causal mask, no padding mask, pooled at the end token. The prefix of
/// arXiv 2206.01125, section 3.2 comes first; without one this is exactly CLIP.
/// N texts, P prefix tokens, L content tokens, W width, D embedding size.
/// </remarks>
internal sealed class TextTower
{
    private readonly Tensor _projection;
    private readonly TransformerBlock[] _blocks;
    private readonly LayerNorm _finalNorm;

    public TextTower(ModelWeights weights, ClipModelShape shape)
    {
        var architecture = shape.Architecture;
        long width = architecture.TextWidth;
        Positions = weights.Normal("positional_embedding", 0.01, architecture.ContextLength, width);
        _projection = weights.Normal("text_projection", Math.Pow(width, -0.5), width, architecture.EmbeddingSize);
        _blocks = [.. Enumerable.Range(0, architecture.TextLayers).Select(i => new TransformerBlock(
            weights, $"transformer.resblocks.{i}", width, architecture.TextHeads, architecture.MlpRatio, architecture.Activation, architecture.TextLayers))];
        Tokens = weights.Normal("token_embedding.weight", 0.02, shape.VocabularySize, width);
        _finalNorm = new LayerNorm(weights, "ln_final", width);
        if (shape.PrefixLength > 0) Prefixes = new PrefixEmbeddings(weights, "prefix_embedding", shape.DatasetTypes, shape.PrefixLength, width);
    }

    /// <summary>[V, W].</summary>
    public Tensor Tokens { get; }

    /// <summary>[context length, W].</summary>
    public Tensor Positions { get; }

    /// <summary>Null without prefix tokens.</summary>
    public PrefixEmbeddings? Prefixes { get; }

    /// <summary>The blocks in order.</summary>
    public IReadOnlyList<TransformerBlock> Blocks => _blocks;

    /// <summary>Embeddings, not yet of unit length.</summary>
    /// <param name="ids">[N, L] int64 token ids, start to end token, padded with 0; L may be shorter than the context length.</param>
    /// <param name="datasetTypes">[N] int64, the index of each text's dataset type, or null for no prefix.</param>
    /// <returns>[N, D].</returns>
    public Tensor Forward(Tensor ids, Tensor? datasetTypes)
    {
        using var scope = NewDisposeScope();
        long n = ids.shape[0], length = ids.shape[1];
        var sequence = Tokens.index_select(0, ids.flatten()).view(n, length, -1) + Positions.narrow(0, 0, length); // [N, L, W] + [L, W]
        var end = ids.argmax(1);                                                                        // [N]: the end token has the largest id; its first place counts
        if (Prefixes is not null && datasetTypes is not null)
        {
            sequence = Prefixes.Prepend(sequence, datasetTypes);                                       // [N, P+L, W]
            end = end + Prefixes.Length;
        }
        foreach (var block in _blocks.AsSpan(0, _blocks.Length - 1)) sequence = block.Forward(sequence, AttentionMask.Causal);
        var pooled = _blocks[^1].ForwardAt(sequence, end, AttentionMask.Causal);                        // [N, W]
        return Head(pooled).MoveToOuterDisposeScope();
    }

    /// <summary>Pooled tokens to embeddings: [N, W] -> [N, D].</summary>
    public Tensor Head(Tensor pooled)
    {
        using var scope = NewDisposeScope();
        return _finalNorm.Forward(pooled).matmul(_projection).MoveToOuterDisposeScope();   // [N, W] -> [N, D]
    }
}
