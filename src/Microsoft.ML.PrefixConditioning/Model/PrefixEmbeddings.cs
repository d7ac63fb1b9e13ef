using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The learned prefix tokens of one tower: P tokens for every dataset type.</summary>
/// <remarks>
/// Source: arXiv 2206.01125, section 3.2. They stand before the tower's own sequence and carry their own position: no
/// positional embedding is added to them, so the other tokens keep the positions that they have without a prefix.
/// </remarks>
internal sealed class PrefixEmbeddings(ModelWeights weights, string name, int datasetTypes, int length, long width)
{
    /// <summary>[dataset types, P, W]: N(0, 0.02) at first, without weight decay.</summary>
    public Tensor Table { get; } = weights.Normal(name, 0.02, datasetTypes, length, width);

    /// <summary>P.</summary>
    public int Length => length;

    /// <summary>Puts every row's prefix before its tokens: [N, L, W] -> [N, P+L, W].</summary>
    /// <param name="tokens">[N, L, W].</param>
    /// <param name="datasetTypes">[N] int64, the index of each row's dataset type.</param>
    public Tensor Prepend(Tensor tokens, Tensor datasetTypes) => cat([Table.index_select(0, datasetTypes), tokens], 1);
}
