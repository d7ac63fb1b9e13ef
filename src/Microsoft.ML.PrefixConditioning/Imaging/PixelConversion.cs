using System.Runtime.Intrinsics;
using Microsoft.ML.Data;
using SkiaSharp;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What the fourth byte of a pixel means.</summary>
internal enum AlphaMeaning
{
    /// <summary>Nothing: every pixel is opaque.</summary>
    Opaque,

    /// <summary>Opacity; the colors are as they were stored.</summary>
    Straight,

    /// <summary>Opacity; the colors are already multiplied by it.</summary>
    Premultiplied,
}

/// <summary>Converts four-byte pixels to <see cref="RgbImage"/>: channel order, transparency, orientation.</summary>
internal static class PixelConversion
{
    private const int SourceBytes = 4;

    /// <summary>Converts planes of one byte per pixel.</summary>
    /// <param name="planes">[channels, height, width].</param>
    /// <param name="width">Pixels per row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="channels">1 for gray; 3 for red, green and blue.</param>
    public static RgbImage FromPlanes(ReadOnlySpan<byte> planes, int width, int height, int channels)
    {
        var image = new RgbImage(width, height);
        var count = width * height;
        var pixels = image.Pixels;
        for (var channel = 0; channel < RgbImage.Channels; channel++)
        {
            var plane = planes.Slice(channels == 1 ? 0 : channel * count, count);
            for (var i = 0; i < count; i++) pixels[(i * RgbImage.Channels) + channel] = plane[i];
        }
        return image;
    }

    /// <summary>Converts pixels as a codec returns them: red, green, blue, alpha.</summary>
    /// <param name="pixels">[height, width, 4].</param>
    /// <param name="width">Stored pixels per row.</param>
    /// <param name="height">Stored rows.</param>
    /// <param name="alpha">Opaque or straight.</param>
    /// <param name="origin">Position of the first stored pixel (EXIF orientation); used in upright mode.</param>
    /// <param name="mode">Upright composites transparent pixels over white and rotates the image; the reference's way does neither.</param>
    /// <param name="picture">Size of the picture within the stored pixels, from the first one on; null if it fills them.</param>
    public static RgbImage FromDecoded(ReadOnlySpan<byte> pixels, int width, int height, AlphaMeaning alpha, SKEncodedOrigin origin,
        ImageDecoding mode, (double Width, double Height)? picture = null)
    {
        if (mode == ImageDecoding.OpenClip) (alpha, origin) = (AlphaMeaning.Opaque, SKEncodedOrigin.TopLeft);
        var turned = origin is SKEncodedOrigin.LeftTop or SKEncodedOrigin.RightTop
            or SKEncodedOrigin.RightBottom or SKEncodedOrigin.LeftBottom;
        // The orientation as steps through the stored pixels: where the first one is, and how far the next to the right and below are.
        var (right, bottom) = (width - 1, height - 1);
        var (first, stepX, stepY) = origin switch
        {
            SKEncodedOrigin.TopRight => (right, -1, width),                                 // 2: mirrored
            SKEncodedOrigin.BottomRight => ((bottom * width) + right, -1, -width),          // 3: upside down
            SKEncodedOrigin.BottomLeft => (bottom * width, 1, -width),                      // 4: mirrored, upside down
            SKEncodedOrigin.LeftTop => (0, width, 1),                                       // 5: rows and columns exchanged
            SKEncodedOrigin.RightTop => (bottom * width, -width, 1),                        // 6: to be turned clockwise
            SKEncodedOrigin.RightBottom => ((bottom * width) + right, -width, -1),          // 7: exchanged about the other diagonal
            SKEncodedOrigin.LeftBottom => (right, width, -1),                               // 8: to be turned counter-clockwise
            _ => (0, 1, width),
        };
        var (across, down) = picture ?? (width, height);
        var image = turned
            ? new RgbImage(height, width) { Horizontal = Covered(height, down, stepX), Vertical = Covered(width, across, stepY) }
            : new RgbImage(width, height) { Horizontal = Covered(width, across, stepX), Vertical = Covered(height, down, stepY) };
        if (origin is SKEncodedOrigin.TopLeft)
        {
            Pack(pixels, image.Pixels, alpha, swap: false);
            return image;
        }
        var destination = image.Pixels;
        for (var y = 0; y < image.Height; y++)
        {
            var from = first + (y * stepY);
            for (var x = 0; x < image.Width; x++, from += stepX)
            {
                var pixel = pixels.Slice(from * SourceBytes, SourceBytes);
                var opacity = alpha == AlphaMeaning.Opaque ? byte.MaxValue : pixel[3];
                destination[0] = OverWhite(pixel[0], opacity);
                destination[1] = OverWhite(pixel[1], opacity);
                destination[2] = OverWhite(pixel[2], opacity);
                destination = destination[RgbImage.Channels..];
            }
        }
        return image;
    }

    // A side whose steps go backwards ends with the first stored pixel, and so with the picture.
    private static Extent Covered(int pixels, double picture, int step) => new(step < 0 ? pixels - picture : 0, picture);

    /// <summary>Converts the pixels of an ML.NET image.</summary>
    /// <param name="pixels">[height, width, 4].</param>
    /// <param name="width">Pixels per row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="format">Order of the channels.</param>
    /// <param name="mode">Upright composites transparent pixels over white; the reference's way drops the alpha channel.</param>
    /// <remarks>
    /// <see cref="MLImage"/> decodes files to premultiplied colors, but its <c>CreateFromPixels</c> takes bytes unchanged. A color above
    /// its opacity cannot be premultiplied, so it reveals that the caller's pixels are straight.
    /// </remarks>
    public static RgbImage FromMLImage(ReadOnlySpan<byte> pixels, int width, int height, MLPixelFormat format, ImageDecoding mode)
    {
        var image = new RgbImage(width, height);
        var (alpha, swap) = (AlphaOf(pixels), format == MLPixelFormat.Bgra32);
        if (mode != ImageDecoding.OpenClip) Pack(pixels, image.Pixels, alpha, swap);
        else Pack(alpha == AlphaMeaning.Premultiplied ? Straighten(pixels) : pixels, image.Pixels, AlphaMeaning.Opaque, swap);
        return image;
    }

    /// <summary>Undoes the multiplication by the opacity.</summary>
    private static byte[] Straighten(ReadOnlySpan<byte> pixels)
    {
        var straight = pixels.ToArray();
        for (var at = 0; at < straight.Length; at++)
            if (pixels[at | 3] is > 0 and var opacity && at % SourceBytes != 3)
                straight[at] = (byte)(((pixels[at] * byte.MaxValue) + (opacity / 2)) / opacity);
        return straight;
    }

    private static AlphaMeaning AlphaOf(ReadOnlySpan<byte> pixels)
    {
        var opaque = true;
        for (; pixels.Length > 0; pixels = pixels[Math.Min(pixels.Length, Vector128<byte>.Count)..])
        {
            var four = Take(pixels);
            var opacity = OpacityOf(four);
            if (Vector128.GreaterThanAny(four, opacity)) return AlphaMeaning.Straight;
            opaque &= opacity == Vector128<byte>.AllBitsSet;
        }
        return opaque ? AlphaMeaning.Opaque : AlphaMeaning.Premultiplied;
    }

    /// <summary>Composites pixels over white and drops their fourth byte.</summary>
    /// <param name="pixels">[N, 4].</param>
    /// <param name="destination">[N, 3].</param>
    /// <param name="alpha">What the fourth byte means.</param>
    /// <param name="swap">Whether to swap the first and the third color.</param>
    private static void Pack(ReadOnlySpan<byte> pixels, Span<byte> destination, AlphaMeaning alpha, bool swap)
    {
        const int FourPixels = 4 * RgbImage.Channels;
        var keep = swap
            ? Vector128.Create((byte)2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, 255, 255, 255, 255)
            : Vector128.Create((byte)0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 255, 255, 255, 255);
        // Four pixels at a time; the last four bytes of each store are overwritten by the next one.
        for (; destination.Length >= Vector128<byte>.Count; destination = destination[FourPixels..])
        {
            Vector128.Shuffle(OverWhite(Take(pixels), alpha), keep).CopyTo(destination);
            pixels = pixels[Vector128<byte>.Count..];
        }
        Span<byte> last = stackalloc byte[Vector128<byte>.Count];
        while (destination.Length > 0)
        {
            Vector128.Shuffle(OverWhite(Take(pixels), alpha), keep).CopyTo(last);
            var length = Math.Min(destination.Length, FourPixels);
            last[..length].CopyTo(destination);
            destination = destination[length..];
            pixels = pixels[(length / RgbImage.Channels * SourceBytes)..];
        }
    }

    /// <summary>Four pixels; white ones behind the end.</summary>
    private static Vector128<byte> Take(ReadOnlySpan<byte> pixels) =>
        pixels.Length >= Vector128<byte>.Count ? Vector128.Create(pixels) : TakeLast(pixels);

    private static Vector128<byte> TakeLast(ReadOnlySpan<byte> pixels)
    {
        Span<byte> padded = stackalloc byte[Vector128<byte>.Count];
        padded.Fill(byte.MaxValue);
        pixels.CopyTo(padded);
        return Vector128.Create<byte>(padded);
    }

    private static Vector128<byte> OpacityOf(Vector128<byte> pixels) =>
        Vector128.Shuffle(pixels, Vector128.Create((byte)3, 3, 3, 3, 7, 7, 7, 7, 11, 11, 11, 11, 15, 15, 15, 15));

    private static Vector128<byte> OverWhite(Vector128<byte> pixels, AlphaMeaning alpha)
    {
        if (alpha == AlphaMeaning.Opaque) return pixels;
        var opacity = OpacityOf(pixels);
        if (alpha == AlphaMeaning.Premultiplied) return pixels + ~opacity;
        var (low, high) = Vector128.Widen(pixels);
        var (lowOpacity, highOpacity) = Vector128.Widen(opacity);
        return Vector128.Narrow(OverWhite(low, lowOpacity), OverWhite(high, highOpacity));
    }

    private static Vector128<ushort> OverWhite(Vector128<ushort> color, Vector128<ushort> opacity)
    {
        var most = Vector128.Create((ushort)byte.MaxValue);
        var sum = (color * opacity) + (most * (most - opacity)) + (most >> 1);
        return (sum + Vector128<ushort>.One + (sum >> 8)) >> 8;   // sum / 255, exact below 65,535
    }

    private static byte OverWhite(byte color, byte opacity) =>
        (byte)(((color * opacity) + (byte.MaxValue * (byte.MaxValue - opacity)) + (byte.MaxValue / 2)) / byte.MaxValue);
}
