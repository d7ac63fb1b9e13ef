using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The transformer blocks of a tower, up to the one token of each sequence that is pooled.</summary>
/// <remarks>On a processor the blocks run fused, forward and backward (<see cref="FusedStack"/>); elsewhere, and for sequences that are
/// too long for that, libtorch computes them. N sequences of L tokens, W width.</remarks>
internal sealed class TransformerStack : IDisposable
{
    private readonly TransformerBlock[] _blocks;
    private readonly AttentionMask _mask;
    private readonly Lazy<FusedBlocks>? _fused;   // made when all weights are declared

    /// <param name="blocks">At least one.</param>
    /// <param name="mask">Which tokens a token looks at.</param>
    /// <param name="fused">Whether the weights lie in the processor's memory and may be computed with fused.</param>
    public TransformerStack(IEnumerable<TransformerBlock> blocks, AttentionMask mask, bool fused)
    {
        (_blocks, _mask) = ([.. blocks], mask);
        if (fused) _fused = new(() => new FusedBlocks([.. _blocks.Select(b => b.Weights)], mask));
    }

    /// <summary>Number of blocks.</summary>
    public int Count => _blocks.Length;

    /// <summary>Whether sequences of this length are computed fused.</summary>
    public bool IsFused(long length) => _fused is not null && length <= FusedBlocks.LongestSequence;

    /// <summary>[N, L, W] -> [N, W].</summary>
    /// <param name="x">[N, L, W].</param>
    /// <param name="pooled">[N], the token of each sequence that is wanted. With a causal mask the tokens after it do not matter.</param>
    public Tensor Pool(Tensor x, int[] pooled)
    {
        if (IsFused(x.shape[1])) return FusedStack.Pool(_fused!.Value, x, pooled);
        using var scope = NewDisposeScope();
        foreach (var block in _blocks.AsSpan(0, _blocks.Length - 1)) x = block.Forward(x, _mask);
        return _blocks[^1].ForwardAt(x, tensor(pooled, ScalarType.Int64, x.device), _mask).MoveToOuterDisposeScope();
    }

    /// <summary>Called with each block, counted from 1, whose backward pass is done. Only fused blocks call it.</summary>
    public Action<int>? BlockDone
    {
        set
        {
            if (_fused is not null) _fused.Value.BlockDone = value;
        }
    }

    /// <summary>Throws what went wrong in a backward pass.</summary>
    public void ThrowFault()
    {
        if (_fused is not { IsValueCreated: true, Value: var blocks } || blocks.Fault is not { } fault) return;
        blocks.Fault = null;
        fault.Throw();
    }

    /// <summary>Frees the memory that is kept for later passes.</summary>
    public void FreeMemory()
    {
        if (_fused is { IsValueCreated: true }) _fused.Value.FreeMemory();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_fused is { IsValueCreated: true }) _fused.Value.Dispose();
    }
}
