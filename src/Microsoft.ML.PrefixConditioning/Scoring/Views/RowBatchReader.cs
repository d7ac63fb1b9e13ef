using System.Globalization;
using System.Runtime.ExceptionServices;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Fills row batches from a cursor. Used by one thread at a time.</summary>
internal sealed class RowBatchReader
{
    /// <summary>Largest size of a batch's images in memory; a larger batch ends early. A photograph as pixels takes tens of
    /// megabytes.</summary>
    internal const long MaxImageBytes = 64L << 20;

    private readonly DataViewRowCursor _source;
    private readonly Func<int, ColumnBuffer>[] _createBuffers;
    private readonly ScoringMapper _mapper;
    private readonly ValueGetter<DataViewRowId> _idGetter;
    private readonly ValueGetter<ImageReference>? _imageGetter;
    private readonly ValueGetter<ReadOnlyMemory<char>>? _textGetter;
    private ExceptionDispatchInfo? _fault;
    private long _rowsRead;
    private bool _ended;

    public RowBatchReader(DataViewRowCursor source, DataViewSchema.Column[] columns, ScoringMapper mapper, EncodedParts parts)
    {
        (_source, _mapper) = (source, mapper);
        _createBuffers = [.. columns.Select(c => ColumnBuffer.Factory(source, c))];
        _idGetter = source.GetIdGetter();
        if (parts.Image) _imageGetter = ColumnReader.ImageGetter(source, mapper.ImageColumn);
        if (parts.Text) _textGetter = ColumnReader.TextGetter(source, mapper.TextColumn!.Value);
    }

    /// <summary>Reads the next rows and decodes their images; null if there are no more.</summary>
    /// <param name="capacity">Maximum number of rows.</param>
    /// <param name="cancellation">Stops between two rows or images.</param>
    /// <remarks>If the source fails, this call returns the rows read so far; every later call throws.</remarks>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public RowBatch? Read(int capacity, CancellationToken cancellation)
    {
        _fault?.Throw();
        if (_ended) return null;
        var rows = new Rows(capacity, Array.ConvertAll(_createBuffers, create => create(capacity)));
        try
        {
            Fill(rows, cancellation);
            if (rows.Count == 0)
            {
                _fault?.Throw();
                rows.Dispose();
                return null;
            }
            var first = _rowsRead + 1;   // people count rows from 1
            _rowsRead += rows.Count;
            return new RowBatch(rows.Count, rows.Ids, rows.SourceBatches, rows.Columns)
            {
                Images = _imageGetter is null ? null
                    : _mapper.Encoder!.Prepare(rows.Images.AsMemory(0, rows.Count), i => RowName(first + i), cancellation),
                Texts = _textGetter is null ? null : rows.Texts[..rows.Count],
            };
        }
        catch
        {
            rows.Dispose();
            throw;
        }
    }

    /// <summary>What messages call a row.</summary>
    /// <param name="number">Counted from 1.</param>
    public static string RowName(long number) => string.Create(CultureInfo.InvariantCulture, $"Row {number}");

    private void Fill(Rows rows, CancellationToken cancellation)
    {
        long imageBytes = 0;
        try
        {
            for (; rows.Count < rows.Capacity && imageBytes < MaxImageBytes; rows.Count++)
            {
                cancellation.ThrowIfCancellationRequested();
                if (!_source.MoveNext())
                {
                    _ended = true;
                    return;
                }
                Take(rows, ref imageBytes);
            }
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellation.IsCancellationRequested)
        {
            _fault = ExceptionDispatchInfo.Capture(e);
        }
    }

    private void Take(Rows rows, ref long imageBytes)
    {
        foreach (var column in rows.Columns) column.Read(rows.Count);
        _idGetter(ref rows.Ids[rows.Count]);
        rows.SourceBatches[rows.Count] = _source.Batch;
        if (_imageGetter is not null)
        {
            ref var image = ref rows.Images[rows.Count];
            _imageGetter(ref image);
            imageBytes += image.Encoded?.Length ?? image.Pixels?.Length ?? 0;
        }
        if (_textGetter is null) return;
        ReadOnlyMemory<char> text = default;
        _textGetter(ref text);
        rows.Texts[rows.Count] = text.ToString();
    }

    /// <summary>Rows being read.</summary>
    private sealed class Rows(int capacity, ColumnBuffer[] columns) : IDisposable
    {
        public readonly DataViewRowId[] Ids = new DataViewRowId[capacity];
        public readonly long[] SourceBatches = new long[capacity];
        public readonly ImageReference[] Images = new ImageReference[capacity];
        public readonly string[] Texts = new string[capacity];
        public int Count;

        public int Capacity { get; } = capacity;

        public ColumnBuffer[] Columns { get; } = columns;

        public void Dispose()
        {
            foreach (var column in Columns) column.Dispose();
        }
    }
}
