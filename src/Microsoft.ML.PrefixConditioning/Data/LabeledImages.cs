namespace Microsoft.ML.PrefixConditioning;

/// <summary>Images with their class names, read from a view for evaluation.</summary>
/// <param name="Images">Every row's image.</param>
/// <param name="Labels">Every row's class name.</param>
internal sealed record LabeledImages(IReadOnlyList<ImageReference> Images, IReadOnlyList<string> Labels)
{
    /// <summary>Reads all rows; images are not decoded.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">There are no rows, or a row has no label.</exception>
    public static LabeledImages Read(IDataView view, ClipColumns columns)
    {
        var image = ColumnReader.RequireImage(view.Schema, columns.Image, "Columns.Image");
        var label = ColumnReader.RequireTextOrKey(view.Schema, columns.Label, "Columns.Label");
        var images = new List<ImageReference>();
        var labels = new List<string>();
        using var cursor = view.GetRowCursor([image, label]);
        var imageGetter = ColumnReader.ImageGetter(cursor, image);
        var labelGetter = ColumnReader.TextGetter(cursor, label);
        while (cursor.MoveNext())
        {
            ImageReference reference = default;
            ReadOnlyMemory<char> text = default;
            imageGetter(ref reference);
            labelGetter(ref text);
            if (text.Span.IsWhiteSpace())
                throw new InvalidDataException($"Row {labels.Count + 1}: the label in column '{columns.Label}' is empty; every image of " +
                    "a labeled set needs its class name.");
            images.Add(reference);
            labels.Add(text.ToString());
        }
        if (images.Count == 0)
            throw new InvalidDataException("The labeled set has no rows; pass a view with at least one image of each class.");
        return new LabeledImages(images, labels);
    }
}
