using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The columns of embeddings that transformers add, as shapes for pipelines.</summary>
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
        columns[names.ImageEmbedding] = Embedding(names.ImageEmbedding, ModelAnnotation.ShapeOf(options.DatasetTypes));
        if (columns.TryGetValue(names.Text, out var column) && column.ItemType is TextDataViewType
            && column.Kind == SchemaShape.Column.VectorKind.Scalar)
            columns[names.TextEmbedding] = Embedding(names.TextEmbedding, annotations: null);
        return new SchemaShape(columns.Values);
    }

    /// <summary>A pipeline's schema with one column of embeddings.</summary>
    /// <param name="input">The pipeline's schema.</param>
    /// <param name="added">The added column.</param>
    /// <param name="model">The annotation of the model's columns of image embeddings.</param>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing or has the wrong type.</exception>
    public static SchemaShape AddTo(SchemaShape input, EmbeddedColumn added, SchemaShape model)
    {
        var isImage = added.Content == EmbeddedContent.Image;
        if (isImage) RequireImage(input, added.Input, "inputColumnName", embeddingsFit: false);
        else RequireText(input, added.Input, "inputColumnName");
        var columns = input.ToDictionary(c => c.Name, StringComparer.Ordinal);
        columns[added.Output] = Embedding(added.Output, isImage ? model : null);
        return new SchemaShape(columns.Values);
    }

    private static void RequireText(SchemaShape input, string text, string setting)
    {
        var column = Require(input, text, "text", setting);
        if (column.Kind == SchemaShape.Column.VectorKind.Scalar && (column.IsKey || column.ItemType is TextDataViewType)) return;
        throw new ArgumentOutOfRangeException(nameof(input),
            $"Column '{text}' is {column.GetTypeString()}; a text column is text, or key with text key values. Set {setting} to " +
            "the right column.");
    }

    private static SchemaShape.Column Require(SchemaShape input, string name, string kind, string setting) =>
        input.TryFindColumn(name, out var column) ? column : throw new ArgumentOutOfRangeException(nameof(input),
            $"There is no {kind} column '{name}'; the pipeline has {string.Join(", ", input.Select(c => $"'{c.Name}'"))}. " +
            $"Set {setting} to the right column.");

    /// <summary>Checks the image column of a pipeline's schema.</summary>
    /// <param name="input">The pipeline's schema.</param>
    /// <param name="image">Name of the column.</param>
    /// <param name="setting">The setting that names the column, for the message.</param>
    /// <param name="embeddingsFit">Whether the column may hold embeddings instead.</param>
    /// <exception cref="ArgumentOutOfRangeException">The image column is missing or has the wrong type.</exception>
    public static void RequireImage(SchemaShape input, string image, string setting, bool embeddingsFit)
    {
        var column = Require(input, image, "image", setting);
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
