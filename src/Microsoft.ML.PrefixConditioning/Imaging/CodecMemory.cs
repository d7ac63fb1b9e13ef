using SkiaSharp;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What a format needs to decode a pixel, and how few bytes can hold one.</summary>
internal static class CodecMemory
{
    private const int Deflate = 1032;   // bytes that a compressed byte gives at most

    /// <summary>Bytes per pixel that the decoder takes besides the pixels that it writes.</summary>
    public static int PerPixel(SKEncodedImageFormat format, ReadOnlySpan<byte> file) => format switch
    {
        SKEncodedImageFormat.Jpeg => JpegCoefficients(file),
        SKEncodedImageFormat.Png when file.Length > 28 && file[28] == 1 => 2 * SourceBytes(file[24]),   // interlaced: all passes at once
        SKEncodedImageFormat.Webp => 4,
        SKEncodedImageFormat.Gif => 4,
        _ => 0,
    };

    /// <summary>Pixels that a byte of the file can hold at most: of one color, in the shortest code.</summary>
    /// <remarks>Without such a limit, data that end at once would be an image of one color. PNG, BMP and WebP report that end.</remarks>
    public static long MostPixelsPerByte(SKEncodedImageFormat format) => format switch
    {
        SKEncodedImageFormat.Jpeg => 8 * 8 * 8,          // a bit per block of 8 x 8
        SKEncodedImageFormat.Gif => 4096 * 8 / 12,       // a code of 12 bits per longest string of the table
        SKEncodedImageFormat.Png => 8 * Deflate,         // a bit per pixel
        _ => long.MaxValue,
    };

    private static int SourceBytes(byte depth) => depth == 16 ? 4 : 2;

    /// <summary>A progressive JPEG file keeps the coefficients of the whole image, two bytes each.</summary>
    private static int JpegCoefficients(ReadOnlySpan<byte> file)
    {
        const int CoefficientBytes = 2;
        for (var segments = new JpegSegments(file); segments.MoveNext() && segments.Marker is not (0xC0 or 0xC1);)
            if (segments.Marker is 0xC2 or 0xC6 or 0xCA or 0xCE && segments.Content.Length >= 6)
                return CoefficientBytes * segments.Content[5];   // a frame, its components
        return 0;
    }
}
