namespace Microsoft.ML.PrefixConditioning;

/// <summary>Intermediate results of one pass through a tower.</summary>
internal sealed class TowerMemory(int blocks) : IDisposable
{
    public BlockMemory[] Blocks { get; } = [.. Enumerable.Range(0, blocks).Select(_ => new BlockMemory())];
    public BlockScratch Scratch { get; } = new();
    public MatrixBuffer Embedded { get; } = new();          // the first block's input
    public MatrixBuffer Gradient { get; } = new();
    public MatrixBuffer PooledGradient { get; } = new();
    public AttentionLayout? Whole { get; set; }
    public AttentionLayout? Last { get; set; }
    public long[] QueryRows { get; set; } = [];

    /// <summary>Whether a pass went on to its way back.</summary>
    public bool IsForTraining { get; set; }

    private MatrixBuffer[] Own => [Embedded, Gradient, PooledGradient];

    /// <summary>Number of values that it holds.</summary>
    public long Capacity => Blocks.Sum(b => b.Capacity) + Scratch.Capacity + Own.Sum(b => b.Capacity);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var block in Blocks) block.Dispose();
        Scratch.Dispose();
        foreach (var buffer in Own) buffer.Dispose();
    }
}
