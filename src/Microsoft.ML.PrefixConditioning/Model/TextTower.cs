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
    private readonly Tensor _tokens, _positions, _projection;
    private readonly TransformerBlock[] _blocks;
    private readonly LayerNorm _finalNorm;
    private readonly PrefixEmbeddings? _prefixes;

    public TextTower(ModelWeights weights, ClipArchitecture architecture, int vocabularySize, int datasetTypes, int prefixLength)
    {
        long width = architecture.TextWidth;
        _positions = weights.Normal("positional_embedding", 0.01, architecture.ContextLength, width);
        _projection = weights.Normal("text_projection", Math.Pow(width, -0.5), width, architecture.EmbeddingSize);
        _blocks = [.. Enumerable.Range(0, architecture.TextLayers).Select(i => new TransformerBlock(
            weights, $"transformer.resblocks.{i}", width, architecture.TextHeads, architecture.MlpRatio, architecture.Activation, architecture.TextLayers))];
        _tokens = weights.Normal("token_embedding.weight", 0.02, vocabularySize, width);
        _finalNorm = new LayerNorm(weights, "ln_final", width);
        if (prefixLength > 0) _prefixes = new PrefixEmbeddings(weights, "prefix_embedding", datasetTypes, prefixLength, width);
    }

    /// <summary>Embeddings, not yet of unit length.</summary>
    /// <param name="ids">[N, L] int64 token ids, start to end token, padded with 0; L may be shorter than the context length.</param>
    /// <param name="datasetTypes">[N] int64, the index of each text's dataset type, or null for no prefix.</param>
    /// <returns>[N, D].</returns>
    public Tensor Forward(Tensor ids, Tensor? datasetTypes)
    {
        using var scope = NewDisposeScope();
        long n = ids.shape[0], length = ids.shape[1];
        var sequence = _tokens.index_select(0, ids.flatten()).view(n, length, -1) + _positions.narrow(0, 0, length); // [N, L, W] + [L, W]
        var end = ids.argmax(1);                                                                        // [N]: the end token has the largest id; its first place counts
        if (_prefixes is not null && datasetTypes is not null)
        {
            sequence = _prefixes.Prepend(sequence, datasetTypes);                                       // [N, P+L, W]
            end = end + _prefixes.Length;
        }
        foreach (var block in _blocks.AsSpan(0, _blocks.Length - 1)) sequence = block.Forward(sequence, AttentionMask.Causal);
        var pooled = _blocks[^1].ForwardAt(sequence, end, AttentionMask.Causal);                        // [N, W]
        return _finalNorm.Forward(pooled).matmul(_projection).MoveToOuterDisposeScope();                // [N, W] @ [W, D]
    }
}
