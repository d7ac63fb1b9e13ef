using System.Runtime.InteropServices;
using System.Xml.Linq;
using SkiaSharp;
using static Microsoft.ML.PrefixConditioning.Markup;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Small pictures of some of a view's rows, as parts of a page.</summary>
internal sealed class Thumbnails
{
    /// <summary>Longest side, in pixels.</summary>
    public const int Side = 96;

    private const int Quality = 80;

    private readonly Dictionary<long, byte[]?> _files = [];   // JPEG; null where the image is unreadable

    private Thumbnails()
    {
    }

    /// <summary>Reads some rows of a view.</summary>
    /// <param name="data">The view.</param>
    /// <param name="column">Its image column; in a column of embeddings there are no pictures.</param>
    /// <param name="rowNumbers">Numbers of rows, from 1.</param>
    public static Thumbnails Read(IDataView data, string column, IEnumerable<long> rowNumbers)
    {
        var thumbnails = new Thumbnails();
        var wanted = rowNumbers.ToHashSet();
        var images = data.Schema[column];
        if (wanted.Count == 0 || !ColumnReader.IsImageColumn(images.Type)) return thumbnails;
        using var cursor = data.GetRowCursor([images]);
        var getter = ColumnReader.ImageGetter(cursor, images);
        ImageReference image = default;
        for (var row = 1L; thumbnails._files.Count < wanted.Count && cursor.MoveNext(); row++)
        {
            if (!wanted.Contains(row)) continue;
            getter(ref image);
            thumbnails._files[row] = Encode(image);
        }
        return thumbnails;
    }

    /// <summary>The picture of a row; null if the view has no pictures.</summary>
    /// <param name="row">One of the rows that were read.</param>
    /// <param name="alternative">What it shows, for those who do not see it.</param>
    public XElement? Picture(long row, string alternative)
    {
        if (!_files.TryGetValue(row, out var file)) return null;
        return file is null ? new XElement("div", Class("lost"), "no picture: the image cannot be read")
            : new XElement("img", new XAttribute("width", Side), new XAttribute("height", Side), new XAttribute("alt", alternative),
                new XAttribute("src", $"data:image/jpeg;base64,{Convert.ToBase64String(file)}"));
    }

    /// <summary>A JPEG file of at most 96 x 96 pixels; null if the image is unreadable.</summary>
    public static byte[]? Encode(ImageReference image)
    {
        RgbImage decoded;
        try
        {
            decoded = ImageDecoder.Decode(image, ImageDecoding.Scaled, Side);
        }
        catch (Exception e) when (ImageDecoder.IsUnreadable(e))
        {
            return null;
        }
        using var full = new SKBitmap(new SKImageInfo(decoded.Width, decoded.Height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        var pixels = new byte[decoded.Width * decoded.Height * 4];
        Array.Fill(pixels, byte.MaxValue);   // opaque
        for (var i = 0; i < decoded.Width * decoded.Height; i++)
            decoded.Pixels.Slice(i * RgbImage.Channels, RgbImage.Channels).CopyTo(pixels.AsSpan(4 * i));
        Marshal.Copy(pixels, 0, full.GetPixels(), pixels.Length);
        // A small drawing keeps its pixels; the browser enlarges it.
        var scale = Math.Min(1, Side / (double)Math.Max(full.Width, full.Height));
        using var small = scale == 1 ? null : full.Resize(new SKImageInfo(
            Math.Max(1, (int)(full.Width * scale)), Math.Max(1, (int)(full.Height * scale)), full.ColorType, SKAlphaType.Opaque),
            SKFilterQuality.High);
        using var file = (small ?? full).Encode(SKEncodedImageFormat.Jpeg, Quality);
        return file.ToArray();
    }
}
