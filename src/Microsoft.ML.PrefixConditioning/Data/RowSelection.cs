using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A view of some rows of another, chosen by their position; values of other rows are not read.</summary>
/// <param name="source">A view that returns its rows in the same order each time.</param>
/// <param name="isSelected">Says which positions, from 0, are in the view.</param>
/// <param name="count">Number of selected rows, if known.</param>
internal sealed class RowSelection(IDataView source, Predicate<long> isSelected, long? count) : IDataView
{
    /// <inheritdoc/>
    /// <remarks>A shuffled source would have other rows at the selected positions.</remarks>
    public bool CanShuffle => false;

    /// <inheritdoc/>
    public DataViewSchema Schema => source.Schema;

    /// <inheritdoc/>
    public long? GetRowCount() => count;

    /// <inheritdoc/>
    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) =>
        new Cursor(source.GetRowCursor(columnsNeeded), isSelected);

    /// <inheritdoc/>
    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    private sealed class Cursor(DataViewRowCursor source, Predicate<long> isSelected) : DataViewRowCursor
    {
        private long _sourceRow = -1, _position = -1;

        public override DataViewSchema Schema => source.Schema;
        public override long Position => _position;
        public override long Batch => source.Batch;

        public override bool MoveNext()
        {
            while (source.MoveNext())
            {
                if (!isSelected(++_sourceRow)) continue;
                _position++;
                return true;
            }
            _position = -1;
            return false;
        }

        public override bool IsColumnActive(DataViewSchema.Column column) => source.IsColumnActive(column);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => source.GetGetter<TValue>(column);

        public override ValueGetter<DataViewRowId> GetIdGetter() => source.GetIdGetter();

        protected override void Dispose(bool disposing)
        {
            if (disposing) source.Dispose();
            base.Dispose(disposing);
        }
    }
}
