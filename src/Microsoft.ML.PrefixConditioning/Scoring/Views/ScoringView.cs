using Microsoft.ML.Data;
using Microsoft.ML.Model.OnnxConverter;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A view with the added columns; its cursors read ahead and encode rows in batches.</summary>
/// <remarks>
/// <para>Embeddings are not kept from pass to pass: they would take memory without a bound, and a source may give other rows or another
/// order in the next pass. ML.NET's caches exist for that, and the log recommends them.</para>
/// <para>ML.NET's ONNX export asks every view of a chain, from the last one on, whether it can be written.</para>
/// </remarks>
internal sealed class ScoringView(IChannelProvider log, IDataView source, ScoringMapper mapper, ITransformer transformer)
    : ITransformCanSaveOnnx
{
    private const int WarnedPass = 3;   // training and evaluating take one or two passes; iterative trainers many

    private int _passes;

    public IDataView Source => source;

    public bool CanShuffle => source.CanShuffle;

    public DataViewSchema Schema => mapper.OutputSchema;

    public long? GetRowCount() => source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var active = new bool[Schema.Count];
        foreach (var column in columnsNeeded) active[column.Index] = true;
        var cursor = source.GetRowCursor(mapper.GetDependencies(Schema.Where(c => active[c.Index])), rand);
        try
        {
            return AddColumns(cursor, active);
        }
        catch
        {
            cursor.Dispose();
            throw;
        }
    }

    private ScoringCursor AddColumns(DataViewRowCursor cursor, bool[] active)
    {
        var added = Enumerable.Range(0, mapper.AddedCount).Where(i => active[mapper.InputSchema.Count + i]).ToArray();
        var parts = new EncodedParts(added.Any(mapper.NeedsImage), added.Any(mapper.NeedsText));
        // Without a wanted embedding, or where embeddings are a column of the input, the network does not run and nothing is read ahead.
        if (mapper.Encoder is null || parts is { Image: false, Text: false })
            return new ScoringCursor(mapper, cursor, new OnDemandEncodedRow(mapper, cursor), active);
        if (Interlocked.Increment(ref _passes) == WarnedPass) WarnOfPasses();
        // What is only encoded need not be kept: an image column may be large, or costly to read twice.
        var kept = source.Schema.Where(c => cursor.IsColumnActive(c) && (active[c.Index] || !mapper.IsEncoded(c)));
        var readAhead = new ReadAheadCursor(mapper, cursor, parts, kept);
        return new ScoringCursor(mapper, readAhead, readAhead.Encoded, active);
    }

    private void WarnOfPasses()
    {
        using var channel = log.Start("Scoring");
        channel.Warning(MessageSensitivity.None, "{0}",
            $"Pass {WarnedPass} over a view of {transformer.GetType().Name} begins, and every pass encodes all images and texts again. " +
            "To encode them once, append AppendCacheCheckpoint(mlContext) to this step of the pipeline, or pass the trainer " +
            "mlContext.Data.Cache(view).");
    }

    /// <remarks>One cursor: the network already uses all cores.</remarks>
    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    void ICanSaveModel.Save(ModelSaveContext ctx) => ((ICanSaveModel)transformer).Save(ctx);

    // Where it returned false, ML.NET would write the rest of the chain.
    bool ICanSaveOnnx.CanSaveOnnx(OnnxContext ctx)
    {
        mapper.RequireOnnx();
        return true;
    }

    void ISaveAsOnnx.SaveAsOnnx(OnnxContext ctx)
    {
        var rows = source;
        while (rows is IDataTransform step) rows = step.Source;
        mapper.SaveAsOnnx(ctx, rows.Schema);
    }
}

/// <summary>Which embeddings a cursor has to compute.</summary>
internal readonly record struct EncodedParts(bool Image, bool Text);
