using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Adds the mapper's columns to a cursor's.</summary>
internal sealed class ScoringCursor(ScoringMapper mapper, DataViewRowCursor input, EncodedRow encoded, bool[] active) : DataViewRowCursor
{
    private readonly LabelCount? _labels = mapper.CountLabels();

    public override DataViewSchema Schema => mapper.OutputSchema;
    public override long Position => input.Position;
    public override long Batch => input.Batch;

    public override bool MoveNext()
    {
        if (input.MoveNext()) return true;
        _labels?.EndOfRows();
        _labels?.Warn();
        return false;
    }

    public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) =>
        mapper.CreateGetter<TValue>(column, active, input, encoded, _labels);

    public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _labels?.Warn();   // a pass that ended early
            input.Dispose();
        }
        base.Dispose(disposing);
    }
}
