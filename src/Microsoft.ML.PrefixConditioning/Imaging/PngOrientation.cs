using System.Buffers.Binary;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The EXIF orientation of a PNG file, which Skia reads only from JPEG and WebP.</summary>
/// <remarks>Sources: PNG specification, third edition, section 11.3.3.2 (eXIf); TIFF 6.0, section 2 (the directory in it).</remarks>
internal static class PngOrientation
{
    private const int SignatureBytes = 8;
    private const int ChunkFrameBytes = 12;      // length, name, checksum
    private const int EntryBytes = 12;
    private const ushort OrientationTag = 0x0112;
    private const ushort ShortType = 3;

    /// <summary>The orientation, 1 (as stored) to 8.</summary>
    /// <param name="file">A whole PNG file; damage is no error here.</param>
    /// <returns>1 if the file has no valid orientation.</returns>
    public static int Read(ReadOnlySpan<byte> file)
    {
        file = file[Math.Min(SignatureBytes, file.Length)..];
        while (file.Length >= ChunkFrameBytes)
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(file);
            if (length > (uint)(file.Length - ChunkFrameBytes)) break;
            if (file.Slice(4, 4).SequenceEqual("eXIf"u8)) return ReadDirectory(file.Slice(8, (int)length));
            file = file[(ChunkFrameBytes + (int)length)..];
        }
        return 1;
    }

    private static int ReadDirectory(ReadOnlySpan<byte> exif)
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
            if (ReadUInt16(exif, order) != OrientationTag || ReadUInt16(exif[2..], order) != ShortType) continue;
            var orientation = ReadUInt16(exif[8..], order);
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
