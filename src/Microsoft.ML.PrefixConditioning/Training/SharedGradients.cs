using System.Runtime.ExceptionServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The gradients of all trained weights, side by side in one array that is summed over the ranks while later ones are still
/// computed.</summary>
/// <remarks>
/// The weights' gradients are views of the array, so that nothing is copied on a processor. They lie in the order in which a backward pass
/// completes them: the blocks of the vision tower, the last one first, then the rest of this tower, the same of the text tower, and all
/// others. A thread sums the complete ones in pieces, which are the same on all ranks. The loss is the last value. The table of tokens is
/// summed last and by itself: only the rows of the batch's tokens, often a fiftieth of them.
/// </remarks>
internal sealed unsafe class SharedGradients : IDisposable
{
    private const long PieceLength = 1 << 20;   // values: 4 MB

    private static readonly TrainableParts[] Towers = [TrainableParts.Vision, TrainableParts.Text];   // in the order of a step

    private readonly Ranks _ranks;
    private readonly Tensor[] _weights;
    private readonly Dictionary<(TrainableParts Tower, int Layer), long> _ends = [];   // of blocks; layer 0 for a whole tower
    private readonly Tensor _all;
    private readonly Tensor? _tokenTable;   // null where it is frozen
    private readonly float* _values;   // null on a GPU
    private readonly object _gate = new();
    private readonly Thread? _sender;
    private long[] _tokens = [];            // of the batch, in order
    private long _complete, _summed;
    private bool _isDisposed;
    private volatile bool _isAwaited;       // the rest of the sums
    private ExceptionDispatchInfo? _fault;

    /// <param name="model">What is trained; its weights that are trained now are those that are shared.</param>
    /// <param name="ranks">The ranks.</param>
    public SharedGradients(ClipModel model, Ranks ranks)
    {
        _ranks = ranks;
        _tokenTable = model.Text.TokenTable is { requires_grad: true } table ? table : null;
        var groups = model.Weights.Where(w => w.Value.requires_grad && w.Key != TextTower.TokenTableName)
            .GroupBy(w => GroupOf(model, w.Key))
            .OrderBy(g => Array.IndexOf(Towers, g.Key.Tower) is var tower and >= 0 ? tower : Towers.Length)
            .ThenByDescending(g => g.Key.Layer).ToArray();
        long end = 0;
        foreach (var group in groups) _ends[group.Key] = end += group.Sum(w => w.Value.numel());
        _weights = [.. groups.SelectMany(g => g).Select(w => w.Value)];
        _all = zeros(end + 1, device: model.Device).DetachFromDisposeScope();
        if (model.Device.type != DeviceType.CPU) return;
        _values = MatrixBuffer.Pointer(_all);
        _sender = new Thread(Send) { IsBackground = true, Name = "Sums of gradients" };
        _sender.Start();
    }

    /// <summary>The blocks of a tower one by one, and all else of it together.</summary>
    private static (TrainableParts Tower, int Layer) GroupOf(ClipModel model, string weight)
    {
        var (part, layer) = model.PlaceOf(weight);
        var stack = part == TrainableParts.Vision ? model.Vision.Stack : part == TrainableParts.Text ? model.Text.Stack : null;
        return (part, stack is not null && layer <= stack.Count ? layer : 0);
    }

    /// <summary>Gives a gradient to every weight that has none. To be called before the backward pass.</summary>
    /// <param name="tokens">The ids of all tokens of the batch.</param>
    public void Attach(long[] tokens)
    {
        lock (_gate) (_complete, _summed, _isAwaited) = (0, 0, false);
        _tokens = [.. tokens.Distinct().Order()];
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        if (_weights.All(w => w.grad is { IsInvalid: false })) return;
        _all.zero_();
        long first = 0;
        foreach (var weight in _weights)
        {
            weight.grad = _all.narrow(0, first, weight.numel()).view(weight.shape);
            first += weight.numel();
        }
    }

    /// <summary>The gradients of this block and those after it are complete.</summary>
    /// <param name="tower">The block's tower.</param>
    /// <param name="layer">The block, counted from 1; 0 for the whole tower.</param>
    public void Complete(TrainableParts tower, int layer)
    {
        if (_ends.TryGetValue((tower, layer), out var end)) Complete(end);
    }

    /// <summary>Adds up all gradients of all ranks that are not summed yet.</summary>
    /// <param name="loss">The loss as this rank computed it; the last bits may differ between ranks.</param>
    /// <returns>The loss as rank 0 computed it.</returns>
    public double Sum(double loss)
    {
        var count = _all.numel();
        if (_values is null) loss = SumOfGpu(loss);
        else
        {
            _values[count - 1] = _ranks.IsFirst ? (float)loss : 0;
            _isAwaited = true;
            Complete(count);
            lock (_gate)
                while (_summed < count && _fault is null) Monitor.Wait(_gate);
            _fault?.Throw();
            loss = _values[count - 1];
        }
        if (_tokenTable is not null) SumOfTokens(_tokenTable);
        return loss;
    }

    private void SumOfTokens(Tensor table)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var rows = tensor(_tokens, device: table.device);
        var gradient = FusedWeight.GradientOf(table);
        var values = gradient.index_select(0, rows).cpu();
        _ranks.Sum(new Span<float>(MatrixBuffer.Pointer(values), checked((int)values.numel())));
        gradient.index_copy_(0, rows, values.to(table.device));
    }

    private void Complete(long end)
    {
        lock (_gate)
        {
            _complete = Math.Max(_complete, end);
            Monitor.PulseAll(_gate);
        }
    }

    private void Send()
    {
        while (true)
        {
            long first, end;
            lock (_gate)
            {
                while (!_isDisposed && (_summed >= _complete || _complete < NextEnd())) Monitor.Wait(_gate);
                if (_isDisposed) return;
                (first, end) = (_summed, NextEnd());
            }
            try
            {
                _ranks.Sum(new Span<float>(_values + first, (int)(end - first)), () => _isAwaited);
            }
            catch (Exception e)
            {
                _fault = ExceptionDispatchInfo.Capture(e);
            }
            lock (_gate)
            {
                _summed = end;
                Monitor.PulseAll(_gate);
            }
        }
    }

    private long NextEnd() => Math.Min(_summed + PieceLength, _all.numel());

    private double SumOfGpu(double loss)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var values = _all.cpu();
        var count = values.numel();
        var first = MatrixBuffer.Pointer(values);
        first[count - 1] = _ranks.IsFirst ? (float)loss : 0;
        for (long at = 0; at < count; at += PieceLength)
            _ranks.Sum(new Span<float>(first + at, (int)Math.Min(PieceLength, count - at)));
        _all.copy_(values);
        return first[count - 1];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            Monitor.PulseAll(_gate);
        }
        _sender?.Join();
        _all.Dispose();
    }
}
