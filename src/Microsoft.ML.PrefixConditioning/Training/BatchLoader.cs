using System.Threading.Channels;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Makes batches ready in the background while the step before them is trained.</summary>
internal sealed class BatchLoader : IDisposable
{
    private const int ReadyBatches = 2; // one in use by the network, one finished, one in the making

    private readonly BatchSampler _sampler;
    private readonly TrainingImages _images;
    private readonly TrainingTexts _texts;
    private readonly TaggedRows _rows;
    private readonly Ranks _ranks;
    private readonly int _lastStep;
    private readonly CancellationTokenSource _stop;
    private readonly Channel<TrainingBatch> _channel = Channel.CreateBounded<TrainingBatch>(ReadyBatches);
    private readonly Channel<float[]> _buffers = Channel.CreateUnbounded<float[]>();
    private readonly Task _producer;

    private int _step;   // of the next batch

    public BatchLoader(BatchSampler sampler, TrainingImages images, TrainingTexts texts, TaggedRows rows, int firstStep, int lastStep,
        CancellationToken cancellation, Ranks? ranks = null)
    {
        (_sampler, _images, _texts, _rows, _lastStep) = (sampler, images, texts, rows, lastStep);
        (_ranks, _step) = (ranks ?? new(null), firstStep);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _producer = Task.Run(() => Produce(firstStep), CancellationToken.None);
    }

    /// <summary>The next batch in order; return its buffer with <see cref="Release"/>.</summary>
    /// <remarks>With several ranks, all call this for the same step: here they learn of each other's unreadable images.</remarks>
    public TrainingBatch Next()
    {
        var next = _channel.Reader.WaitToReadAsync(_stop.Token).AsTask();
        if (!next.GetAwaiter().GetResult()) _producer.GetAwaiter().GetResult();
        if (!_channel.Reader.TryRead(out var batch)) throw new InvalidOperationException("The run has no further batch.");
        var step = _step++;
        if (_ranks.Count == 1) return batch;
        var unreadable = _images.Share(batch.Unreadable);
        if (unreadable.Length == 0) return batch;
        _images.Replace(batch.Rows, unreadable, step, batch.Pixels, _stop.Token);
        return Compose(batch.Rows, batch.Pixels, step);
    }

    /// <summary>Gives a batch's pixel buffer back for a later batch.</summary>
    public void Release(TrainingBatch batch) => _buffers.Writer.TryWrite(batch.Pixels);

    private async Task Produce(int firstStep)
    {
        try
        {
            var step = firstStep;
            foreach (var rows in _sampler.Batches(firstStep, _stop.Token))
            {
                if (step >= _lastStep) break;
                if (!_buffers.Reader.TryRead(out var pixels)) pixels = new float[_ranks.PartOf(rows.Length).Count * _images.Length];
                var unreadable = _images.LoadReadable(rows, step, pixels, _stop.Token);
                if (_ranks.Count == 1) _images.Replace(rows, unreadable, step, pixels, _stop.Token);
                var batch = Compose(rows, pixels, step) with { Unreadable = unreadable };
                await _channel.Writer.WriteAsync(batch, _stop.Token).ConfigureAwait(false);
                step++;
            }
            _channel.Writer.Complete();
        }
        catch (Exception e)
        {
            _channel.Writer.TryComplete(e);
        }
    }

    private TrainingBatch Compose(int[] rows, float[] pixels, int step) => new(rows, pixels, _texts.Compose(rows, step), Labels(rows),
        Array.ConvertAll(rows, r => (long)_rows.DatasetTypes[r]));

    /// <summary>Class of every row; a caption gets one that no other row of the batch has.</summary>
    private long[] Labels(int[] rows) => [.. rows.Select((row, i) => _rows.Labels[row] >= 0 ? _rows.Labels[row] : -1L - i)];

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        try
        {
            _producer.GetAwaiter().GetResult();
        }
        finally
        {
            _stop.Dispose();
        }
    }
}
