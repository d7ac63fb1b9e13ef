using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Says what kind of data bytes are that are not a readable image, for error messages.</summary>
/// <remarks>It never quotes them: a row can name any file, also one with a secret.</remarks>
internal static class FoundContent
{
    // First bytes of kinds of file that are often taken for images. Sources: the formats' specifications.
    private static readonly (int Offset, byte[] Magic, string Kind)[] Kinds =
    [
        (0, [0x89, .. "PNG"u8], "a PNG image with a damaged or incomplete header"),
        (0, [0xFF, 0xD8, 0xFF], "a JPEG image with a damaged or incomplete header"),
        (0, [.. "GIF8"u8], "a GIF image with a damaged or incomplete header"),
        (8, [.. "WEBP"u8], "a WebP image with a damaged or incomplete header"),
        (0, [.. "BM"u8], "a BMP image with a damaged or incomplete header"),
        (0, [.. "II*\0"u8], "a TIFF image (or a camera's raw file)"),
        (0, [.. "MM\0*"u8], "a TIFF image (or a camera's raw file)"),
        (4, [.. "ftypavi"u8], "an AVIF image"),
        (4, [.. "ftyphe"u8], "a HEIC image"),
        (4, [.. "ftypmif1"u8], "a HEIF image"),
        (4, [.. "ftyp"u8], "a video or another MP4-like file"),
        (4, [.. "JXL "u8], "a JPEG XL image"),
        (0, [0xFF, 0x0A], "a JPEG XL image"),
        (4, [.. "jP  "u8], "a JPEG 2000 image"),
        (0, [0xFF, 0x4F, 0xFF, 0x51], "a JPEG 2000 image"),
        (0, [.. "8BPS"u8], "a Photoshop file"),
        (0, [0, 0, 1, 0], "an icon (ICO)"),
        (0, [.. "%PDF"u8], "a PDF document"),
        (0, [.. "%!PS"u8], "a PostScript file"),
        (0, [.. "PK\u0003\u0004"u8], "a ZIP archive"),
        (0, [0x1F, 0x8B], "gzip-compressed data"),
    ];

    /// <summary>A phrase such as "a TIFF image" that completes "it is ...".</summary>
    /// <param name="bytes">At least one byte, from the start.</param>
    public static string Describe(ReadOnlySpan<byte> bytes)
    {
        foreach (var (offset, magic, kind) in Kinds)
            if (bytes.Length >= offset + magic.Length && bytes.Slice(offset, magic.Length).SequenceEqual(magic)) return kind;
        if (TextOf(bytes) is { } text) return DescribeText(text);
        if (!bytes.ContainsAnyExcept((byte)0)) return "nothing but zero bytes";
        return "data of no known image format";
    }

    private static string DescribeText(string text)
    {
        var start = text.AsSpan().TrimStart('\uFEFF').TrimStart();
        if (start.Contains("<svg", StringComparison.OrdinalIgnoreCase)) return "an SVG drawing, which is text";
        if (start.StartsWith("<!doctype html", StringComparison.OrdinalIgnoreCase)
            || start.StartsWith("<html", StringComparison.OrdinalIgnoreCase))
            return "an HTML page, perhaps the error page of a download";
        if (start.StartsWith("version https://git-lfs", StringComparison.Ordinal))
            return "a Git LFS pointer; the image itself was not checked out";
        return "text";
    }

    // The first bytes as text, or null if they hold control characters or are no UTF-8.
    private static string? TextOf(ReadOnlySpan<byte> bytes)
    {
        const int Looked = 512;
        var head = bytes[..Math.Min(Looked, bytes.Length)];
        foreach (var value in head)
            if (value < ' ' && value is not ((byte)'\t' or (byte)'\n' or (byte)'\r' or (byte)'\f')) return null;
        var text = Encoding.UTF8.GetString(head);
        // A character that the end of the looked-at bytes cuts is no sign of binary data.
        return text.AsSpan(0, Math.Max(0, text.Length - 1)).Contains('\uFFFD') ? null : text;
    }
}
