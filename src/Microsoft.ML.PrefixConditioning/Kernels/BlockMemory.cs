namespace Microsoft.ML.PrefixConditioning;

/// <summary>What one block keeps on the way forward for the way back.</summary>
internal sealed class BlockMemory : IDisposable
{
    /// <summary>The block's input, which its giver owns.</summary>
    public MatrixBuffer? Input { get; set; }

    public MatrixBuffer InputStatistics { get; } = new();
    public MatrixBuffer Packed { get; } = new();          // queries, keys, values; without queries in a pooled block
    public MatrixBuffer Queries { get; } = new();         // of a pooled block
    public MatrixBuffer QueryNormed { get; } = new();     // of a pooled block
    public MatrixBuffer Probabilities { get; } = new();
    public MatrixBuffer Attended { get; } = new();
    public MatrixBuffer Middle { get; } = new();          // after attention
    public MatrixBuffer MiddleStatistics { get; } = new();
    public MatrixBuffer Hidden { get; } = new();          // the activation's derivative, after the forward pass
    public MatrixBuffer Activated { get; } = new();
    public MatrixBuffer Result { get; } = new();

    private MatrixBuffer[] All =>
        [InputStatistics, Packed, Queries, QueryNormed, Probabilities, Attended, Middle, MiddleStatistics, Hidden, Activated, Result];

    /// <summary>Number of values that it holds.</summary>
    public long Capacity => All.Sum(b => b.Capacity);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var buffer in All) buffer.Dispose();
    }
}

/// <summary>What all blocks of a tower share.</summary>
internal sealed class BlockScratch : IDisposable
{
    public MatrixBuffer Normed { get; } = new();
    public MatrixBuffer Projected { get; } = new();
    public MatrixBuffer Packed { get; } = new();
    public MatrixBuffer Queries { get; } = new();

    private MatrixBuffer[] All => [Normed, Projected, Packed, Queries];

    /// <summary>Number of values that it holds.</summary>
    public long Capacity => All.Sum(b => b.Capacity);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var buffer in All) buffer.Dispose();
    }
}
