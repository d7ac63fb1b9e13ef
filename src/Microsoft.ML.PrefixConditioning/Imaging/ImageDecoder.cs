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

    // With as many pixels as are wanted, features of a ResNet-18 have cosines down to 0.995 with those of the full decode; with twice as
    // many, down to 0.9997, and a large JPEG still decodes three times as fast.
    private const int ScaledPixelsPerPixel = 2;

    private const int FullScale = 8;   // libjpeg scales by eighths, and rounds sides up

    private const string Remedy = "Expected a complete PNG, JPEG, WebP, BMP or GIF image; replace it, or remove its row.";

    /// <summary>Reads and decodes an image.</summary>
    /// <param name="image">A locator, an encoded file, or raw pixels.</param>
    /// <param name="mode">Upright, in full or scaled, or as in the reference.</param>
    /// <param name="shortSide">Pixels that the short side is resized to at most; a scaled decode keeps at least twice as many.</param>
    /// <exception cref="InvalidDataException">The image is missing or unreadable, or is not a complete image of a known format.</exception>
    public static RgbImage Decode(ImageReference image, ImageDecoding mode, int shortSide = int.MaxValue)
    {
        if (image.Pixels is { } pixels) return FromPixels(image, pixels, mode);
        if (image.Encoded is null && image.IsMissing) throw Bad(image, "cannot be decoded: its row has no value in the image column", null);
        var bytes = image.Encoded ?? ReadFile(image);
        if (image.Locator is { } locator && ImageSlice.TryParse(locator, out var slice) && slice.Channels > 0)
            return (long)slice.Width * slice.Height <= MaxPixels
                ? PixelConversion.FromPlanes(bytes, slice.Width, slice.Height, slice.Channels)
                : throw Bad(image, $"claims more than {MaxPixels} pixels", null);
        if (bytes.Length == 0) throw Bad(image, "is empty: it has 0 bytes", null);
        return DecodeFile(image, bytes, mode, shortSide);
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

    private static unsafe RgbImage DecodeFile(ImageReference image, byte[] bytes, ImageDecoding mode, int shortSide)
    {
        fixed (byte* start = bytes)
        {
            using var data = SKData.Create((nint)start, bytes.Length);
            using var codec = SKCodec.Create(data);
            // Skia knows more formats, but some of them by so weak a mark that any data can pass for an image.
            if (codec?.EncodedFormat is not (SKEncodedImageFormat.Png or SKEncodedImageFormat.Jpeg or SKEncodedImageFormat.Webp
                or SKEncodedImageFormat.Bmp or SKEncodedImageFormat.Gif))
                throw Bad(image, $"is not an image that can be decoded: it is {FoundContent.Describe(bytes)}", null);
            return DecodePixels(image, codec, bytes, mode, shortSide);
        }
    }

    private static unsafe RgbImage DecodePixels(ImageReference image, SKCodec codec, byte[] bytes, ImageDecoding mode, int shortSide)
    {
        var (full, scale) = (codec.Info.Size, FullScale);
        if ((long)full.Width * full.Height > MaxPixels)
            throw Bad(image, $"claims to have {full.Width} x {full.Height} pixels in a file of {bytes.Length} bytes; "
                + $"at most {MaxPixels} pixels are decoded", null);
        if (mode == ImageDecoding.Scaled && codec.EncodedFormat == SKEncodedImageFormat.Jpeg) scale = SmallestScale(full, shortSide);
        var size = codec.GetScaledDimensions(scale / (float)FullScale);
        var opaque = codec.Info.AlphaType == SKAlphaType.Opaque;
        // Without a color space Skia converts no colors; straight alpha keeps the colors of transparent pixels as they are stored.
        var info = new SKImageInfo(size.Width, size.Height, SKColorType.Rgba8888, opaque ? SKAlphaType.Opaque : SKAlphaType.Unpremul, null);
        var buffer = ArrayPool<byte>.Shared.Rent(info.BytesSize);
        try
        {
            SKCodecResult result;
            fixed (byte* pixels = buffer) result = codec.GetPixels(info, (nint)pixels);
            if (result != SKCodecResult.Success)
                throw Bad(image, DescribeFailure(result, codec, bytes.Length), null);
            return PixelConversion.FromDecoded(buffer.AsSpan(0, info.BytesSize), size.Width, size.Height,
                opaque ? AlphaMeaning.Opaque : AlphaMeaning.Straight, ExifOrientation.Read(bytes, codec.EncodedFormat), mode,
                (full.Width * scale / (double)FullScale, full.Height * scale / (double)FullScale));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The smallest scale that keeps enough pixels, or else the full one.</summary>
    private static int SmallestScale(SKSizeI full, int shortSide)
    {
        var wanted = (long)shortSide * ScaledPixelsPerPixel * FullScale;
        return (int)Math.Clamp(Math.Ceiling(wanted / (double)Math.Min(full.Width, full.Height)), 1, FullScale);
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
