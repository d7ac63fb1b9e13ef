using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>One encoding of a batch that can be gone back through once.</summary>
internal interface ITowerPass : IDisposable
{
    /// <summary>[N, D], rows of unit length.</summary>
    Tensor Embeddings { get; }

    /// <summary>Adds to the gradients of the tower's weights.</summary>
    /// <param name="gradient">[N, D], of the embeddings.</param>
    void Backward(Tensor gradient);
}

/// <summary>A pass whose way back libtorch has recorded.</summary>
internal sealed class GraphPass(Tensor embeddings) : ITowerPass
{
    /// <inheritdoc/>
    public Tensor Embeddings { get; } = embeddings.DetachFromDisposeScope();

    /// <inheritdoc/>
    public void Backward(Tensor gradient) => Embeddings.backward([gradient]);

    /// <inheritdoc/>
    public void Dispose() => Embeddings.Dispose();
}
