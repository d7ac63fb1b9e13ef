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
    private readonly int _lastStep;
    private readonly CancellationTokenSource _stop;
    private readonly Channel<TrainingBatch> _channel = Channel.CreateBounded<TrainingBatch>(ReadyBatches);
    private readonly Channel<float[]> _buffers = Channel.CreateUnbounded<float[]>();
    private readonly Task _producer;

    public BatchLoader(BatchSampler sampler, TrainingImages images, TrainingTexts texts, TaggedRows rows, int firstStep, int lastStep,
        CancellationToken cancellation)
    {
        (_sampler, _images, _texts, _rows, _lastStep) = (sampler, images, texts, rows, lastStep);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _producer = Task.Run(() => Produce(firstStep), CancellationToken.None);
    }

    /// <summary>The next batch in order; return its buffer with <see cref="Release"/>.</summary>
    public TrainingBatch Next()
    {
        var next = _channel.Reader.WaitToReadAsync(_stop.Token).AsTask();
        if (!next.GetAwaiter().GetResult()) _producer.GetAwaiter().GetResult();
        return _channel.Reader.TryRead(out var batch) ? batch : throw new InvalidOperationException("The run has no further batch.");
    }

    /// <summary>Gives a batch's pixel buffer back for a later batch.</summary>
    public void Release(TrainingBatch batch) => _buffers.Writer.TryWrite(batch.Pixels);

    private async Task Produce(int firstStep)
    {
        try
        {
            var step = firstStep;
            foreach (var rows in _sampler.Batches(firstStep))
            {
                if (step >= _lastStep) break;
                if (!_buffers.Reader.TryRead(out var pixels)) pixels = new float[rows.Length * _images.Length];
                _images.Load(rows, step, pixels, _stop.Token);
                var batch = new TrainingBatch(rows, pixels, _texts.Compose(rows, step), Labels(rows),
                    Array.ConvertAll(rows, r => (long)_rows.DatasetTypes[r]));
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
