using System.Globalization;
using Microsoft.ML.Data;
using Parquet.Schema;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A column of a view of Parquet files.</summary>
/// <param name="Name">Its name in the view.</param>
/// <param name="Field">Where its values come from; null if they are all the same.</param>
/// <param name="Text">Makes the column's text from the field's; null for values as they are, and for locators of images in the
/// files.</param>
internal sealed record ParquetOutput(string Name, DataField? Field, Func<string, string?>? Text)
{
    /// <summary>Whether the column names images in the files.</summary>
    public bool IsLocator => Text is null && Field is not null && ParquetColumn.For(Field)!.IsBytes;

    /// <summary>The type in ML.NET.</summary>
    public DataViewType Type => Text is null && !IsLocator ? ParquetColumn.For(Field!)!.Type : TextDataViewType.Instance;
}

/// <summary>Rows of Parquet files. A cursor holds the active columns of one row group.</summary>
internal sealed class ParquetView : IDataView
{
    private readonly ParquetShard[] _shards;
    private readonly ParquetOutput[] _outputs;
    private readonly long _count;
    private readonly (int Shard, int Group, long Start)[] _groups;   // Start: number of the group's first row, for row ids

    public ParquetView(ParquetShard[] shards, long count, ParquetOutput[] outputs, LeftOutRows? leftOut)
    {
        (_shards, _count, _outputs) = (shards, count, outputs);
        var groups = new List<(int, int, long)>();
        var start = 0L;
        for (var shard = 0; shard < shards.Length; shard++)
            for (var group = 0; group < shards[shard].GroupCount; group++)
            {
                groups.Add((shard, group, start));
                start += shards[shard].CountOf(group);
            }
        _groups = [.. groups];
        var builder = new DataViewSchema.Builder();
        foreach (var output in outputs)
            builder.AddColumn(output.Name, output.Type, LeftOutRows.Annotations(output == outputs[0] ? leftOut : null));
        Schema = builder.ToSchema();
    }

    /// <inheritdoc/>
    public bool CanShuffle => true;

    /// <inheritdoc/>
    public DataViewSchema Schema { get; }

    /// <inheritdoc/>
    public long? GetRowCount() => _count;

    /// <inheritdoc/>
    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) =>
        new Cursor(this, columnsNeeded, rand);

    /// <inheritdoc/>
    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];   // reading is far cheaper than what follows it: nothing to split

    private sealed class Cursor : DataViewRowCursor
    {
        private readonly ParquetView _view;
        private readonly Random? _rand;
        private readonly bool[] _active;
        private readonly ParquetColumn?[] _columns;   // by output; null if inactive, or if values are not read
        private readonly (int Shard, int Group, long Start)[] _order;
        private int _next;            // group to be read next
        private int[] _rows = [];     // of the group, in the order they are given
        private int[] _offsets = [];  // of the same rows: how many rows of the group come before in the file
        private int _at;
        private long _position = -1;

        public Cursor(ParquetView view, IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand)
        {
            (_view, _rand) = (view, rand);
            _active = new bool[view.Schema.Count];
            foreach (var column in columnsNeeded) _active[column.Index] = true;
            _columns = [.. view._outputs.Select((output, i) =>
                _active[i] && output is { Field: { } field, IsLocator: false } ? ParquetColumn.For(field) : null)];
            _order = [.. view._groups];
            rand?.Shuffle(_order);
        }

        public override long Position => _position;

        public override long Batch => 0;

        public override DataViewSchema Schema => _view.Schema;

        private int Row => _position < 0
            ? throw new InvalidOperationException(
                "The cursor is not on a row: call MoveNext first, and read values only while it returns true.")
            : _rows[_at];

        private (int Shard, int Group, long Start) Current => _order[_next - 1];

        public override bool MoveNext()
        {
            if (_position == -2) return false;
            _at++;
            while (_at >= _rows.Length)
            {
                if (_next == _order.Length)
                {
                    _position = -2;
                    return false;
                }
                ReadGroup(_order[_next++]);
                _at = 0;
            }
            _position++;
            return true;
        }

        public override bool IsColumnActive(DataViewSchema.Column column) => column.Index < _active.Length && _active[column.Index];

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) =>
            value = new DataViewRowId(Row >= 0 ? (ulong)(Current.Start + _offsets[_at]) : 0, 0);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            if (!IsColumnActive(column))
                throw new ArgumentOutOfRangeException(
                    nameof(column), $"Column '{column.Name}' is not active in this cursor; name it when the cursor is created.");
            return Getter(column.Index) as ValueGetter<TValue>
                ?? throw new InvalidOperationException(
                    $"Column '{column.Name}' is {column.Type}; its values cannot be read as {typeof(TValue)}.");
        }

        private Delegate Getter(int index)
        {
            var output = _view._outputs[index];
            if (output.IsLocator)
            {
                var name = ParquetShard.NameOf(output.Field!);
                return Texts(row => new ImageSlice(_view._shards[Current.Shard].Path, name, Current.Group, row).ToString());
            }
            if (output.Text is not { } text) return _columns[index]!.Getter(() => Row);
            return _columns[index] is { } column ? Texts(row => column.Text(row) is { } value ? text(value) : null) : Texts(_ => text(""));
        }

        private ValueGetter<ReadOnlyMemory<char>> Texts(Func<int, string?> text) =>
            (ref ReadOnlyMemory<char> value) => value = text(Row).AsMemory();

        private void ReadGroup((int Shard, int Group, long Start) at)
        {
            var shard = _view._shards[at.Shard];
            var read = _columns.Select((c, i) => (Column: c!, Field: c is null ? "" : ParquetShard.NameOf(_view._outputs[i].Field!)))
                .Where(c => c.Column is not null).ToArray();
            _rows = shard.RowsOf(at.Group);
            _offsets = new int[_rows.Length];
            for (var i = 0; i < _offsets.Length; i++) _offsets[i] = i;
            _rand?.Shuffle(_offsets);
            _rows = [.. _offsets.Select(i => _rows[i])];
            if (read.Length == 0 || _rows.Length == 0) return;
            var count = ParquetShard.ReadGroup(shard.Path, at.Group, read);
            if (_rows.Max() >= count)
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"{NearName.Quoted(shard.Path)} has been " +
                    $"changed since it was loaded: row group {at.Group} has {count} rows. Load it again."));
        }
    }
}
