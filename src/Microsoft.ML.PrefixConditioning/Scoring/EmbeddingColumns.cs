using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The columns that <see cref="PrefixClipTransformer"/> adds, as shapes for pipelines and as values for rows.</summary>
internal static class EmbeddingColumns
{
    /// <summary>A pipeline's schema with the added columns; sizes are known only after training.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The image column is missing or has the wrong type.</exception>
    public static SchemaShape AddTo(SchemaShape input, PrefixClipOptions options)
    {
        ArgumentNullException.ThrowIfNull(input);
        var names = options.Columns;
        RequireImage(input, names.Image, "Columns.Image", embeddingsFit: false);
        var columns = input.ToDictionary(c => c.Name, StringComparer.Ordinal);
        columns[names.ImageEmbedding] = Embedding(names.ImageEmbedding, ModelAnnotation.Of(options.DatasetTypes));
        if (columns.TryGetValue(names.Text, out var column) && column.ItemType is TextDataViewType
            && column.Kind == SchemaShape.Column.VectorKind.Scalar)
            columns[names.TextEmbedding] = Embedding(names.TextEmbedding, annotations: null);
        return new SchemaShape(columns.Values);
    }

    /// <summary>Checks the image column of a pipeline's schema.</summary>
    /// <param name="input">The pipeline's schema.</param>
    /// <param name="image">Name of the column.</param>
    /// <param name="setting">The setting that names the column, for the message.</param>
    /// <param name="embeddingsFit">Whether the column may hold embeddings instead.</param>
    /// <exception cref="ArgumentOutOfRangeException">The image column is missing or has the wrong type.</exception>
    public static void RequireImage(SchemaShape input, string image, string setting, bool embeddingsFit)
    {
        if (!input.TryFindColumn(image, out var column))
            throw new ArgumentOutOfRangeException(nameof(input),
                $"There is no image column '{image}'; the pipeline has {string.Join(", ", input.Select(c => $"'{c.Name}'"))}. " +
                $"Set {setting} to the right column.");
        var fits = column.Kind switch
        {
            SchemaShape.Column.VectorKind.Scalar => !column.IsKey && ColumnReader.IsImageColumn(column.ItemType),
            SchemaShape.Column.VectorKind.Vector when embeddingsFit && column.ItemType == NumberDataViewType.Single => true,
            _ => !column.IsKey && column.ItemType == NumberDataViewType.Byte,
        };
        if (!fits)
            throw new ArgumentOutOfRangeException(nameof(input),
                $"Column '{image}' is {column.GetTypeString()}; an image column is text (a path), a vector of bytes (an encoded file) or " +
                $"an image{(embeddingsFit ? ", or an embedding from the model" : "")}. Set {setting} to the right column.");
    }

    private static SchemaShape.Column Embedding(string name, SchemaShape? annotations) =>
        new(name, SchemaShape.Column.VectorKind.Vector, NumberDataViewType.Single, isKey: false, annotations);

    /// <summary>The columns that the transformer adds to a schema.</summary>
    public sealed class Mapper : ScoringMapper
    {
        private readonly string _textName;

        public Mapper(PrefixClipTransformer transformer, DataViewSchema input)
            : base(input, Added(transformer, input))
        {
            var model = transformer.Model;
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
            var settings = transformer.Model.Settings;
            var type = new VectorDataViewType(NumberDataViewType.Single, settings.Architecture.EmbeddingSize);
            List<DataViewSchema.DetachedColumn> added = [new(settings.ImageEmbeddingColumnName, type, ModelAnnotation.Of(transformer))];
            if (TextOf(input, settings.TextColumnName) is not null) added.Add(new(settings.TextEmbeddingColumnName, type));
            return added;
        }
    }
}
