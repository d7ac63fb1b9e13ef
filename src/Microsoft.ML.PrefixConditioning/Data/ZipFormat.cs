using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reads the central directory and the files of ZIP archives.</summary>
/// <remarks>
/// Source: PKWARE's APPNOTE 6.3.10 (numbers below are its sections), and Info-ZIP's Unicode path field. <see cref="ZipArchive"/> is not
/// used: it keeps the file open and hundreds of bytes per entry, and turns names in a code page into U+FFFD.
/// </remarks>
internal static class ZipFormat
{
    private const uint DirectoryEndMark = 0x06054B50, DirectoryEnd64Mark = 0x06064B50, Locator64Mark = 0x07064B50;
    private const uint EntryMark = 0x02014B50, LocalMark = 0x04034B50;
    private const int DirectoryEndLength = 22, Locator64Length = 20, DirectoryEnd64Length = 56, EntryLength = 46, LocalLength = 30;
    private const ushort Stored = 0, Deflated = 8, Encrypted = ushort.MaxValue;   // 4.4.5; the last is no method of the format
    private const int LongestLink = 4096;
    private const int MaxDirectory = 256 << 20;   // about three million entries
    private const int MostPerByte = 1032;   // deflate's longest match of 258 bytes takes two bits

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);
    private static readonly Encoding CodePage437 = CodePagesEncodingProvider.Instance.GetEncoding(437)!;   // appendix D.1

    /// <summary>Reads names and positions of all files.</summary>
    public static void ReadHeaders(FileStream stream, ArchiveHeaders headers)
    {
        var (directory, count) = ReadDirectory(stream);
        var entries = 0;
        var rest = directory.AsSpan();
        for (; rest.Length >= EntryLength && UInt32(rest, 0) == EntryMark; entries++)
        {
            var nameEnd = EntryLength + UInt16(rest, 28);
            var extraEnd = nameEnd + UInt16(rest, 30);
            AddEntry(rest[..EntryLength], rest[EntryLength..nameEnd], rest[nameEnd..extraEnd], stream.SafeFileHandle, headers);
            rest = rest[(extraEnd + UInt16(rest, 32))..];
        }
        // Above 65,535 entries some programs write the lower half of their number only.
        if ((ushort)entries != (ushort)count) throw new InvalidDataException($"its directory has {entries} of {count} entries.");
    }

    /// <summary>Reads the bytes of one file.</summary>
    public static byte[] ReadFile(SafeFileHandle file, ArchivePlace place, CancellationToken cancellation)
    {
        if (place.Method == Encrypted) throw new InvalidDataException("it is encrypted.");
        if (place.Method is not (Stored or Deflated))
            throw new InvalidDataException($"it is compressed by method {place.Method}; only deflated and stored files are read.");
        var header = ImageArchive.ReadBytes(file, place.Offset, LocalLength, cancellation);
        if (UInt32(header, 0) != LocalMark) throw new InvalidDataException("its local header is damaged.");
        var start = place.Offset + LocalLength + UInt16(header, 26) + UInt16(header, 28);
        if (place.Length > (long)MostPerByte * place.StoredLength)
            throw new InvalidDataException($"it claims {place.Length} bytes, more than its {place.StoredLength} compressed ones can give.");
        var bytes = ImageArchive.ReadBytes(file, start, place.StoredLength, cancellation);
        return place.Method == Stored ? bytes : Inflate(bytes, place.Length);
    }

    private static byte[] Inflate(byte[] packed, int length)
    {
        using var stream = new DeflateStream(new MemoryStream(packed), CompressionMode.Decompress);
        var bytes = LargeArray.Allocate(length);
        stream.ReadExactly(bytes);
        if (stream.ReadByte() >= 0) throw new InvalidDataException($"it claims {length} bytes but has more.");
        return bytes;
    }

    private static (byte[] Directory, long Count) ReadDirectory(FileStream stream)
    {
        var file = stream.SafeFileHandle;
        var tailLength = (int)Math.Min(stream.Length, DirectoryEndLength + ushort.MaxValue + Locator64Length);
        var tail = ImageArchive.ReadBytes(file, stream.Length - tailLength, tailLength);
        var at = tailLength - DirectoryEndLength;
        while (at >= 0 && UInt32(tail, at) != DirectoryEndMark) at--;
        if (at < 0) throw new InvalidDataException("the end of its directory is missing.");
        long count = UInt16(tail, at + 10), length = UInt32(tail, at + 12), offset = UInt32(tail, at + 16);
        if (at >= Locator64Length && UInt32(tail, at - Locator64Length) == Locator64Mark)
        {
            var end = ImageArchive.ReadBytes(file, Int64(tail, at - Locator64Length + 8), DirectoryEnd64Length);   // 4.3.14
            if (UInt32(end, 0) != DirectoryEnd64Mark) throw new InvalidDataException("the end of its directory is damaged.");
            (count, length, offset) = (Int64(end, 32), Int64(end, 40), Int64(end, 48));
        }
        if (length < 0 || length > stream.Length) throw new InvalidDataException("its directory is damaged.");
        if (length > MaxDirectory)
            throw new InvalidDataException($"its directory has {length} bytes; at most {MaxDirectory} are read. Split the archive.");
        return (ImageArchive.ReadBytes(file, offset, (int)length), count);
    }

    private static void AddEntry(ReadOnlySpan<byte> entry, ReadOnlySpan<byte> rawName, ReadOnlySpan<byte> extra, SafeFileHandle file,
        ArchiveHeaders headers)
    {
        var flags = UInt16(entry, 8);
        long stored = UInt32(entry, 20), length = UInt32(entry, 24), offset = UInt32(entry, 42);
        var (name, isGuessed) = DecodeName(rawName, isUtf8: (flags & 0x800) != 0);   // 4.4.4, bit 11
        while (extra.Length >= 4 && extra.Length - 4 >= UInt16(extra, 2))
        {
            var field = extra.Slice(4, UInt16(extra, 2));
            if (UInt16(extra, 0) == 1) ReadLongNumbers(field, ref length, ref stored, ref offset);
            else if (UInt16(extra, 0) == 0x7075 && UnicodePath(field, rawName) is { } path) (name, isGuessed) = (path, false);
            extra = extra[(4 + field.Length)..];
        }
        var method = (flags & 1) != 0 ? Encrypted : UInt16(entry, 10);
        var place = new ArchivePlace(offset, Clamped(stored), Clamped(length), method);
        var isFolder = name.EndsWith('/') || name.EndsWith('\\');
        name = ImageArchive.Normalize(name);
        if (isGuessed) headers.Remarks.Add((ClassFolders.CodePage, name));
        // Written on Unix (3) or macOS (19), the upper half of the attributes is the file's mode; A000 is a symbolic link.
        var isLink = entry[5] is 3 or 19 && (UInt32(entry, 38) >> 28) == 0xA;
        if (isFolder) headers.Folders.Add(name);
        else if (!isLink) headers.AddFile(name, place);
        else headers.AddLink(name, place.Length > LongestLink || method is not (Stored or Deflated) ? null
            : ArchiveHeaders.FromRoot(name, Encoding.UTF8.GetString(ReadFile(file, place, CancellationToken.None))));
    }

    /// <summary>A name not marked as UTF-8 is code page 437 according to the format. But several programs, including macOS's own, write
    /// unmarked UTF-8, and other text is hardly ever valid UTF-8.</summary>
    private static (string Name, bool IsGuessed) DecodeName(ReadOnlySpan<byte> raw, bool isUtf8)
    {
        if (isUtf8) return (Encoding.UTF8.GetString(raw), false);
        try
        {
            return (StrictUtf8.GetString(raw), false);
        }
        catch (DecoderFallbackException)
        {
            return (CodePage437.GetString(raw), true);
        }
    }

    /// <summary>ZIP64 (4.5.3): the field holds the numbers that did not fit, in this order.</summary>
    private static void ReadLongNumbers(ReadOnlySpan<byte> field, ref long length, ref long stored, ref long offset)
    {
        field = Take(field, ref length);
        field = Take(field, ref stored);
        Take(field, ref offset);

        static ReadOnlySpan<byte> Take(ReadOnlySpan<byte> field, scoped ref long number)
        {
            if (number != uint.MaxValue || field.Length < 8) return field;
            number = Int64(field, 0);
            return field[8..];
        }
    }

    /// <summary>Info-ZIP's field 7075: version 1, the checksum of the name that it replaces, and the name in UTF-8.</summary>
    private static string? UnicodePath(ReadOnlySpan<byte> field, ReadOnlySpan<byte> rawName) =>
        field.Length > 5 && field[0] == 1 && UInt32(field, 1) == Checksum(rawName) ? Encoding.UTF8.GetString(field[5..]) : null;

    /// <summary>CRC-32 (4.4.7), bit by bit: names are short.</summary>
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var b in bytes)
        {
            crc ^= b;
            for (var bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320);
        }
        return ~crc;
    }

    private static int Clamped(long length) => (int)Math.Min((ulong)length, int.MaxValue);

    private static ushort UInt16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint UInt32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static long Int64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);
}
