using System.Threading.Channels;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reads a cursor ahead in batches: while the network encodes one batch, the next is read and decoded in the background.</summary>
/// <remarks>
/// ML.NET pulls one row at a time, which would run the network on single images. This cursor has its source's columns; the values
/// of active ones are kept until their row is reached. The source cursor is used by one thread at a time. Batches grow from small to
/// full, so that the first row of a short look comes soon.
/// </remarks>
internal sealed class ReadAheadCursor : DataViewRowCursor
{
    private const int FirstBatch = 8, FullBatch = 64, BatchesReady = 2;

    private readonly ScoringMapper _mapper;
    private readonly DataViewRowCursor _source;
    private readonly EncodedParts _parts;
    private readonly DataViewSchema.Column[] _kept;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<RowBatch> _channel = Channel.CreateBounded<RowBatch>(BatchesReady);
    private readonly BatchRow _encoded;
    private Task? _producer;
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
        (_mapper, _source, _parts) = (mapper, source, parts);
        _kept = [.. kept];
        _encoded = new BatchRow(this);
    }

    /// <summary>The embeddings of the current row.</summary>
    public EncodedRow Encoded => _encoded;

    public override DataViewSchema Schema => _source.Schema;
    public override long Position => _position;
    public override long Batch => _batch is null || _row < 0 ? 0 : _batch.SourceBatches[_row];

    public override bool IsColumnActive(DataViewSchema.Column column) => Array.Exists(_kept, c => c.Index == column.Index);

    public override bool MoveNext()
    {
        if (_disposed) return false;
        if (_batch is not null && ++_row < _batch.Count)
        {
            _position++;
            return true;
        }
        _batch?.Dispose();
        _batch = TakeBatch();
        _row = _batch is null ? -1 : 0;
        _position = _batch is null ? -1 : _position + 1;
        return _batch is not null;
    }

    private RowBatch? TakeBatch()
    {
        _producer ??= Task.Run(Produce);
        if (!_channel.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult() || !_channel.Reader.TryRead(out var batch)) return null;
        if (_parts.Image) batch.ImageEmbeddings = _mapper.Encoder!.Encode(batch.Images!);
        if (_parts.Text) batch.TextEmbeddings = _mapper.Encoder!.Encode(batch.Texts!);
        return batch;
    }

    private async Task Produce()
    {
        try
        {
            var reader = new RowBatchReader(_source, _kept, _mapper, _parts);
            for (var size = FirstBatch; reader.Read(size) is { } batch; size = Math.Min(2 * size, FullBatch))
                await _channel.Writer.WriteAsync(batch, _stop.Token).ConfigureAwait(false);
            _channel.Writer.Complete();
        }
        catch (Exception e)
        {
            _channel.Writer.TryComplete(e);   // the reader of the channel meets it after the rows before it
        }
    }

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        var at = Array.FindIndex(_kept, c => c.Index == column.Index);
        if (at < 0) throw new ArgumentOutOfRangeException(nameof(column), $"Column '{column.Name}' is not active in this cursor; name it when the cursor is created.");
        if (column.Type.RawType != typeof(TValue))
            throw new InvalidOperationException($"Column '{column.Name}' is {column.Type}; its values cannot be read as {typeof(TValue)}.");
        return (ref TValue value) => ((ColumnBuffer<TValue>)Current().Columns[at]).CopyTo(_row, ref value);
    }

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) => value = Current().Ids[_row];

    private RowBatch Current() => _batch ?? throw new InvalidOperationException("The cursor stands on no row: call MoveNext first, and read values only while it returns true.");

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_disposed)
        {
            _disposed = true;
            _stop.Cancel();
            _producer?.GetAwaiter().GetResult();
            while (_channel.Reader.TryRead(out var unread)) unread.Dispose();
            _batch?.Dispose();
            _source.Dispose();
            _stop.Dispose();
        }
        base.Dispose(disposing);
    }

    private sealed class BatchRow(ReadAheadCursor cursor) : EncodedRow
    {
        private readonly int _size = cursor._mapper.Encoder!.EmbeddingSize;

        public override ReadOnlySpan<float> ImageEmbedding => cursor.Current().ImageEmbeddings.AsSpan(cursor._row * _size, _size);

        public override ReadOnlySpan<float> TextEmbedding => cursor.Current().TextEmbeddings.AsSpan(cursor._row * _size, _size);
    }
}
