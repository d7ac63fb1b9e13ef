using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A pass through a fused tower: libtorch records only the last norm, the projection and the normalisation.</summary>
internal sealed class FusedPass<TInput> : ITowerPass
{
    private readonly IFusedTower<TInput> _tower;
    private readonly TInput _input;
    private readonly TowerMemory _memory;
    private readonly Tensor _pooled;

    /// <param name="tower">The tower.</param>
    /// <param name="input">What is encoded; tensors in it must live as long as the pass.</param>
    /// <param name="head">Pooled tokens to embeddings: [N, W] -> [N, D].</param>
    public FusedPass(IFusedTower<TInput> tower, TInput input, Func<Tensor, Tensor> head)
    {
        (_tower, _input, _memory) = (tower, input, tower.Blocks.Rent());
        try
        {
            using var scope = NewDisposeScope();
            using (no_grad())
                _pooled = tower.Forward(input, _memory, keep: true).Tensor.detach().DetachFromDisposeScope();
            _pooled.requires_grad_(true);
            Embeddings = nn.functional.normalize(head(_pooled), p: 2, dim: 1).DetachFromDisposeScope();
        }
        catch
        {
            _memory.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public Tensor Embeddings { get; }

    /// <inheritdoc/>
    public void Backward(Tensor gradient)
    {
        using var scope = NewDisposeScope();
        Embeddings.backward([gradient]);
        using var noGrad = no_grad();
        _tower.Backward(_input, _memory, _pooled.grad!);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Embeddings.Dispose();
        _pooled.Dispose();
        _tower.Blocks.Return(_memory, trained: true);
    }
}

/// <summary>Passes that nobody goes back through.</summary>
internal static class FusedPass
{
    /// <summary>Embeddings of unit length, [N, D].</summary>
    public static Tensor Encode<TInput>(IFusedTower<TInput> tower, TInput input, Func<Tensor, Tensor> head)
    {
        using var scope = NewDisposeScope();
        var memory = tower.Blocks.Rent();
        try
        {
            var pooled = tower.Forward(input, memory, keep: false).Tensor;
            return nn.functional.normalize(head(pooled), p: 2, dim: 1).MoveToOuterDisposeScope();
        }
        finally
        {
            tower.Blocks.Return(memory, trained: false);
        }
    }
}
