using System.Security.Cryptography;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The texts of a view and the images that they belong to. Rows with the same path, or the same bytes, have one image.</summary>
internal sealed class CaptionedImages
{
    /// <summary>[T] texts.</summary>
    public List<string> Texts { get; } = [];

    /// <summary>[T] indexes of the texts' images.</summary>
    public List<int> Owners { get; } = [];

    /// <summary>For each image the position of its first row, ascending.</summary>
    public List<long> Rows { get; } = [];

    /// <summary>Number of rows without a text.</summary>
    public long MissingTexts { get; private set; }

    /// <summary>Number of rows with a text and without an image.</summary>
    public long MissingImages { get; private set; }

    /// <summary>Number of all rows.</summary>
    public long RowCount { get; private set; }

    /// <summary>Reads all rows; images are not decoded.</summary>
    /// <exception cref="OperationCanceledException">The phase was canceled.</exception>
    public static CaptionedImages Read(IDataView view, DataViewSchema.Column image, DataViewSchema.Column text, LongPhase phase)
    {
        var all = new CaptionedImages();
        var indexes = new Dictionary<string, int>(StringComparer.Ordinal);
        using var cursor = view.GetRowCursor([image, text]);
        var imageGetter = ColumnReader.ImageGetter(cursor, image);
        var textGetter = ColumnReader.TextGetter(cursor, text);
        ReadOnlyMemory<char> caption = default;
        ImageReference reference = default;
        for (; cursor.MoveNext(); all.RowCount++)
        {
            phase.Advance(0);
            textGetter(ref caption);
            if (caption.Span.IsWhiteSpace())
            {
                all.MissingTexts++;
                continue;
            }
            imageGetter(ref reference);
            if (reference.IsMissing)
            {
                all.MissingImages++;
                continue;
            }
            if (indexes.TryAdd(NameOf(reference), indexes.Count)) all.Rows.Add(all.RowCount);
            all.Texts.Add(caption.ToString());
            all.Owners.Add(indexes[NameOf(reference)]);
        }
        return all;
    }

    private static string NameOf(ImageReference image) =>
        image.Locator ?? $"{image.Width} {image.Height} {Convert.ToHexString(SHA256.HashData(image.Encoded ?? image.Pixels!))}";
}
