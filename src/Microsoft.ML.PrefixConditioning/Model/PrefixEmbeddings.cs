using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The learned prefix tokens of one tower: P tokens for every dataset type.</summary>
/// <remarks>
/// Source: arXiv 2206.01125, section 3.2. They stand before the tower's own sequence and carry their own position: no
/// positional embedding is added to them, so the other tokens keep the positions that they have without a prefix.
/// </remarks>
internal sealed class PrefixEmbeddings(ModelWeights weights, string name, int datasetTypes, int length, long width)
{
    private readonly Tensor _table =
        weights.Of(TrainableParts.Prefixes).Normal(name, 0.02, datasetTypes, length, width);   // no weight decay
    private readonly Products _products = weights.Products;

    /// <summary>P.</summary>
    public int Length => length;

    /// <summary>Puts every row's prefix before its tokens: [N, L, W] -> [N, P+L, W].</summary>
    /// <param name="tokens">[N, L, W].</param>
    /// <param name="datasetTypes">[N], the index of each row's dataset type.</param>
    public Tensor Prepend(Tensor tokens, long[] datasetTypes)
    {
        using var scope = NewDisposeScope();
        var prefixes = _products.Added(_table.index_select(0, tensor(datasetTypes, device: tokens.device)));   // [N, P, W]
        return cat([prefixes, tokens], 1).MoveToOuterDisposeScope();
    }
}
