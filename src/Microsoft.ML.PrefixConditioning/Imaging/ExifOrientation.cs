using System.Buffers.Binary;
using SkiaSharp;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The EXIF orientation of a JPEG, PNG or WebP file.</summary>
/// <remarks>
/// Skia reads it from JPEG and WebP only, and only if it is stored as SHORT, as the standard requires; some programs store it as LONG.
/// Sources: EXIF 2.32, section 4.7.2 (JPEG); PNG specification, third edition, section 11.3.3.2; WebP container specification; TIFF 6.0,
/// section 2 (the directory).
/// </remarks>
internal static class ExifOrientation
{
    private const int EntryBytes = 12;
    private const ushort OrientationTag = 0x0112;
    private const ushort ShortType = 3, LongType = 4;

    private static ReadOnlySpan<byte> Identifier => "Exif\0\0"u8;   // needed in JPEG; some programs write it in PNG and WebP too

    /// <summary>The orientation, 1 (as stored) to 8.</summary>
    /// <param name="file">A complete file; damage is not an error here.</param>
    /// <param name="format">The file's format.</param>
    /// <returns>1 if the file has no valid orientation.</returns>
    public static SKEncodedOrigin Read(ReadOnlySpan<byte> file, SKEncodedImageFormat format)
    {
        var exif = format switch
        {
            SKEncodedImageFormat.Jpeg => InJpeg(file),
            SKEncodedImageFormat.Png => InPng(file),
            SKEncodedImageFormat.Webp => InWebp(file),
            _ => [],
        };
        return (SKEncodedOrigin)ReadDirectory(exif.StartsWith(Identifier) ? exif[Identifier.Length..] : exif);
    }

    private static ReadOnlySpan<byte> InJpeg(ReadOnlySpan<byte> file)
    {
        for (int next; (next = file.IndexOf((byte)0xFF)) >= 0 && next + 4 <= file.Length;)
        {
            file = file[(next + 1)..];
            if (file[0] is 0x00 or 0x01 or 0xFF or (>= 0xD0 and <= 0xD8)) continue;   // filling, and markers without a segment
            if (file[0] is 0xD9 or 0xDA) break;                                       // pixels, or the end
            var end = 1 + Math.Max(BinaryPrimitives.ReadUInt16BigEndian(file[1..]), (ushort)2);   // the length counts its own two bytes
            if (end > file.Length) break;
            if (file[0] == 0xE1 && file[3..end].StartsWith(Identifier)) return file[3..end];
            file = file[end..];
        }
        return [];
    }

    private static ReadOnlySpan<byte> InPng(ReadOnlySpan<byte> file)
    {
        const int SignatureBytes = 8, ChunkFrameBytes = 12;   // length, name, checksum
        file = file[Math.Min(SignatureBytes, file.Length)..];
        while (file.Length >= ChunkFrameBytes)
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(file);
            if (length > (uint)(file.Length - ChunkFrameBytes)) break;
            if (file.Slice(4, 4).SequenceEqual("eXIf"u8)) return file.Slice(8, (int)length);
            file = file[(ChunkFrameBytes + (int)length)..];
        }
        return [];
    }

    private static ReadOnlySpan<byte> InWebp(ReadOnlySpan<byte> file)
    {
        const int RiffHeaderBytes = 12, ChunkHeaderBytes = 8;   // name, length
        file = file[Math.Min(RiffHeaderBytes, file.Length)..];
        while (file.Length >= ChunkHeaderBytes)
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(file[4..]);
            if (length > (uint)(file.Length - ChunkHeaderBytes)) break;
            if (file.StartsWith("EXIF"u8)) return file.Slice(ChunkHeaderBytes, (int)length);
            file = file[(int)Math.Min(ChunkHeaderBytes + length + length % 2, file.Length)..];   // chunks begin at even places
        }
        return [];
    }

    private static uint ReadDirectory(ReadOnlySpan<byte> exif)
    {
        const int HeaderBytes = 8;
        if (exif.Length < HeaderBytes) return 1;
        var order = exif[0] == 'M' ? ByteOrder.Big : ByteOrder.Little;   // "MM" or "II"
        var start = ReadUInt32(exif[4..], order);
        if (start > (uint)(exif.Length - 2)) return 1;
        var entries = ReadUInt16(exif[(int)start..], order);
        exif = exif[((int)start + 2)..];
        for (; entries > 0 && exif.Length >= EntryBytes; entries--, exif = exif[EntryBytes..])
        {
            var type = ReadUInt16(exif[2..], order);
            if (ReadUInt16(exif, order) != OrientationTag || type is not (ShortType or LongType)) continue;
            var orientation = type == ShortType ? ReadUInt16(exif[8..], order) : ReadUInt32(exif[8..], order);
            return orientation is >= 1 and <= 8 ? orientation : 1;
        }
        return 1;
    }

    private static ushort ReadUInt16(ReadOnlySpan<byte> at, ByteOrder order) =>
        order == ByteOrder.Big ? BinaryPrimitives.ReadUInt16BigEndian(at) : BinaryPrimitives.ReadUInt16LittleEndian(at);

    private static uint ReadUInt32(ReadOnlySpan<byte> at, ByteOrder order) =>
        order == ByteOrder.Big ? BinaryPrimitives.ReadUInt32BigEndian(at) : BinaryPrimitives.ReadUInt32LittleEndian(at);

    private enum ByteOrder
    {
        Little,
        Big,
    }
}
