using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using SkiaSharp;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Image files byte by byte, for the kinds that SkiaSharp does not write.</summary>
internal static class HandMadeImages
{
    internal enum PngLayout
    {
        RowByRow,
        Interlaced,
    }

    // PNG specification, table 4 of section 8.2: the seven passes.
    private static readonly (int X, int Y, int StepX, int StepY)[] Adam7 =
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

    /// <summary>A PNG file of any colour type and depth.</summary>
    /// <param name="width">Pixels per row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="depth">Bits per sample: 1, 2, 4, 8 or 16.</param>
    /// <param name="colorType">0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.</param>
    /// <param name="samples">The samples of the pixel at x, y.</param>
    /// <param name="layout">Interlaced or not.</param>
    /// <param name="chunks">Chunks between header and data, such as PLTE.</param>
    public static byte[] Png(int width, int height, int depth, int colorType, Func<int, int, int[]> samples,
        PngLayout layout = PngLayout.RowByRow, params (string Name, byte[] Data)[] chunks)
    {
        var raw = new MemoryStream();
        foreach (var (left, top, stepX, stepY) in layout == PngLayout.Interlaced ? Adam7 : [(0, 0, 1, 1)])
            for (var y = top; y < height && left < width; y += stepY)
            {
                raw.WriteByte(0);   // no filter
                int held = 0, bits = 0;
                for (var x = left; x < width; x += stepX)
                    foreach (var sample in samples(x, y))
                    {
                        held = (held << depth) | sample;
                        for (bits += depth; bits >= 8; bits -= 8) raw.WriteByte((byte)(held >> (bits - 8)));
                        held &= (1 << bits) - 1;
                    }
                if (bits > 0) raw.WriteByte((byte)(held << (8 - bits)));
            }
        var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true)) zlib.Write(raw.ToArray());
        return Png(width, height, depth, colorType, layout, [.. chunks, ("IDAT", packed.ToArray())]);
    }

    /// <summary>A PNG file of given chunks; the header may claim anything.</summary>
    public static byte[] Png(int width, int height, int depth, int colorType, PngLayout layout, params (string Name, byte[] Data)[] chunks)
    {
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9], header[12]) = ((byte)depth, (byte)colorType, (byte)(layout == PngLayout.Interlaced ? 1 : 0));
        var file = new MemoryStream();
        file.Write([0x89, .. "PNG\r\n\u001A\n"u8]);
        foreach (var (name, data) in (IEnumerable<(string, byte[])>)[("IHDR", header), .. chunks, ("IEND", [])])
        {
            byte[] named = [.. Encoding.ASCII.GetBytes(name), .. data];
            file.Write(BigEndian((uint)data.Length));
            file.Write(named);
            file.Write(BigEndian(Crc(named)));
        }
        return file.ToArray();
    }

    /// <summary>A 24-bit BMP file.</summary>
    public static byte[] Bmp(int width, int height, Func<int, int, (byte R, byte G, byte B)> pixel)
    {
        var rowBytes = ((width * 3) + 3) / 4 * 4;
        var file = new byte[54 + (rowBytes * height)];
        "BM"u8.CopyTo(file);
        foreach (var (at, value) in new[] { (2, file.Length), (10, 54), (14, 40), (18, width), (22, height), (34, rowBytes * height) })
            BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
        (file[26], file[28]) = (1, 24);
        for (var y = 0; y < height; y++)   // rows from the bottom
            for (var x = 0; x < width; x++)
                (file[54 + ((height - 1 - y) * rowBytes) + (x * 3) + 2], file[54 + ((height - 1 - y) * rowBytes) + (x * 3) + 1],
                    file[54 + ((height - 1 - y) * rowBytes) + (x * 3)]) = pixel(x, y);
        return file;
    }

    /// <summary>An animated GIF file whose frames are each filled with one colour.</summary>
    public static byte[] Gif(int width, int height, params (byte R, byte G, byte B)[] frames)
    {
        var file = new MemoryStream();
        file.Write([.. "GIF89a"u8, (byte)width, 0, (byte)height, 0, 0xF6, 0, 0]);   // 0xF6: a table of 128 colours follows
        for (var i = 0; i < 128; i++)
        {
            var colour = i < frames.Length ? frames[i] : default;
            file.Write([colour.R, colour.G, colour.B]);
        }
        for (var frame = 0; frame < frames.Length; frame++)
        {
            file.Write([0x21, 0xF9, 4, 0, 10, 0, 0, 0]);                                // shown for 0.1 s
            file.Write([0x2C, 0, 0, 0, 0, (byte)width, 0, (byte)height, 0, 0, 7]);      // 7: codes of 8 bits, 128 = clear, 129 = end
            for (var left = width * height; left > 0; left -= 100)
            {
                // A clear code before the code size would grow makes every code one byte.
                var count = Math.Min(left, 100);
                file.Write([(byte)(count + 1), 128, .. Enumerable.Repeat((byte)frame, count)]);
            }
            file.Write([1, 129, 0]);
        }
        file.WriteByte(0x3B);
        return file.ToArray();
    }

    /// <summary>The EXIF data of an image with an orientation: a TIFF header and one directory entry.</summary>
    public static byte[] Exif(int orientation) =>
        [.. "MM\0*"u8, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, (byte)orientation, 0, 0, 0, 0, 0, 0];

    /// <summary>The same with the orientation as LONG, in either byte order.</summary>
    public static byte[] LongExif(int orientation, bool bigEndian) => bigEndian
        ? [.. "MM\0*"u8, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 4, 0, 0, 0, 1, 0, 0, 0, (byte)orientation, 0, 0, 0, 0]
        : [.. "II*\0"u8, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 4, 0, 1, 0, 0, 0, (byte)orientation, 0, 0, 0, 0, 0, 0, 0];

    /// <summary>The same JPEG file with an EXIF segment behind its first marker.</summary>
    public static byte[] JpegWithExif(byte[] jpeg, byte[] exif)
    {
        exif = [.. "Exif\0\0"u8, .. exif];
        return [0xFF, 0xD8, 0xFF, 0xE1, (byte)((exif.Length + 2) >> 8), (byte)(exif.Length + 2), .. exif, .. jpeg[2..]];
    }

    /// <summary>The same simple WebP file in the extended form, with an EXIF chunk.</summary>
    public static byte[] WebpWithExif(byte[] webp, int width, int height, byte[] exif)
    {
        byte[] body =
        [
            .. "WEBPVP8X"u8, 10, 0, 0, 0, 0x08, 0, 0, 0, (byte)(width - 1), 0, 0, (byte)(height - 1), 0, 0,
            .. webp[12..], .. "EXIF"u8, (byte)exif.Length, 0, 0, 0, .. exif,
        ];
        var length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, body.Length);
        return [.. "RIFF"u8, .. length, .. body];
    }

    /// <summary>A file that SkiaSharp writes; WebP without loss, JPEG at its best.</summary>
    public static byte[] Encode(
        SKEncodedImageFormat format, int width, int height, Func<int, int, SKColor> pixel, SKColorSpace? colours = null)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul, colours));
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
            {
                var colour = pixel(x, y);
                unsafe
                {
                    // Not SetPixel: it converts from sRGB.
                    var at = (byte*)bitmap.GetPixels() + (((y * width) + x) * 4);
                    (at[0], at[1], at[2], at[3]) = (colour.Red, colour.Green, colour.Blue, colour.Alpha);
                }
            }
        using var pixmap = bitmap.PeekPixels();
        using var data = format == SKEncodedImageFormat.Webp
            ? pixmap.Encode(new SKWebpEncoderOptions(SKWebpEncoderCompression.Lossless, 75))
            : pixmap.Encode(format, 100);
        return data.ToArray();
    }

    private static byte[] BigEndian(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }

    private static uint Crc(byte[] bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320);
        }
        return ~crc;
    }
}
