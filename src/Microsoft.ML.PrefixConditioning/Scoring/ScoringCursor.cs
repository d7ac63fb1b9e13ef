using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Adds the mapper's columns to a cursor's.</summary>
internal sealed class ScoringCursor(ScoringMapper mapper, DataViewRowCursor input, EncodedRow encoded, bool[] active) : DataViewRowCursor
{
    public override DataViewSchema Schema => mapper.OutputSchema;
    public override long Position => input.Position;
    public override long Batch => input.Batch;

    public override bool MoveNext() => input.MoveNext();

    public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) =>
        AddedColumnGetter.Create<TValue>(mapper, column, active, input, encoded);

    public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

    protected override void Dispose(bool disposing)
    {
        if (disposing) input.Dispose();
        base.Dispose(disposing);
    }
}
