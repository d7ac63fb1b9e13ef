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
    /// <summary>The name of <see cref="TokenTable"/> in weight files.</summary>
    public const string TokenTableName = "token_embedding.weight";

    private readonly Tensor _positions, _projection;   // [context length, W], [W, D]
    private readonly Products _products;
    private readonly PrefixEmbeddings? _prefixes;
    private readonly LayerNorm _finalNorm;
    private readonly bool _fused;

    public TextTower(ModelWeights weights, ClipModelShape shape, bool fused)
    {
        var architecture = shape.Architecture;
        _fused = fused;
        long width = architecture.TextWidth;
        _products = weights.Products;
        var (first, last) = (weights.Of(TrainableParts.Text), weights.Of(TrainableParts.Text, architecture.TextLayers + 1));
        _positions = first.Normal("positional_embedding", 0.01, architecture.ContextLength, width);
        _projection = weights.Of(TrainableParts.Projections).Normal(
            "text_projection", Math.Pow(width, -0.5), width, architecture.EmbeddingSize);
        Stack = new TransformerStack(Enumerable.Range(0, architecture.TextLayers).Select(i => new TransformerBlock(
            weights.Of(TrainableParts.Text, i + 1), $"transformer.resblocks.{i}", width, architecture.TextHeads,
            architecture.TextRatio, architecture.Activation, architecture.TextLayers)),
            AttentionMask.Causal, fused);
        TokenTable = first.Normal(TokenTableName, 0.02, shape.VocabularySize, width);
        _finalNorm = new LayerNorm(last, "ln_final", width);
        if (shape.PrefixLength > 0)
            _prefixes = new PrefixEmbeddings(weights, "prefix_embedding", shape.DatasetTypes, shape.PrefixLength, width);
    }

    /// <summary>A vector per token, [V, W].</summary>
    public Tensor TokenTable { get; }

    /// <summary>The transformer blocks.</summary>
    public TransformerStack Stack { get; }

    /// <summary>Embeddings, not yet of unit length.</summary>
    /// <param name="texts">N texts of at most the context length.</param>
    /// <param name="datasetTypes">[N], the index of each text's dataset type, or null for no prefix.</param>
    /// <returns>[N, D].</returns>
    public Tensor Forward(TokenBatch texts, long[]? datasetTypes)
    {
        using var scope = NewDisposeScope();
        var ids = texts.ToTensor(TokenTable.device);                                         // [N, L]
        var sequence = _products.Added(RowLookup.Of(TokenTable, ids.flatten())).view(texts.Count, texts.Length, -1)
            .Plus(_products.Added(_positions.narrow(0, 0, texts.Length)));                   // [N, L, W] + [L, W]
        var before = 0;
        if (_prefixes is not null && datasetTypes is not null)
        {
            sequence = _prefixes.Prepend(sequence, datasetTypes);                         // [N, P+L, W]
            before = _prefixes.Length;
        }
        var pooled = Stack.Pool(sequence, [.. texts.Ends.Select(end => before + end)]);   // [N, W]
        var kernels = _fused ? InferenceKernels.For(!_products.IsSingle, _projection, _finalNorm.Gain) : null;
        var embeddings = kernels?.Project(pooled, _finalNorm.Gain, _finalNorm.Bias, _projection, !_products.IsSingle)
            ?? _products.Product(_finalNorm.Forward(pooled), _projection);                // [N, W] @ [W, D]
        return embeddings.MoveToOuterDisposeScope();
    }
}
