using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A tower's blocks on a processor: token rows of all sequences to one row per sequence, and back.</summary>
internal sealed unsafe class FusedBlocks : IDisposable
{
    /// <summary>Tokens of a sequence at most. Beyond, the scores of one head would not fit into an array; libtorch goes on there.</summary>
    public const long LongestSequence = 8192;

    private const long MostKeptValues = 1L << 27;   // half a gigabyte: larger memory is given back after use

    private readonly FusedBlock[] _blocks;
    private readonly int _heads, _width;
    private readonly ConcurrentBag<TowerMemory> _unused = [];
    private bool _disposed;

    public FusedBlocks(IReadOnlyList<BlockWeights> blocks, AttentionMask mask)
    {
        _blocks = [.. blocks.Select(FusedBlock.Create)];
        (_heads, _width) = (blocks[0].Heads, (int)blocks[0].Out.shape[0]);
        IsCausal = mask == AttentionMask.Causal;
    }

    /// <summary>Whether a token looks only at itself and those before it.</summary>
    public bool IsCausal { get; }

    /// <summary>A trained weight of the blocks; null where all are frozen.</summary>
    public Tensor? AnyTrained => _blocks.Select(b => b.AnyTrained).FirstOrDefault(w => w is not null);

    /// <summary>Called with each block, counted from 1, whose backward pass is done.</summary>
    public Action<int>? BlockDone { get; set; }

    /// <summary>What went wrong in a backward pass, which libtorch cannot throw on.</summary>
    public ExceptionDispatchInfo? Fault { get; set; }

    /// <summary>Memory for one pass; give it back with <see cref="Return"/>.</summary>
    public TowerMemory Rent()
    {
        // Asking makes libtorch give this thread the number of threads that was set; a matrix product alone would not.
        _ = get_num_threads();
        return _unused.TryTake(out var memory) ? memory : new TowerMemory(_blocks.Length);
    }

    /// <summary>Keeps memory for a later pass.</summary>
    /// <param name="memory">What <see cref="Rent"/> gave. That of a training pass is kept whatever its size: the next step needs it
    /// again.</param>
    public void Return(TowerMemory memory)
    {
        var isTooMuch = memory.Capacity > MostKeptValues || _unused.Count >= Environment.ProcessorCount;
        if (_disposed || (isTooMuch && !memory.IsForTraining)) memory.Dispose();
        else _unused.Add(memory);
    }

    /// <summary>The blocks' result at one row of each sequence.</summary>
    /// <param name="memory">Holds intermediate results, and the result.</param>
    /// <param name="x">[T, W].</param>
    /// <param name="lengths">[N], tokens of each sequence.</param>
    /// <param name="queryRows">[N], the rows that are wanted; with a causal mask the last of each sequence.</param>
    /// <param name="keep">Whether <see cref="Backward"/> follows.</param>
    /// <returns>[N, W].</returns>
    public MatrixBuffer Forward(TowerMemory memory, MatrixBuffer x, int[] lengths, long[] queryRows, bool keep)
    {
        memory.QueryRows = queryRows;
        memory.IsForTraining |= keep;
        memory.Whole = new AttentionLayout(lengths, _heads, _width, IsCausal, pooled: false);
        memory.Last = new AttentionLayout(lengths, _heads, _width, IsCausal, pooled: true);
        for (var i = 0; i < _blocks.Length; i++)
            x = _blocks[i].Forward(x, i == _blocks.Length - 1 ? memory.Last : memory.Whole, queryRows, memory.Blocks[keep ? i : 0],
                memory.Scratch, keep);
        return x;
    }

    /// <summary>Adds to the gradients of all blocks' trained weights; goes back no further than somebody needs it.</summary>
    /// <param name="memory">Of <see cref="Forward"/>.</param>
    /// <param name="gradient">[N, W], of the result.</param>
    /// <param name="inputIsTrained">Whether the gradient of the input is wanted.</param>
    /// <returns>[T, W], the gradient of the input; null where it is not wanted.</returns>
    public MatrixBuffer? Backward(TowerMemory memory, Tensor gradient, bool inputIsTrained)
    {
        var first = inputIsTrained ? 0 : Array.FindIndex(_blocks, b => b.AnyTrained is not null);
        if (first < 0) return null;
        var pooled = memory.PooledGradient.Resize(gradient.shape[0], _width);
        pooled.Tensor.copy_(gradient);
        var tokens = memory.Gradient.Resize(memory.Whole!.Rows, _width);
        for (var i = _blocks.Length - 1; i >= first; i--)
        {
            if (i == _blocks.Length - 1)
                _blocks[i].Backward(memory.Last!, memory.QueryRows, memory.Blocks[i], memory.Scratch, pooled, tokens);
            else _blocks[i].Backward(memory.Whole, memory.QueryRows, memory.Blocks[i], memory.Scratch, tokens, tokens);
            BlockDone?.Invoke(i + 1);
        }
        return inputIsTrained ? tokens : null;
    }

    /// <summary>Frees the memory that is kept for later passes.</summary>
    public void FreeMemory()
    {
        while (_unused.TryTake(out var memory)) memory.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        foreach (var block in _blocks) block.Dispose();
        FreeMemory();
    }
}
