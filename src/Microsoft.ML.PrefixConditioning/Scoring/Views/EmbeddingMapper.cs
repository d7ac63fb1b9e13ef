using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The columns that the transformer adds to a schema.</summary>
internal sealed class EmbeddingMapper : ScoringMapper
{
    private readonly string _textName;

    public EmbeddingMapper(PrefixClipTransformer transformer, DataViewSchema input)
        : base(input, Added(transformer, input))
    {
        var model = transformer.Trained;
        Encoder = new EmbeddingEncoder(model, prefix: null);
        ImageColumn = ColumnReader.RequireImage(input, model.Settings.ImageColumnName, "Columns.Image");
        _textName = model.Settings.TextColumnName;
    }

    public override EmbeddingEncoder Encoder { get; }

    public override DataViewSchema.Column ImageColumn { get; }

    public override DataViewSchema.Column? TextColumn => TextOf(InputSchema, _textName);

    public override string OnnxRefusal =>
        "mlContext.Model.ConvertToOnnx cannot export a PrefixClipTransformer. Export its towers with SaveImageEncoderAsOnnx and " +
        "SaveTextEncoderAsOnnx, or a zero-shot classifier with SaveAsOnnx, and run the file in a pipeline with ApplyOnnxModel.";

    public override bool NeedsImage(int added) => added == 0;

    public override bool NeedsText(int added) => added == 1;

    public override IEnumerable<DataViewSchema.Column> Dependencies(int added) => [added == 0 ? ImageColumn : TextColumn!.Value];

    public override Delegate CreateGetter(int added, DataViewRow row, EncodedRow encoded, LabelCount? labels) => added == 0
        ? (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) => Copy(encoded.ImageEmbedding, ref value))
        : (ref VBuffer<float> value) => Copy(encoded.TextEmbedding, ref value);

    private static void Copy(ReadOnlySpan<float> embedding, ref VBuffer<float> value)
    {
        var editor = VBufferEditor.Create(ref value, embedding.Length);
        embedding.CopyTo(editor.Values);
        value = editor.Commit();
    }

    private static DataViewSchema.Column? TextOf(DataViewSchema input, string name) =>
        input.GetColumnOrNull(name) is { Type: TextDataViewType } column ? column : null;

    private static List<DataViewSchema.DetachedColumn> Added(PrefixClipTransformer transformer, DataViewSchema input)
    {
        var settings = transformer.Trained.Settings;
        var type = new VectorDataViewType(NumberDataViewType.Single, settings.Architecture.EmbeddingSize);
        List<DataViewSchema.DetachedColumn> added = [new(settings.ImageEmbeddingColumnName, type, ModelAnnotation.Of(transformer))];
        if (TextOf(input, settings.TextColumnName) is not null) added.Add(new(settings.TextEmbeddingColumnName, type));
        return added;
    }
}
