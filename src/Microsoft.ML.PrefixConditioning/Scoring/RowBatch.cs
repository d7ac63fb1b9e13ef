using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Rows that were read ahead: their columns' values, and what the network makes of them.</summary>
internal sealed class RowBatch(int count, DataViewRowId[] ids, long[] sourceBatches, ColumnBuffer[] columns) : IDisposable
{
    public int Count { get; } = count;
    public DataViewRowId[] Ids { get; } = ids;
    public long[] SourceBatches { get; } = sourceBatches;
    public ColumnBuffer[] Columns { get; } = columns;
    public PreparedImages? Images { get; init; }
    public string[]? Texts { get; init; }
    public float[]? ImageEmbeddings { get; set; }   // [Count, D]
    public float[]? TextEmbeddings { get; set; }    // [Count, D]

    public void Dispose()
    {
        foreach (var column in Columns) column.Dispose();
    }
}

/// <summary>Fills row batches from a cursor.</summary>
internal sealed class RowBatchReader
{
    private readonly DataViewRowCursor _source;
    private readonly DataViewSchema.Column[] _columns;
    private readonly Func<int, ColumnBuffer>[] _createBuffers;
    private readonly ScoringMapper _mapper;
    private readonly ValueGetter<DataViewRowId> _idGetter;
    private readonly ValueGetter<ImageReference>? _imageGetter;
    private readonly ValueGetter<ReadOnlyMemory<char>>? _textGetter;
    private long _rowsRead;

    public RowBatchReader(DataViewRowCursor source, DataViewSchema.Column[] columns, ScoringMapper mapper, EncodedParts parts)
    {
        (_source, _columns, _mapper) = (source, columns, mapper);
        _createBuffers = [.. columns.Select(c => ColumnBuffer.Factory(source, c))];
        _idGetter = source.GetIdGetter();
        if (parts.Image) _imageGetter = ColumnReader.ImageGetter(source, mapper.ImageColumn);
        if (parts.Text) _textGetter = ColumnReader.TextGetter(source, mapper.TextColumn!.Value);
    }

    /// <summary>The next rows, decoded; null when there are none left.</summary>
    /// <param name="capacity">Rows at most.</param>
    public RowBatch? Read(int capacity)
    {
        var columns = Array.ConvertAll(_createBuffers, create => create(capacity));
        var ids = new DataViewRowId[capacity];
        var sourceBatches = new long[capacity];
        var images = _imageGetter is null ? null : new ImageReference[capacity];
        var texts = _textGetter is null ? null : new string[capacity];
        var count = 0;
        try
        {
            for (; count < capacity && _source.MoveNext(); count++)
            {
                foreach (var column in columns) column.Read(count);
                _idGetter(ref ids[count]);
                sourceBatches[count] = _source.Batch;
                _imageGetter?.Invoke(ref images![count]);
                if (_textGetter is null) continue;
                ReadOnlyMemory<char> text = default;
                _textGetter(ref text);
                texts![count] = text.ToString();
            }
            if (count == 0) return null;
            var prepared = images is null ? null : _mapper.Encoder!.Prepare(images.AsMemory(0, count), _rowsRead);
            _rowsRead += count;
            return new RowBatch(count, ids, sourceBatches, columns) { Images = prepared, Texts = texts?[..count] };
        }
        catch
        {
            foreach (var column in columns) column.Dispose();
            throw;
        }
    }
}
