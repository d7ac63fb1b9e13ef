using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Rows of text columns that are computed when read: the view behind the dataset sources.</summary>
/// <remarks>
/// Rereadable, shufflable and of known length. <c>LoadFromEnumerable</c> cannot be shuffled and needs one object per row; here a million
/// rows take the memory of their distinct parts.
/// </remarks>
internal sealed class TextRowsView : IDataView
{
    private readonly int _count;
    private readonly Func<bool, IRowTexts> _open;

    /// <summary>A view of rows 0 to <paramref name="count"/> - 1.</summary>
    /// <param name="count">Number of rows.</param>
    /// <param name="columns">Name of each column; the first has the images.</param>
    /// <param name="open">Opens the rows for one cursor; true if they are read in random order.</param>
    /// <param name="leftOut">Rows that the source left out.</param>
    public TextRowsView(int count, string[] columns, Func<bool, IRowTexts> open, LeftOutRows? leftOut = null)
    {
        (_count, _open) = (count, open);
        Schema = SchemaOf(columns, leftOut);
    }

    /// <summary>A view of rows 0 to <paramref name="count"/> - 1.</summary>
    /// <param name="count">Number of rows.</param>
    /// <param name="columns">Name of each column, and its text by row; null means a missing text.</param>
    public TextRowsView(int count, params (string Name, Func<int, string?> Value)[] columns)
        : this(count, [.. columns.Select(c => c.Name)], _ => new ComputedTexts(columns))
    {
    }

    /// <summary>The schema of text columns; the first has the images.</summary>
    public static DataViewSchema SchemaOf(string[] columns, LeftOutRows? leftOut = null)
    {
        var builder = new DataViewSchema.Builder();
        for (var i = 0; i < columns.Length; i++)
            builder.AddColumn(columns[i], TextDataViewType.Instance, LeftOutRows.Annotations(i == 0 ? leftOut : null));
        return builder.ToSchema();
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
        private readonly TextRowsView _view;
        private readonly bool[] _active;
        private readonly IRowTexts _texts;
        private readonly int[]? _order;
        private long _position = -1;

        public Cursor(TextRowsView view, IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand)
        {
            _view = view;
            _active = new bool[view.Schema.Count];
            foreach (var column in columnsNeeded) _active[column.Index] = true;
            _texts = view._open(rand is not null);
            if (rand is null) return;
            _order = new int[view._count];
            for (var i = 0; i < _order.Length; i++) _order[i] = i;
            rand.Shuffle(_order);
        }

        public override long Position => _position;

        public override long Batch => 0;

        public override DataViewSchema Schema => _view.Schema;

        private int Row => _position < 0
            ? throw new InvalidOperationException(
                "The cursor is not on a row: call MoveNext first, and read values only while it returns true.")
            : _order is null ? (int)_position : _order[_position];

        public override bool MoveNext()
        {
            if (_position + 1 < _view._count && _position > -2)
            {
                _position++;
                return true;
            }
            _position = -2;
            return false;
        }

        public override bool IsColumnActive(DataViewSchema.Column column) => column.Index < _active.Length && _active[column.Index];

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) => value = new DataViewRowId((ulong)Row, 0);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            if (!IsColumnActive(column))
                throw new ArgumentOutOfRangeException(
                    nameof(column), $"Column '{column.Name}' is not active in this cursor; name it when the cursor is created.");
            var index = column.Index;
            ValueGetter<ReadOnlyMemory<char>> getter = (ref ReadOnlyMemory<char> value) => value = _texts.Text(Row, index).AsMemory();
            return getter as ValueGetter<TValue>
                ?? throw new InvalidOperationException(
                    $"Column '{column.Name}' is {column.Type}; its values cannot be read as {typeof(TValue)}.");
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) _texts.Dispose();
            base.Dispose(disposing);
        }
    }

    private sealed class ComputedTexts((string Name, Func<int, string?> Value)[] columns) : IRowTexts
    {
        public string? Text(int row, int column) => columns[column].Value(row);

        public void Dispose()
        {
        }
    }
}
