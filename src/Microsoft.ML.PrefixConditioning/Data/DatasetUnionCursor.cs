using System.Diagnostics;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reads the views of a <see cref="DatasetUnion"/> one after the other, or at random in proportion to their remaining
/// rows.</summary>
internal sealed class DatasetUnionCursor : DataViewRowCursor
{
    private readonly IDataView[] _views;
    private readonly bool[] _active;
    private readonly Random? _random;
    private readonly Source?[] _sources;
    private readonly long[] _left;   // rows that each view still has; only kept when shuffling
    private readonly bool[] _ended;
    private int _current = -1;
    private long _position = -1;
    private bool _disposed;

    public DatasetUnionCursor(DataViewSchema schema, IDataView[] views, IEnumerable<DataViewSchema.Column> columnsNeeded, Random? random)
    {
        Schema = schema;
        _views = views;
        _random = random;
        _active = new bool[schema.Count];
        foreach (var column in columnsNeeded) _active[column.Index] = true;
        _sources = new Source?[views.Length];
        _ended = new bool[views.Length];
        _left = random is null ? [] : [.. views.Select(v => v.GetRowCount() ?? 0)];
    }

    public override DataViewSchema Schema { get; }

    public override long Position => _position;

    public override long Batch => 0;

    private Source Current => _current >= 0 ? _sources[_current]!
        : throw new InvalidOperationException(
            "The cursor is not on a row: call MoveNext first, and read values only while it returns true.");

    public override bool MoveNext()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        while (Next() is var index and >= 0)
        {
            var source = _sources[index] ??= Open(index);
            if (source.Cursor.MoveNext())
            {
                _current = index;
                _position++;
                if (_random is not null) _left[index]--;
                return true;
            }
            _ended[index] = true;
            if (_random is not null) _left[index] = 0;
            source.Cursor.Dispose();
        }
        _current = -1;
        _position = -1;
        return false;
    }

    public override bool IsColumnActive(DataViewSchema.Column column) => column.Index < _active.Length && _active[column.Index];

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) =>
    {
        Current.Id(ref value);
        value = value.Combine(new DataViewRowId((ulong)_current, 0));   // equal ids of two views must differ here
    };

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!IsColumnActive(column))
            throw new ArgumentOutOfRangeException(nameof(column),
                $"Column '{column.Name}' is not active in this cursor; name it when the cursor is created.");
        if (typeof(TValue) != column.Type.RawType)
            throw new InvalidOperationException($"Column '{column.Name}' is {column.Type}; its values cannot be read as {typeof(TValue)}.");
        var index = column.Index;
        return (ref TValue value) => ((ValueGetter<TValue>)Current.Getters[index]!)(ref value);
    }

    protected override void Dispose(bool disposing)
    {
        if (_disposed) return;
        _disposed = true;
        _current = -1;
        if (disposing)
            foreach (var source in _sources) source?.Cursor.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Index of the view to read from next, -1 if all have ended.</summary>
    private int Next()
    {
        long all = 0;
        foreach (var left in _left) all += left;
        if (_random is not null && all > 0)
        {
            var drawn = _random.NextInt64(all);
            for (var i = 0; i < _left.Length; i++)
            {
                if (drawn < _left[i]) return i;
                drawn -= _left[i];
            }
        }
        return Array.IndexOf(_ended, false);
    }

    private Source Open(int index)
    {
        var schema = _views[index].Schema;
        var columns = new DataViewSchema.Column?[Schema.Count];
        for (var i = 0; i < columns.Length; i++)
            if (_active[i]) columns[i] = schema.GetColumnOrNull(Schema[i].Name);
        // Views may read on other threads: each gets a generator of its own.
        var random = _random is null ? null : new Random(_random.Next());
        var cursor = _views[index].GetRowCursor(columns.Where(c => c is not null).Select(c => c!.Value), random);
        try
        {
            var getters = new Delegate?[columns.Length];
            for (var i = 0; i < columns.Length; i++)
                if (_active[i]) getters[i] = columns[i] is { } column ? Getter(cursor, column, Schema[i].Type)
                    : Schema[i].Type is TextDataViewType ? MissingText : UnitWeight;
            return new Source(cursor, cursor.GetIdGetter(), getters);
        }
        catch
        {
            cursor.Dispose();
            throw;
        }
    }

    private static readonly ValueGetter<ReadOnlyMemory<char>> MissingText = (ref ReadOnlyMemory<char> value) => value = default;

    private static readonly ValueGetter<float> UnitWeight = (ref float value) => value = 1;

    private static Delegate Getter(DataViewRow row, DataViewSchema.Column column, DataViewType unified)
    {
        if (unified is TextDataViewType) return ColumnReader.TextGetter(row, column);
        if (unified == NumberDataViewType.Single) return row.GetGetter<float>(column);
        if (unified.RawType == typeof(VBuffer<byte>)) return row.GetGetter<VBuffer<byte>>(column);
        Debug.Assert(unified.RawType == typeof(MLImage));
        // A view disposes the image that it is handed back, its own last one. It must never get another view's, which may
        // belong to the user.
        var image = row.GetGetter<MLImage>(column);
        MLImage own = null!;
        return (ValueGetter<MLImage>)((ref MLImage value) =>
        {
            image(ref own);
            value = own;
        });
    }

    private sealed record Source(DataViewRowCursor Cursor, ValueGetter<DataViewRowId> Id, Delegate?[] Getters);
}
