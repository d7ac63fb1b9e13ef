using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A pass through a fused tower: libtorch records only the last norm, the projection and the normalisation.</summary>
internal sealed class FusedPass<TInput> : ITowerPass
{
    private readonly IFusedTower<TInput> _tower;
    private readonly TInput _input;
    private readonly TowerMemory _memory;
    private readonly Tensor _pooled;
    private bool _disposed;

    /// <param name="tower">The tower.</param>
    /// <param name="input">What is encoded; tensors in it must live as long as the pass.</param>
    public FusedPass(IFusedTower<TInput> tower, TInput input)
    {
        (_tower, _input, _memory) = (tower, input, tower.Blocks.Rent());
        try
        {
            using var scope = NewDisposeScope();
            using (no_grad())
                _pooled = tower.Forward(input, _memory, keep: tower.IsTrained).Tensor.detach().DetachFromDisposeScope();
            _pooled.requires_grad_(tower.IsTrained);
            Embeddings = nn.functional.normalize(tower.Head(input, _pooled), p: 2, dim: 1).DetachFromDisposeScope();
        }
        catch
        {
            _pooled?.Dispose();
            _memory.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public Tensor Embeddings { get; }

    /// <inheritdoc/>
    public void Backward(Tensor gradient)
    {
        if (!Embeddings.requires_grad) return;   // nothing of the tower is trained
        using var scope = NewDisposeScope();
        Embeddings.backward([gradient]);
        if (_pooled.grad is not { } pooledGradient) return;
        using var noGrad = no_grad();
        _tower.Backward(_input, _memory, pooledGradient);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed) return;   // memory that is given back twice would go to two passes
        _disposed = true;
        Embeddings.Dispose();
        _pooled.Dispose();
        _tower.Blocks.Return(_memory);
    }
}

/// <summary>Passes that nobody goes back through.</summary>
internal static class FusedPass
{
    /// <summary>Embeddings of unit length, [N, D].</summary>
    public static Tensor Encode<TInput>(IFusedTower<TInput> tower, TInput input)
    {
        using var scope = NewDisposeScope();
        var memory = tower.Blocks.Rent();
        try
        {
            var pooled = tower.Forward(input, memory, keep: false).Tensor;
            return nn.functional.normalize(tower.Head(input, pooled), p: 2, dim: 1).MoveToOuterDisposeScope();
        }
        finally
        {
            tower.Blocks.Return(memory);
        }
    }
}
