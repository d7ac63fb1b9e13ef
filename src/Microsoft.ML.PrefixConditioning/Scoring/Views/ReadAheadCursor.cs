using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reads a cursor ahead in batches: while the network encodes one batch, the next is read and decoded in the background.</summary>
/// <remarks>
/// <para>ML.NET pulls one row at a time, which would run the network on single images. This cursor has its source's columns; the values
/// of active ones are kept until their row is reached. The source cursor is used by one thread at a time. Batches grow from small to
/// full, so that the first row of a short look comes soon. At most two batches are in memory, however slow the consumer is.</para>
/// <para>If the background task has not started when a row is needed, the consumer reads the batch itself. So any number of cursors can be
/// read on any number of thread-pool threads without one waiting for a free thread.</para>
/// </remarks>
internal sealed class ReadAheadCursor : DataViewRowCursor
{
    private const int FirstBatch = 8;

    private readonly EmbeddingEncoder _encoder;
    private readonly DataViewRowCursor _source;
    private readonly DataViewSchema.Column[] _kept;
    private readonly RowBatchReader _reader;
    private readonly CancellationTokenSource _stop = new();
    private readonly BatchRow _encoded;
    private Lazy<RowBatch?>? _next;   // read by whoever comes first, once
    private int _nextSize;
    private RowBatch? _batch;
    private int _row = -1;
    private long _position = -1;
    private bool _disposed;

    /// <param name="mapper">What to encode, and how.</param>
    /// <param name="source">Where rows come from; disposed with this cursor.</param>
    /// <param name="parts">The embeddings that are wanted.</param>
    /// <param name="kept">The source's columns whose values are wanted.</param>
    public ReadAheadCursor(ScoringMapper mapper, DataViewRowCursor source, EncodedParts parts, IEnumerable<DataViewSchema.Column> kept)
    {
        (_encoder, _source) = (mapper.Encoder!, source);
        _nextSize = Math.Min(FirstBatch, _encoder.ImagesPerPass);
        _kept = [.. kept];
        _reader = new RowBatchReader(source, _kept, mapper, parts);
        _encoded = new BatchRow(this);
    }

    /// <summary>The embeddings of the current row.</summary>
    public EncodedRow Encoded => _encoded;

    public override DataViewSchema Schema => _source.Schema;
    public override long Position => _position;
    public override long Batch => _batch is null ? 0 : _batch.SourceBatches[_row];

    public override bool IsColumnActive(DataViewSchema.Column column) => Array.Exists(_kept, c => c.Index == column.Index);

    public override bool MoveNext()
    {
        if (_disposed) return false;
        if (_batch is null || ++_row >= _batch.Count)
        {
            _batch?.Dispose();
            (_batch, _row) = (null, -1);
            _batch = TakeNext();
            if (_batch is null)
            {
                _position = -1;
                return false;
            }
            _row = 0;
        }
        _position++;
        return true;
    }

    private RowBatch? TakeNext()
    {
        if (_next is null) StartNext();
        var batch = _next!.Value;
        if (batch is not null) StartNext();
        return batch;
    }

    private void StartNext()
    {
        var size = _nextSize;
        _nextSize = Math.Min(2 * _nextSize, _encoder.ImagesPerPass);
        var next = _next = new Lazy<RowBatch?>(() => _reader.Read(size, _stop.Token));
        ThreadPool.UnsafeQueueUserWorkItem(static next =>
        {
            try
            {
                _ = next.Value;
            }
            catch (Exception)
            {
                // The Lazy keeps it for MoveNext.
            }
        }, next, preferLocal: false);
    }

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        var at = Array.FindIndex(_kept, c => c.Index == column.Index);
        if (at < 0)
            throw new ArgumentOutOfRangeException(nameof(column),
                $"Column '{column.Name}' is not active in this cursor; name it when the cursor is created.");
        if (column.Type.RawType != typeof(TValue))
            throw new InvalidOperationException($"Column '{column.Name}' is {column.Type}; its values cannot be read as {typeof(TValue)}.");
        return ColumnBuffer.DisposingTheLast((ref TValue value) => ((ColumnBuffer<TValue>)Current().Columns[at]).CopyTo(_row, ref value));
    }

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) => value = Current().Ids[_row];

    private RowBatch Current() => _batch ?? throw new InvalidOperationException(
        "The cursor is not on a row: call MoveNext first, and read values only while it returns true.");

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_disposed)
        {
            _disposed = true;
            _stop.Cancel();
            EndReading();
            _batch?.Dispose();
            (_batch, _row, _position) = (null, -1, -1);
            _source.Dispose();
            _stop.Dispose();
        }
        base.Dispose(disposing);
    }

    /// <summary>Waits until nobody uses the source any more.</summary>
    private void EndReading()
    {
        try
        {
            _next?.Value?.Dispose();
        }
        catch (Exception)
        {
            // A fault of rows that nobody asked for, or the cancellation itself.
        }
    }

    private sealed class BatchRow(ReadAheadCursor cursor) : EncodedRow
    {
        public override ReadOnlySpan<float> ImageEmbedding => cursor.Current().Images!.Embedding(cursor._row);

        public override ReadOnlySpan<float> TextEmbedding => cursor.Current().TextEmbedding(cursor._row, cursor._encoder);
    }
}
