using Microsoft.ML.Data;
using Microsoft.ML.Model.OnnxConverter;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The columns of embeddings that are added to a schema: at most one of images and one of texts.</summary>
internal sealed class EmbeddingMapper : ScoringMapper
{
    private readonly EmbeddedColumn[] _columns;

    /// <param name="model">The model.</param>
    /// <param name="input">Schema of the input.</param>
    /// <param name="columns">The columns to add, all with the same prefix.</param>
    /// <param name="setting">The setting that names input columns, for messages.</param>
    /// <exception cref="ArgumentOutOfRangeException">An input column is missing or has the wrong type.</exception>
    public EmbeddingMapper(
        PrefixClipTransformer model, DataViewSchema input, EmbeddedColumn[] columns, string setting)
        : base(input, [.. columns.Select(column => Added(model, column))])
    {
        _columns = columns;
        Encoder = new EmbeddingEncoder(model.Trained, columns[0].Prefix);
        foreach (var column in columns)
            if (column.Content == EmbeddedContent.Image) ImageColumn = ColumnReader.RequireImage(input, column.Input, setting);
            else TextColumn = ColumnReader.RequireTextOrKey(input, column.Input, setting);
    }

    public override EmbeddingEncoder Encoder { get; }

    public override DataViewSchema.Column? ImageColumn { get; }

    public override DataViewSchema.Column? TextColumn { get; }

    public override void SaveAsOnnx(OnnxContext context, DataViewSchema rows)
    {
        var embedding = AddedColumn(0);   // the only one, as texts are refused
        var step = new OnnxStep(context, rows, embedding.Name);
        Encoder.Add(step, ImageColumn!.Value, embeddings =>
        {
            step.Give(embeddings, embedding);
            step.Write();
        });
    }

    public override bool NeedsImage(int added) => _columns[added].Content == EmbeddedContent.Image;

    public override bool NeedsText(int added) => _columns[added].Content == EmbeddedContent.Text;

    public override IEnumerable<DataViewSchema.Column> Dependencies(int added) =>
        [(NeedsImage(added) ? ImageColumn : TextColumn)!.Value];

    public override Delegate CreateGetter(int added, DataViewRow row, EncodedRow encoded, LabelCount? labels) => NeedsImage(added)
        ? (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) => Copy(encoded.ImageEmbedding, ref value))
        : (ref VBuffer<float> value) => Copy(encoded.TextEmbedding, ref value);

    private static void Copy(ReadOnlySpan<float> embedding, ref VBuffer<float> value)
    {
        var editor = VBufferEditor.Create(ref value, embedding.Length);
        embedding.CopyTo(editor.Values);
        value = editor.Commit();
    }

    private static DataViewSchema.DetachedColumn Added(PrefixClipTransformer model, EmbeddedColumn column)
    {
        var type = new VectorDataViewType(NumberDataViewType.Single, model.Architecture.EmbeddingSize);
        return column.Content == EmbeddedContent.Image
            ? new(column.Output, type, ModelAnnotation.Of(model)) : new(column.Output, type);
    }
}
