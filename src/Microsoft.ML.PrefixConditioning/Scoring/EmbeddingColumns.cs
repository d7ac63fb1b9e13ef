using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The columns that <see cref="PrefixClipTransformer"/> adds, as shapes for pipelines.</summary>
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
}
