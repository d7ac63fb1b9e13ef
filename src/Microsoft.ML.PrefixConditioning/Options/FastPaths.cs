namespace Microsoft.ML.PrefixConditioning;

/// <summary>Ways to compute the same result sooner. Each is exact: the loss and the gradients are those of the plain way, up to rounding.</summary>
/// <remarks>They are all on by default; switch one off to compare. What each gains is measured in docs/performance.md.</remarks>
[Flags]
public enum FastPaths
{
    /// <summary>The plain way: texts padded to the context length, every row's text encoded, every step an operation of libtorch.</summary>
    None = 0,

    /// <summary>Texts are cut at the longest of the batch: attention is causal and a text is pooled at its end token.</summary>
    TrimmedTexts = 1,

    /// <summary>Every distinct text of a batch is encoded once; the gradients of its rows add up by themselves.</summary>
    DistinctTexts = 2,

    /// <summary>A tower's last block is computed at the one position that is pooled: only keys and values depend on the others.</summary>
    PooledLastBlock = 4,

    /// <summary>
    /// On a processor the towers' blocks run without libtorch's intermediate results, forwards and back, in memory that is kept from
    /// step to step, and every text at its own length. Includes <see cref="TrimmedTexts"/> and <see cref="PooledLastBlock"/>.
    /// </summary>
    FusedTowers = 8,

    /// <summary>On a processor AdamW updates weights and moments in one pass over memory.</summary>
    FusedOptimizer = 16,

    /// <summary>All of them.</summary>
    All = TrimmedTexts | DistinctTexts | PooledLastBlock | FusedTowers | FusedOptimizer,
}
