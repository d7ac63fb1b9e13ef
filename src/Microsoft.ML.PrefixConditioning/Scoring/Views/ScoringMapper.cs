using Microsoft.ML.Data;
using Microsoft.ML.Model.OnnxConverter;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What a scoring transformer does with one input schema: which columns it reads, which it adds, and how.</summary>
/// <remarks>One object serves cursors (in batches) and single rows (for prediction engines) of many threads.</remarks>
internal abstract class ScoringMapper : IRowToRowMapper
{
    private readonly DataViewSchema.DetachedColumn[] _added;

    protected ScoringMapper(DataViewSchema input, IReadOnlyList<DataViewSchema.DetachedColumn> added)
    {
        InputSchema = input;
        _added = [.. added];
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(input);
        foreach (var column in added) builder.AddColumn(column.Name, column.Type, column.Annotations);
        OutputSchema = builder.ToSchema();
    }

    public DataViewSchema InputSchema { get; }

    public DataViewSchema OutputSchema { get; }

    /// <summary>Number of added columns; they follow the input's.</summary>
    public int AddedCount => _added.Length;

    /// <summary>Runs the network; null where the input already has embeddings.</summary>
    public abstract EmbeddingEncoder? Encoder { get; }

    /// <summary>The column that images are encoded from, or that has their embeddings, where there is one.</summary>
    public abstract DataViewSchema.Column? ImageColumn { get; }

    /// <summary>The column that texts are encoded from, where there is one.</summary>
    public virtual DataViewSchema.Column? TextColumn => null;

    /// <summary>Whether images or texts are encoded from this column.</summary>
    public bool IsEncoded(DataViewSchema.Column column) => column.Index == ImageColumn?.Index || column.Index == TextColumn?.Index;

    /// <summary>Whether an added column needs the image's embedding.</summary>
    public abstract bool NeedsImage(int added);

    /// <summary>Whether an added column needs the text's embedding.</summary>
    public virtual bool NeedsText(int added) => false;

    /// <summary>The input columns that an added column is computed from.</summary>
    public abstract IEnumerable<DataViewSchema.Column> Dependencies(int added);

    /// <summary>A getter for an added column.</summary>
    /// <param name="added">Which one, from 0.</param>
    /// <param name="row">The row's own columns.</param>
    /// <param name="encoded">The row's embeddings.</param>
    /// <param name="labels">From <see cref="CountLabels"/>.</param>
    public abstract Delegate CreateGetter(int added, DataViewRow row, EncodedRow encoded, LabelCount? labels);

    /// <summary>The getter of an input's column or an added one.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The column is not active.</exception>
    /// <exception cref="InvalidOperationException">The column has another type.</exception>
    public ValueGetter<TValue> CreateGetter<TValue>(
        DataViewSchema.Column column, bool[] active, DataViewRow row, EncodedRow encoded, LabelCount? labels)
    {
        if (column.Index >= active.Length || !active[column.Index])
            throw new ArgumentOutOfRangeException(nameof(column),
                $"Column '{column.Name}' is not active in this cursor; name it when the cursor is created.");
        if (column.Index < InputSchema.Count) return row.GetGetter<TValue>(InputSchema[column.Index]);
        return CreateGetter(column.Index - InputSchema.Count, row, encoded, labels) as ValueGetter<TValue>
            ?? throw new InvalidOperationException(
                $"Column '{column.Name}' is {column.Type}; its values cannot be read as {typeof(TValue)}.");
    }

    /// <summary>The count of the labels of one pass, or of one row; null where there are none.</summary>
    public virtual LabelCount? CountLabels() => null;

    /// <summary>Checks that ONNX can compute the added columns.</summary>
    /// <exception cref="NotSupportedException">It cannot.</exception>
    public void RequireOnnx()
    {
        const string Start = "mlContext.Model.ConvertToOnnx cannot export";
        if (TextColumn is { } text)
            throw new NotSupportedException($"{Start} the embeddings of column '{text.Name}', because ONNX has no tokenizer. Pass rows " +
                "without this column, or a chain without the step; only the schema of the rows is used. SaveTextEncoderAsOnnx exports " +
                "the text tower.");
        if (Encoder is null || ImageColumn is not { } image) return;
        if (image.Type is ImageDataViewType)
            throw new NotSupportedException($"{Start} a step that reads column '{image.Name}' of type {image.Type}, which ML.NET cannot " +
                "write. Fit the step on a column of paths or of encoded files; it needs no LoadImages before it.");
        if (InputSchema.GetColumnOrNull(OnnxStep.PixelsName) is not null)
            throw new NotSupportedException($"{Start} a step that reads images behind a column '{OnnxStep.PixelsName}', because its " +
                "graph begins with an input of that name. Pass rows and a chain without this column.");
    }

    /// <summary>Adds the columns to the ONNX model that ML.NET writes.</summary>
    /// <param name="context">The model.</param>
    /// <param name="rows">Schema of the rows that the whole pipeline reads.</param>
    /// <exception cref="NotSupportedException">The weights do not fit into one file.</exception>
    public abstract void SaveAsOnnx(OnnxContext context, DataViewSchema rows);

    /// <summary>An added column in the output's schema.</summary>
    protected DataViewSchema.Column AddedColumn(int added) => OutputSchema[InputSchema.Count + added];

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
    {
        var needed = new bool[InputSchema.Count];
        foreach (var column in dependingColumns)
            if (column.Index < needed.Length) needed[column.Index] = true;
            else foreach (var source in Dependencies(column.Index - needed.Length)) needed[source.Index] = true;
        return InputSchema.Where(column => needed[column.Index]);
    }

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns) =>
        new ScoringRow(this, input, activeColumns);
}
