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
        if (parts.Image) _imageGetter = ColumnReader.ImageGetter(source, mapper.ImageColumn!.Value);
        if (parts.Text) _textGetter = ColumnReader.TextGetter(source, mapper.TextColumn!.Value);
    }

    /// <summary>Reads the next rows and decodes their images; null if there are no more.</summary>
    /// <param name="capacity">Maximum number of rows.</param>
    /// <param name="cancellation">Stops between two rows or images.</param>
    /// <remarks>If the source fails, this call returns the rows read so far; every later call throws.</remarks>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
    public RowBatch? Read(int capacity, CancellationToken cancellation)
    {
        _fault?.Throw();
        if (_ended) return null;
        var batch = new RowBatch(capacity, Array.ConvertAll(_createBuffers, create => create(capacity)));
        try
        {
            var images = new ImageReference[_imageGetter is null ? 0 : capacity];   // not kept: they may hold encoded files
            Fill(batch, capacity, images, cancellation);
            if (batch.Count == 0)
            {
                _fault?.Throw();
                batch.Dispose();
                return null;
            }
            var first = _rowsRead + 1;   // people count rows from 1
            _rowsRead += batch.Count;
            if (_imageGetter is not null)
                batch.Images = _mapper.Encoder!.Prepare(images.AsMemory(0, batch.Count), i => RowName(first + i), cancellation);
            return batch;
        }
        catch
        {
            batch.Dispose();
            throw;
        }
    }

    /// <summary>What messages call a row.</summary>
    /// <param name="number">Counted from 1.</param>
    public static string RowName(long number) => string.Create(CultureInfo.InvariantCulture, $"Row {number}");

    private void Fill(RowBatch batch, int capacity, ImageReference[] images, CancellationToken cancellation)
    {
        long imageBytes = 0;
        try
        {
            for (; batch.Count < capacity && imageBytes < MaxImageBytes; batch.Count++)
            {
                cancellation.ThrowIfCancellationRequested();
                if (!_source.MoveNext())
                {
                    _ended = true;
                    return;
                }
                Take(batch, images, ref imageBytes);
            }
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellation.IsCancellationRequested)
        {
            _fault = ExceptionDispatchInfo.Capture(e);
        }
    }

    private void Take(RowBatch batch, ImageReference[] images, ref long imageBytes)
    {
        var row = batch.Count;
        foreach (var column in batch.Columns) column.Read(row);
        _idGetter(ref batch.Ids[row]);
        batch.SourceBatches[row] = _source.Batch;
        if (_imageGetter is not null)
        {
            _imageGetter(ref images[row]);
            imageBytes += images[row].Encoded?.Length ?? images[row].Pixels?.Length ?? 0;
        }
        if (_textGetter is null) return;
        ReadOnlyMemory<char> text = default;
        _textGetter(ref text);
        batch.Texts[row] = text.ToString();
    }
}
