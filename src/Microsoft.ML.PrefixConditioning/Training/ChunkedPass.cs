using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A pass through a tower in chunks: one chunk's input and intermediate results are in memory at a time.</summary>
/// <remarks>A batch of one chunk is encoded once. A larger one is encoded twice: its gradients are known only when all embeddings are.</remarks>
internal sealed class ChunkedPass : IDisposable
{
    private readonly int _count, _chunkSize;
    private readonly Func<int, int, ITowerPass> _begin;
    private readonly ITowerPass? _whole;

    /// <param name="count">N, rows to encode.</param>
    /// <param name="chunkSize">Rows of a chunk at most; null for all rows.</param>
    /// <param name="encode">Encodes without a way back, from a first row on, so many rows.</param>
    /// <param name="begin">Encodes with one.</param>
    public ChunkedPass(int count, int? chunkSize, Func<int, int, Tensor> encode, Func<int, int, ITowerPass> begin)
    {
        (_count, _chunkSize, _begin) = (count, chunkSize ?? count, begin);
        if (_chunkSize >= count)
        {
            _whole = begin(0, count);
            Embeddings = _whole.Embeddings;
            return;
        }
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Embeddings = cat([.. Chunks().Select(c => Encoded(encode, c.First, c.Count))], 0).DetachFromDisposeScope();
    }

    /// <summary>[N, D].</summary>
    public Tensor Embeddings { get; }

    /// <summary>Adds to the gradients of the tower's weights.</summary>
    /// <param name="gradient">[N, D].</param>
    public void Backward(Tensor gradient)
    {
        if (_whole is not null)
        {
            _whole.Backward(gradient);
            return;
        }
        foreach (var (first, count) in Chunks())
        {
            using var scope = NewDisposeScope();   // a chunk's input goes with it
            using var pass = _begin(first, count);
            pass.Backward(gradient.narrow(0, first, count));
        }
    }

    private static Tensor Encoded(Func<int, int, Tensor> encode, int first, int count)
    {
        using var scope = NewDisposeScope();
        return encode(first, count).MoveToOuterDisposeScope();
    }

    private IEnumerable<(int First, int Count)> Chunks()
    {
        for (var first = 0; first < _count; first += _chunkSize) yield return (first, Math.Min(_chunkSize, _count - first));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_whole is not null) _whole.Dispose();
        else Embeddings.Dispose();
    }
}
