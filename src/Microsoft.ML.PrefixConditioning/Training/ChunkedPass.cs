using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A pass through a tower in chunks: one chunk's intermediate results are in memory at a time.</summary>
/// <remarks>A batch of one chunk is encoded once. A larger one is encoded twice: its gradients are known only when all embeddings are.</remarks>
internal sealed class ChunkedPass : IDisposable
{
    private readonly Tensor _input;
    private readonly Tensor? _datasetTypes;
    private readonly long _chunkSize;
    private readonly Func<Tensor, Tensor?, ITowerPass> _begin;
    private readonly ITowerPass? _whole;

    /// <param name="input">[N, ...], rows to encode.</param>
    /// <param name="datasetTypes">[N], or null for no prefix.</param>
    /// <param name="chunkSize">Rows of a chunk at most; null for all rows.</param>
    /// <param name="encode">Encodes without a way back.</param>
    /// <param name="begin">Encodes with one.</param>
    public ChunkedPass(Tensor input, Tensor? datasetTypes, int? chunkSize, Func<Tensor, Tensor?, Tensor> encode, Func<Tensor, Tensor?, ITowerPass> begin)
    {
        (_input, _datasetTypes, _begin) = (input, datasetTypes, begin);
        _chunkSize = chunkSize ?? input.shape[0];
        if (_chunkSize >= input.shape[0])
        {
            _whole = begin(input, datasetTypes);
            Embeddings = _whole.Embeddings;
            return;
        }
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Embeddings = cat([.. Chunks().Select(chunk => encode(chunk.Input, chunk.Types))], 0).DetachFromDisposeScope();
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
        using var scope = NewDisposeScope();
        long first = 0;
        foreach (var (input, types) in Chunks())
        {
            using var pass = _begin(input, types);
            pass.Backward(gradient.narrow(0, first, input.shape[0]));
            first += input.shape[0];
        }
    }

    private IEnumerable<(Tensor Input, Tensor? Types)> Chunks()
    {
        for (long first = 0; first < _input.shape[0]; first += _chunkSize)
        {
            var count = Math.Min(_chunkSize, _input.shape[0] - first);
            yield return (_input.narrow(0, first, count), _datasetTypes?.narrow(0, first, count));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_whole is not null) _whole.Dispose();
        else Embeddings.Dispose();
    }
}
