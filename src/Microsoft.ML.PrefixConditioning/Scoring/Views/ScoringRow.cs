using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A row with the added columns, computed on demand.</summary>
internal sealed class ScoringRow : DataViewRow
{
    private readonly ScoringMapper _mapper;
    private readonly DataViewRow _input;
    private readonly EncodedRow _encoded;
    private readonly bool[] _active;
    private readonly LabelCount? _labels;

    public ScoringRow(ScoringMapper mapper, DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        (_mapper, _input) = (mapper, input);
        _active = new bool[mapper.OutputSchema.Count];
        foreach (var column in activeColumns) _active[column.Index] = true;
        _encoded = new OnDemandEncodedRow(mapper, input);
        _labels = mapper.CountLabels();
    }

    public override DataViewSchema Schema => _mapper.OutputSchema;
    public override long Position => _input.Position;
    public override long Batch => _input.Batch;

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) =>
        _mapper.CreateGetter<TValue>(column, _active, _input, _encoded, _labels);

    public override ValueGetter<DataViewRowId> GetIdGetter() => _input.GetIdGetter();

    protected override void Dispose(bool disposing)
    {
        if (disposing) _input.Dispose();
        base.Dispose(disposing);
    }
}
