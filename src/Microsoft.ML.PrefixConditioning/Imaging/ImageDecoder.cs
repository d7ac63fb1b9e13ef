using System.Buffers;
using System.Diagnostics;
using Microsoft.ML.Data;
using SkiaSharp;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Decodes the three forms of an image to RGB pixels. Thread-safe.</summary>
/// <remarks>
/// Color profiles are ignored, as in Pillow and so in the reference. 16-bit channels are reduced to 8 bits. The first frame of an animation
/// is used. A JPEG file with damaged but complete data is decoded, because libjpeg only warns about it; what Skia itself reports as
/// truncated or damaged is an error.
/// </remarks>
internal static class ImageDecoder
{
    /// <summary>Larger images are rejected before memory is allocated: a small file can claim any size.</summary>
    /// <remarks>Source: Pillow 9.4.0 fails above this number.</remarks>
    internal const long MaxPixels = 178_956_970;

    private const string Remedy = "Expected a complete PNG, JPEG, WebP, BMP or GIF image; replace it, or remove its row.";

    /// <summary>Reads and decodes an image.</summary>
    /// <param name="image">A locator, an encoded file, or raw pixels.</param>
    /// <param name="mode">Upright, or as in the reference.</param>
    /// <exception cref="InvalidDataException">The image is missing or unreadable, or is not a complete image of a known format.</exception>
    public static RgbImage Decode(ImageReference image, ImageDecoding mode)
    {
        if (image.Pixels is { } pixels) return FromPixels(image, pixels, mode);
        if (image.Encoded is null && image.IsMissing) throw Bad(image, "cannot be decoded: its row has no value in the image column", null);
        var bytes = image.Encoded ?? ReadFile(image);
        if (bytes.Length == 0) throw Bad(image, "is empty: it has 0 bytes", null);
        return DecodeFile(image, bytes, mode);
    }

    private static byte[] ReadFile(ImageReference image)
    {
        try
        {
            return ImageLocator.ReadAllBytes(image.Locator!);
        }
        catch (Exception e) when (
            e is IOException or UnauthorizedAccessException or InvalidDataException or ArgumentException or NotSupportedException)
        {
            throw Bad(image, $"cannot be read ({NearName.Visible(e.Message.TrimEnd('.'))})", e);
        }
    }

    private static RgbImage FromPixels(ImageReference image, byte[] pixels, ImageDecoding mode)
    {
        if (image.PixelFormat is not (MLPixelFormat.Rgba32 or MLPixelFormat.Bgra32))
            throw Bad(image, $"has the pixel format {image.PixelFormat}; "
                + $"{nameof(MLPixelFormat.Rgba32)} and {nameof(MLPixelFormat.Bgra32)} are known", null);
        Debug.Assert(pixels.Length == 4L * image.Width * image.Height);
        return PixelConversion.FromMLImage(pixels, image.Width, image.Height, image.PixelFormat, mode);
    }

    private static unsafe RgbImage DecodeFile(ImageReference image, byte[] bytes, ImageDecoding mode)
    {
        fixed (byte* start = bytes)
        {
            using var data = SKData.Create((nint)start, bytes.Length);
            using var codec = SKCodec.Create(data);
            // Skia knows more formats, but some of them by so weak a mark that any data can pass for an image.
            if (codec?.EncodedFormat is not (SKEncodedImageFormat.Png or SKEncodedImageFormat.Jpeg or SKEncodedImageFormat.Webp
                or SKEncodedImageFormat.Bmp or SKEncodedImageFormat.Gif))
                throw Bad(image, $"is not an image that can be decoded: it is {FoundContent.Describe(bytes)}", null);
            return DecodePixels(image, codec, bytes, mode);
        }
    }

    private static unsafe RgbImage DecodePixels(ImageReference image, SKCodec codec, byte[] bytes, ImageDecoding mode)
    {
        int width = codec.Info.Width, height = codec.Info.Height;
        if ((long)width * height > MaxPixels)
            throw Bad(image, $"claims to have {width} x {height} pixels in a file of {bytes.Length} bytes; "
                + $"at most {MaxPixels} pixels are decoded", null);
        var opaque = codec.Info.AlphaType == SKAlphaType.Opaque;
        // Without a color space Skia converts no colors; straight alpha keeps the colors of transparent pixels as they are stored.
        var info = new SKImageInfo(width, height, SKColorType.Rgba8888, opaque ? SKAlphaType.Opaque : SKAlphaType.Unpremul, null);
        var buffer = ArrayPool<byte>.Shared.Rent(info.BytesSize);
        try
        {
            SKCodecResult result;
            fixed (byte* pixels = buffer) result = codec.GetPixels(info, (nint)pixels);
            if (result != SKCodecResult.Success)
                throw Bad(image, DescribeFailure(result, codec, bytes.Length), null);
            return PixelConversion.FromDecoded(buffer.AsSpan(0, info.BytesSize), width, height,
                opaque ? AlphaMeaning.Opaque : AlphaMeaning.Straight, ExifOrientation.Read(bytes, codec.EncodedFormat), mode);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // Skia fills what it could not decode with one color and calls that a result; a model would learn from it.
    private static string DescribeFailure(SKCodecResult result, SKCodec codec, int fileBytes)
    {
        var (format, size) = (codec.EncodedFormat, codec.Info.Size);
        return result == SKCodecResult.IncompleteInput
            ? $"is truncated: its {fileBytes} bytes end before the {format} image of {size.Width} x {size.Height} pixels is complete"
            : $"is damaged: its {format} data of {fileBytes} bytes cannot be decoded ({result})";
    }

    private static InvalidDataException Bad(ImageReference image, string fault, Exception? cause)
    {
        var name = image.Name;
        var subject = image.Locator is { Length: > 0 } ? $"The image {name}" : $"{char.ToUpperInvariant(name[0])}{name[1..]}";
        return new InvalidDataException($"{subject} {fault}. {Remedy}", cause);
    }
}
