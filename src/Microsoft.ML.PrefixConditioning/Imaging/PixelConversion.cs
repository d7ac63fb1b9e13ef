using System.Runtime.InteropServices;
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
        if (origin is SKEncodedOrigin.TopLeft && alpha == AlphaMeaning.Opaque)
        {
            DropAlpha(pixels, image.Pixels, swap: false);
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
        if (IsOpaque(pixels))   // whatever the colors mean, they stay as they are
        {
            DropAlpha(pixels, image.Pixels, format == MLPixelFormat.Bgra32);
            return image;
        }
        var destination = image.Pixels;
        var (red, blue) = format == MLPixelFormat.Bgra32 ? (2, 0) : (0, 2);
        var alpha = AlphaOf(pixels);
        for (var at = 0; at < pixels.Length; at += SourceBytes)
        {
            var pixel = pixels.Slice(at, SourceBytes);
            destination[0] = Convert(pixel[red], pixel[3], alpha, mode);
            destination[1] = Convert(pixel[1], pixel[3], alpha, mode);
            destination[2] = Convert(pixel[blue], pixel[3], alpha, mode);
            destination = destination[RgbImage.Channels..];
        }
        return image;
    }

    private static byte Convert(byte color, byte opacity, AlphaMeaning alpha, ImageDecoding mode) => (alpha, mode) switch
    {
        (AlphaMeaning.Straight, not ImageDecoding.OpenClip) => OverWhite(color, opacity),
        (AlphaMeaning.Premultiplied, not ImageDecoding.OpenClip) => (byte)(color + byte.MaxValue - opacity),
        (AlphaMeaning.Premultiplied, _) when opacity > 0 => (byte)(((color * byte.MaxValue) + (opacity / 2)) / opacity),
        _ => color,
    };

    private static bool IsOpaque(ReadOnlySpan<byte> pixels)
    {
        var opacity = BitConverter.IsLittleEndian ? 0xFF000000 : 0x000000FF;
        foreach (var pixel in MemoryMarshal.Cast<byte, uint>(pixels))
            if ((pixel & opacity) != opacity) return false;
        return true;
    }

    private static AlphaMeaning AlphaOf(ReadOnlySpan<byte> pixels)
    {
        for (var at = 0; at < pixels.Length; at += SourceBytes)
        {
            var pixel = pixels.Slice(at, SourceBytes);
            if (pixel[0] > pixel[3] || pixel[1] > pixel[3] || pixel[2] > pixel[3]) return AlphaMeaning.Straight;
        }
        return AlphaMeaning.Premultiplied;
    }

    private static byte OverWhite(byte color, byte opacity) =>
        (byte)(((color * opacity) + (byte.MaxValue * (byte.MaxValue - opacity)) + (byte.MaxValue / 2)) / byte.MaxValue);

    /// <param name="pixels">[N, 4].</param>
    /// <param name="destination">[N, 3].</param>
    /// <param name="swap">Whether to swap the first and the third color.</param>
    private static void DropAlpha(ReadOnlySpan<byte> pixels, Span<byte> destination, bool swap)
    {
        var at = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            var keep = swap
                ? Vector128.Create((byte)2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, 255, 255, 255, 255)
                : Vector128.Create((byte)0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 255, 255, 255, 255);
            // Four pixels at a time; the last four bytes of each store are overwritten by the next one.
            while (destination.Length >= Vector128<byte>.Count)
            {
                Vector128.Shuffle(Vector128.Create(pixels.Slice(at, Vector128<byte>.Count)), keep).CopyTo(destination);
                destination = destination[(4 * RgbImage.Channels)..];
                at += 4 * SourceBytes;
            }
        }
        for (; destination.Length > 0; destination = destination[RgbImage.Channels..], at += SourceBytes)
            (destination[0], destination[1], destination[2]) = swap
                ? (pixels[at + 2], pixels[at + 1], pixels[at]) : (pixels[at], pixels[at + 1], pixels[at + 2]);
    }
}
