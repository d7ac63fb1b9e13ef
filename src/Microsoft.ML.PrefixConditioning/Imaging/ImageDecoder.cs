using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.Data;
using SkiaSharp;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Decodes the three forms of an image to RGB pixels. Thread-safe.</summary>
/// <remarks>
/// Color profiles are ignored, as in Pillow and so in the reference. 16-bit channels are reduced to 8 bits. The first frame of an animation
/// is used. A JPEG file with damaged data is decoded, because libjpeg only warns about it; what Skia itself reports as truncated or damaged
/// is an error, and so are a JPEG file whose data end too early behind an end mark, and a file with fewer bytes than its format needs for
/// that many pixels.
/// </remarks>
internal static class ImageDecoder
{
    /// <summary>Name of the runtime setting that changes <see cref="MaxPixels"/>.</summary>
    internal const string MaxPixelsSetting = "Microsoft.ML.PrefixConditioning.MaxImagePixels";

    private const long DefaultMaxPixels = 64_000_000;   // more than a camera's 61 megapixels
    private const long DefaultMaxMemory = 450L << 20;

    /// <summary>Larger images are rejected before memory is allocated: a small file can claim any size.</summary>
    /// <exception cref="InvalidOperationException">The runtime setting is no positive whole number.</exception>
    internal static long MaxPixels => AppContext.GetData(MaxPixelsSetting) is not { } set ? DefaultMaxPixels
        : long.TryParse($"{set}", CultureInfo.InvariantCulture, out var pixels) && pixels > 0 ? pixels
        : throw new InvalidOperationException($"The runtime setting {MaxPixelsSetting} is '{set}'; a positive whole number is expected.");

    /// <summary>The most bytes that an image may take while it is decoded, with its file.</summary>
    internal static long MaxMemory => (long)(DefaultMaxMemory * Math.Max(1, MaxPixels / (double)DefaultMaxPixels));

    private const int SourceBytes = 4;               // a pixel as Skia writes it
    private const int LargestPooled = 16 << 20;      // a pool would keep larger buffers for good

    // With as many pixels as are wanted, features of a ResNet-18 have cosines down to 0.995 with those of the full decode; with twice as
    // many, down to 0.9997, and a large JPEG still decodes three times as fast.
    private const int ScaledPixelsPerPixel = 2;

    private const int FullScale = 8;   // libjpeg scales by eighths, and rounds sides up

    private const string Remedy = "Expected a complete PNG, JPEG, WebP, BMP or GIF image; replace it, or remove its row.";

    /// <summary>Reads and decodes an image.</summary>
    /// <param name="image">A locator, an encoded file, or raw pixels.</param>
    /// <param name="mode">Upright, in full or scaled, or as in the reference.</param>
    /// <param name="shortSide">Pixels that the short side is resized to at most; a scaled decode keeps at least twice as many.</param>
    /// <param name="memory">Counts what the image takes, and afterwards its pixels; null if it is done with at once.</param>
    /// <exception cref="InvalidDataException">The image is missing, unreadable or too large, or is not a complete image of a known
    /// format; or there is not enough memory for it.</exception>
    public static RgbImage Decode(ImageReference image, ImageDecoding mode, int shortSide = int.MaxValue, MemoryShare? memory = null)
    {
        using var own = memory is null ? new MemoryShare() : null;
        memory ??= own!;
        try
        {
            var decoded = DecodeAny(image, mode, shortSide, memory);
            memory.Keep(decoded.ByteSize);
            return decoded;
        }
        catch (OutOfMemoryException e)
        {
            throw Bad(image, "takes more memory than there is", e);
        }
    }

    /// <summary>Loads Skia's native library, which looks through the system's fonts at first.</summary>
    public static void LoadLibrary() => SKData.Empty.ToString();

    /// <summary>Whether an exception says that an image cannot be read, so that the policy for bad rows decides.</summary>
    public static bool IsUnreadable(Exception fault) => fault is InvalidDataException or IOException or UnauthorizedAccessException;

    private static RgbImage DecodeAny(ImageReference image, ImageDecoding mode, int shortSide, MemoryShare memory)
    {
        if (image.Pixels is { } pixels) return FromPixels(image, pixels, mode);
        if (image.Encoded is null && image.IsMissing) throw Bad(image, "cannot be decoded: its row has no value in the image column", null);
        var bytes = image.Encoded ?? ReadFile(image, memory);
        if (image.Locator is { } locator && ImageSlice.TryParse(locator, out var slice) && slice.Channels > 0)
        {
            Claim(image, memory, bytes.Length, new(slice.Width, slice.Height), (long)slice.Width * slice.Height * RgbImage.Channels);
            return PixelConversion.FromPlanes(bytes, slice.Width, slice.Height, slice.Channels);
        }
        if (bytes.Length == 0) throw Bad(image, "is empty: it has 0 bytes", null);
        return DecodeFile(image, bytes, mode, shortSide, memory);
    }

    private static byte[] ReadFile(ImageReference image, MemoryShare memory)
    {
        try
        {
            return ImageLocator.ReadAllBytes(image.Locator!, memory);
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

    private static RgbImage DecodeFile(ImageReference image, byte[] bytes, ImageDecoding mode, int shortSide, MemoryShare memory)
    {
        var length = bytes.Length <= LargestPooled ? JpegEnd.Find(bytes) : -1;
        if (length < 0) return DecodeFile(image, bytes, bytes, bytes.Length, mode, shortSide, memory);
        var unmarked = ArrayPool<byte>.Shared.Rent(length + JpegEnd.Padding);
        try
        {
            bytes.AsSpan(0, length).CopyTo(unmarked);
            unmarked.AsSpan(length, JpegEnd.Padding).Clear();
            return DecodeFile(image, bytes, unmarked, length + JpegEnd.Padding, mode, shortSide, memory);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(unmarked);
        }
    }

    /// <param name="image">Names the image in messages.</param>
    /// <param name="bytes">The file.</param>
    /// <param name="input">What is decoded: the file, or its data without an end mark.</param>
    /// <param name="length">Bytes of <paramref name="input"/>.</param>
    /// <param name="mode">As above.</param>
    /// <param name="shortSide">As above.</param>
    /// <param name="memory">As above.</param>
    private static unsafe RgbImage DecodeFile(
        ImageReference image, byte[] bytes, byte[] input, int length, ImageDecoding mode, int shortSide, MemoryShare memory)
    {
        fixed (byte* start = input)
        {
            using var data = SKData.Create((nint)start, length);
            using var codec = SKCodec.Create(data);
            // Skia knows more formats, but some of them by so weak a mark that any data can pass for an image.
            if (codec?.EncodedFormat is not (SKEncodedImageFormat.Png or SKEncodedImageFormat.Jpeg or SKEncodedImageFormat.Webp
                or SKEncodedImageFormat.Bmp or SKEncodedImageFormat.Gif))
                throw Bad(image, $"is not an image that can be decoded: it is {FoundContent.Describe(bytes)}", null);
            return DecodePixels(image, codec, bytes, mode, shortSide, memory);
        }
    }

    private static unsafe RgbImage DecodePixels(ImageReference image, SKCodec codec, byte[] bytes, ImageDecoding mode, int shortSide,
        MemoryShare memory)
    {
        var (full, scale) = (codec.Info.Size, FullScale);
        if (mode == ImageDecoding.Scaled && codec.EncodedFormat == SKEncodedImageFormat.Jpeg) scale = SmallestScale(full, shortSide);
        var size = codec.GetScaledDimensions(scale / (float)FullScale);
        Claim(image, memory, bytes.Length, full, ((long)size.Width * size.Height * (SourceBytes + RgbImage.Channels))
            + ((long)full.Width * full.Height * CodecMemory.PerPixel(codec.EncodedFormat, bytes)));
        if ((long)full.Width * full.Height / CodecMemory.MostPixelsPerByte(codec.EncodedFormat) > bytes.Length
            || (codec.EncodedFormat == SKEncodedImageFormat.Jpeg && JpegEnd.IsFirstScanCut(bytes)))
            throw Bad(image, DescribeFailure(SKCodecResult.IncompleteInput, codec, bytes.Length), null);
        var opaque = codec.Info.AlphaType == SKAlphaType.Opaque;
        // Without a color space Skia converts no colors; straight alpha keeps the colors of transparent pixels as they are stored.
        var info = new SKImageInfo(size.Width, size.Height, SKColorType.Rgba8888, opaque ? SKAlphaType.Opaque : SKAlphaType.Unpremul, null);
        var pooled = info.BytesSize <= LargestPooled ? ArrayPool<byte>.Shared.Rent(info.BytesSize) : [];
        var large = pooled.Length == 0 ? NativeMemory.Alloc((nuint)info.BytesSize) : null;
        try
        {
            fixed (byte* small = pooled)
            {
                var pixels = large is null ? small : (byte*)large;
                var result = codec.GetPixels(info, (nint)pixels);
                if (result != SKCodecResult.Success) throw Bad(image, DescribeFailure(result, codec, bytes.Length), null);
                return PixelConversion.FromDecoded(new ReadOnlySpan<byte>(pixels, info.BytesSize), size.Width, size.Height,
                    opaque ? AlphaMeaning.Opaque : AlphaMeaning.Straight, ExifOrientation.Read(bytes, codec.EncodedFormat), mode,
                    (full.Width * scale / (double)FullScale, full.Height * scale / (double)FullScale));
            }
        }
        finally
        {
            NativeMemory.Free(large);
            if (pooled.Length > 0) ArrayPool<byte>.Shared.Return(pooled);
        }
    }

    /// <summary>Checks an image against the limits and takes the memory to decode it.</summary>
    private static void Claim(ImageReference image, MemoryShare memory, int fileBytes, SKSizeI size, long bytes)
    {
        var (maxPixels, maxMemory) = (MaxPixels, MaxMemory);
        if ((long)size.Width * size.Height > maxPixels)
            throw Bad(image, $"claims to have {size.Width} x {size.Height} pixels in a file of {fileBytes} bytes; "
                + $"at most {maxPixels} pixels are decoded", null);
        if (fileBytes + bytes > maxMemory)
            throw Bad(image, $"claims to have {size.Width} x {size.Height} pixels, which with its file take {fileBytes + bytes} bytes to "
                + $"decode; at most {maxMemory} are allowed", null);
        memory.Take(bytes);
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
