using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A view that counts what is read from it, has batch numbers, and fails where it is told to.</summary>
internal sealed class WatchedView(IDataView view) : IDataView
{
    private int _rowsRead, _opened, _disposed, _usedAfterDispose;

    /// <summary>Rows that its cursors moved to.</summary>
    public int RowsRead => Volatile.Read(ref _rowsRead);
    public int Opened => _opened;
    public int Disposed => _disposed;
    public int UsedAfterDispose => _usedAfterDispose;

    /// <summary>The row, from 0, that cannot be moved to.</summary>
    public int FailingRow { get; init; } = int.MaxValue;

    /// <summary>The column that no getter can be made for.</summary>
    public string? FailingColumn { get; init; }

    public bool CanShuffle => view.CanShuffle;
    public DataViewSchema Schema => view.Schema;
    public long? GetRowCount() => view.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        _opened++;
        return new Cursor(this, view.GetRowCursor(columnsNeeded, rand));
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    private sealed class Cursor(WatchedView view, DataViewRowCursor inner) : DataViewRowCursor
    {
        private bool _isDisposed;

        public override long Position => inner.Position;
        public override long Batch => inner.Position / 5;
        public override DataViewSchema Schema => inner.Schema;
        public override bool IsColumnActive(DataViewSchema.Column column) => inner.IsColumnActive(column);
        public override ValueGetter<DataViewRowId> GetIdGetter() => inner.GetIdGetter();

        public override bool MoveNext()
        {
            if (_isDisposed) view._usedAfterDispose++;
            if (inner.Position + 1 == view.FailingRow) throw new IOException("The disk is on fire.");
            if (!inner.MoveNext()) return false;
            Interlocked.Increment(ref view._rowsRead);
            return true;
        }

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => column.Name == view.FailingColumn
            ? throw new IOException($"No getter for {column.Name}.") : inner.GetGetter<TValue>(column);

        protected override void Dispose(bool disposing)
        {
            if (!_isDisposed) view._disposed++;
            _isDisposed = true;
            inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
