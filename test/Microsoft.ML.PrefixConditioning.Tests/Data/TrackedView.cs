using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A view of unknown length that counts its cursors.</summary>
internal sealed class TrackedView(IDataView view) : IDataView
{
    public int Opened { get; private set; }
    public int Disposed { get; private set; }
    public bool CanShuffle => view.CanShuffle;
    public DataViewSchema Schema => view.Schema;
    public long? GetRowCount() => null;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        Opened++;
        return new Cursor(view.GetRowCursor(columnsNeeded, rand), () => Disposed++);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    private sealed class Cursor(DataViewRowCursor inner, Action disposed) : DataViewRowCursor
    {
        private bool _disposed;

        public override long Position => inner.Position;
        public override long Batch => inner.Batch;
        public override DataViewSchema Schema => inner.Schema;
        public override bool MoveNext() => inner.MoveNext();
        public override bool IsColumnActive(DataViewSchema.Column column) => inner.IsColumnActive(column);
        public override ValueGetter<DataViewRowId> GetIdGetter() => inner.GetIdGetter();
        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => inner.GetGetter<TValue>(column);

        protected override void Dispose(bool disposing)
        {
            if (!_disposed) disposed();
            _disposed = true;
            base.Dispose(disposing);
        }
    }
}
