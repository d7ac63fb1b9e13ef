using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A pass through a tower in chunks: one chunk's input and intermediate results are in memory at a time.</summary>
/// <remarks>A batch of one chunk is encoded once. A larger one is encoded twice: its gradients are known only when all embeddings
/// are.</remarks>
internal sealed class ChunkedPass : IDisposable
{
    private readonly ClipModel _model;
    private readonly int _count, _chunkSize;
    private readonly Func<int, int, Tensor> _encode;

    /// <param name="model">Whose tower it is.</param>
    /// <param name="count">N, rows to encode; none is allowed.</param>
    /// <param name="chunkSize">Rows of a chunk at most; null for all rows.</param>
    /// <param name="encode">Encodes rows, given the first one and their number.</param>
    public ChunkedPass(ClipModel model, int count, int? chunkSize, Func<int, int, Tensor> encode)
    {
        (_model, _count, _chunkSize, _encode) = (model, count, chunkSize ?? count, encode);
        using var scope = NewDisposeScope();
        using var noGrad = IsWhole ? null : no_grad();
        Embeddings = (count == 0 ? zeros(0, model.Shape.Architecture.EmbeddingSize, device: model.Device)
            : cat([.. Chunks().Select(c => Encode(c.First, c.Count))], 0)).DetachFromDisposeScope();
    }

    /// <summary>[N, D].</summary>
    public Tensor Embeddings { get; }

    private bool IsWhole => _chunkSize >= _count;

    /// <summary>Adds to the gradients of the tower's weights.</summary>
    /// <param name="gradient">[N, D].</param>
    /// <param name="stack">The tower's blocks; null for a tower without.</param>
    /// <param name="complete">Called with each block, counted from 1, whose gradients are complete.</param>
    public void Backward(Tensor gradient, TransformerStack? stack, Action<int> complete)
    {
        foreach (var (first, count) in Chunks())
        {
            using var scope = NewDisposeScope();
            stack?.BlockDone = first + count < _count ? null : complete;   // the last chunk completes gradients
            _model.Backward(IsWhole ? Embeddings : Encode(first, count), gradient.narrow(0, first, count));
        }
    }

    private Tensor Encode(int first, int count)
    {
        using var scope = NewDisposeScope();   // a chunk's input goes with it
        return _encode(first, count).MoveToOuterDisposeScope();
    }

    private IEnumerable<(int First, int Count)> Chunks()
    {
        for (var first = 0; first < _count; first += _chunkSize) yield return (first, Math.Min(_chunkSize, _count - first));
    }

    /// <inheritdoc/>
    public void Dispose() => Embeddings.Dispose();
}
