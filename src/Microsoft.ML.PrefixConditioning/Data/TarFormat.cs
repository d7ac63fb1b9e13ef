using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>An entry of a TAR archive.</summary>
/// <param name="Kind">The type flag of the format: '0' is a file, '1' a hard link, '2' a symbolic link, '5' a folder.</param>
/// <param name="Name">The name as it is written.</param>
/// <param name="Target">The target of a link.</param>
/// <param name="Offset">Position of the data.</param>
/// <param name="Length">Bytes of the data; the archive has them.</param>
internal readonly record struct TarEntry(char Kind, string Name, string Target, long Offset, long Length);

/// <summary>Reads the headers of uncompressed TAR archives: v7, ustar, pax, and GNU's long names.</summary>
/// <remarks>
/// Source: POSIX.1-2017, "pax Interchange Format", and GNU tar's manual, "Basic Tar Format". <see cref="System.Formats.Tar"/> is not used:
/// it takes the memory that a header claims before it reads.
/// </remarks>
internal static class TarFormat
{
    private const int BlockLength = 512, LongestHeader = 1 << 20;

    /// <summary>Reads names and positions of all files.</summary>
    /// <remarks>Bytes of a name that are not UTF-8 become U+FFFD.</remarks>
    public static void ReadHeaders(FileStream stream, ArchiveHeaders headers)
    {
        var last = default(TarEntry);
        foreach (var entry in ReadEntries(stream))
        {
            last = entry;
            var name = ImageArchive.Normalize(entry.Name);
            switch (entry.Kind)
            {
                case '0':
                    var length = (int)Math.Min(entry.Length, int.MaxValue);
                    headers.AddFile(name, new ArchivePlace(entry.Offset, length, length, Method: 0));
                    break;
                case '5':
                    headers.Folders.Add(name);
                    break;
                case '1':   // the second name of a file that is in the archive already
                    headers.AddLink(name, ImageArchive.Normalize(entry.Target));
                    break;
                case '2':
                    headers.AddLink(name, ArchiveHeaders.FromRoot(name, entry.Target));
                    break;
                default:
                    headers.AddLink(name, target: null);
                    break;
            }
        }
        if (EndRemark(stream, last) is { } remark) headers.Remarks.Add((remark, ImageArchive.Normalize(last.Name ?? "")));
    }

    /// <summary>Reads the entries up to the end mark, or to the end of the file.</summary>
    /// <exception cref="InvalidDataException">A header is damaged, or the file ends inside an entry.</exception>
    public static IEnumerable<TarEntry> ReadEntries(FileStream stream)
    {
        var (file, fileLength) = (new Window(stream.SafeFileHandle), stream.Length);
        string? longName = null, longTarget = null;
        long? longLength = null;
        for (long at = 0; at < fileLength;)
        {
            if (fileLength - at < BlockLength) throw new InvalidDataException($"it ends inside the header at byte {at}.");
            var header = file.Read(at, BlockLength);
            if (!header.AsSpan().ContainsAnyExcept((byte)0)) yield break;
            CheckSum(header, at);
            var kind = (char)header[156];
            var hasData = kind is not ('1' or '2' or '3' or '4' or '5' or '6');   // links and folders have none, whatever their length
            var length = (kind is 'x' or 'g' or 'L' or 'K' ? null : longLength) ?? Number(header.AsSpan(124, 12), at);
            if (length > long.MaxValue / 2) throw new InvalidDataException($"the header at byte {at} claims {length} bytes.");
            at += BlockLength;
            if (kind is 'x' or 'g' or 'L' or 'K')
            {
                if (length > LongestHeader || length > fileLength - at)
                    throw new InvalidDataException($"the extended header at byte {at} claims {length} bytes.");
                var bytes = file.Read(at, (int)length);
                if (kind == 'L') longName = Text(bytes);
                else if (kind == 'K') longTarget = Text(bytes);
                else if (kind == 'x') ReadRecords(bytes, at, ref longName, ref longTarget, ref longLength);
            }
            else
            {
                var name = longName ?? ShortName(header);
                kind = kind switch { '\0' or '7' or '0' => name.EndsWith('/') ? '5' : '0', 'D' => '5', _ => kind };
                if (hasData && length > fileLength - at) throw new InvalidDataException($"it ends inside {NearName.Quoted(name)}.");
                yield return new TarEntry(kind, name, longTarget ?? Text(header.AsSpan(157, 100)), at, hasData ? length : 0);
                (longName, longTarget, longLength) = (null, null, null);
            }
            if (hasData) at += (length + BlockLength - 1) / BlockLength * BlockLength;
        }
    }

    /// <summary>Detects unread files: of a truncated archive, or of one appended to another.</summary>
    /// <returns><see cref="ClassFolders.CutOff"/>, <see cref="ClassFolders.Appended"/>, or null.</returns>
    public static string? EndRemark(FileStream stream, TarEntry last)
    {
        var end = last.Offset + ((last.Length + BlockLength - 1) / BlockLength * BlockLength);
        if (stream.Length < end + BlockLength) return ClassFolders.CutOff;
        stream.Position = end;
        var buffer = new byte[1 << 14];
        for (int read; (read = stream.Read(buffer)) > 0;)
            if (buffer.AsSpan(0, read).ContainsAnyExcept((byte)0)) return ClassFolders.Appended;
        return null;
    }

    private static void CheckSum(ReadOnlySpan<byte> header, long at)
    {
        int unsigned = 8 * ' ', signed = 8 * ' ';   // the field itself counts as spaces; some programs sum signed bytes
        for (var i = 0; i < header.Length; i++)
        {
            if (i is >= 148 and < 156) continue;
            unsigned += header[i];
            signed += (sbyte)header[i];
        }
        if (Number(header.Slice(148, 8), at) is var sum && sum != unsigned && sum != signed)
            throw new InvalidDataException($"the header at byte {at} has the check sum {sum}, expected {unsigned}.");
    }

    /// <summary>A number in octal digits, or with the highest bit set, in base 256.</summary>
    private static long Number(ReadOnlySpan<byte> field, long at)
    {
        if ((field[0] & 0x80) != 0)
        {
            var high = field[..^8];
            if (field[0] == 0x80 && !high[1..].ContainsAnyExcept((byte)0) && BinaryPrimitives.ReadInt64BigEndian(field[^8..]) is var large
                && large >= 0) return large;
            throw new InvalidDataException($"the header at byte {at} has a number that is negative or too large.");
        }
        var digits = field.Trim((byte)' ').TrimEnd((byte)0).TrimEnd((byte)' ');
        long number = 0;
        foreach (var digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'7') throw new InvalidDataException($"the header at byte {at} has a damaged number.");
            number = (number * 8) + digit - '0';
        }
        return number;
    }

    private static string ShortName(ReadOnlySpan<byte> header)
    {
        var name = Text(header[..100]);
        var prefix = header.Slice(257, 6).SequenceEqual("ustar\0"u8) ? Text(header.Slice(345, 155)) : "";
        return prefix.Length == 0 ? name : $"{prefix}/{name}";
    }

    /// <summary>Records of pax: "LENGTH KEY=VALUE\n".</summary>
    private static void ReadRecords(ReadOnlySpan<byte> bytes, long at, ref string? name, ref string? target, ref long? length)
    {
        while (bytes.Length > 0 && bytes[0] != 0)
        {
            var space = bytes.IndexOf((byte)' ');
            if (space <= 0 || !int.TryParse(bytes[..space], NumberStyles.None, CultureInfo.InvariantCulture, out var size)
                || size <= space + 1 || size > bytes.Length || bytes[space..(size - 1)].IndexOf((byte)'=') is var equals && equals < 0)
                throw new InvalidDataException($"the extended header at byte {at} is damaged.");
            var key = bytes[(space + 1)..(space + equals)];
            var value = bytes[(space + equals + 1)..(size - 1)];
            if (key.SequenceEqual("path"u8)) name = Encoding.UTF8.GetString(value);
            else if (key.SequenceEqual("linkpath"u8)) target = Encoding.UTF8.GetString(value);
            else if (key.SequenceEqual("size"u8))
                length = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
                    : throw new InvalidDataException($"the extended header at byte {at} has a damaged size.");
            bytes = bytes[size..];
        }
    }

    private static string Text(ReadOnlySpan<byte> field) =>
        Encoding.UTF8.GetString(field.IndexOf((byte)0) is var end and >= 0 ? field[..end] : field);

    /// <summary>Reads a few pages at a time, because headers and small entries lie side by side.</summary>
    private sealed class Window(SafeFileHandle file)
    {
        private const int Size = 1 << 13;

        private readonly byte[] _buffer = new byte[Size];
        private long _start;
        private int _count;

        public byte[] Read(long at, int length)
        {
            if (length > Size) return ImageArchive.ReadBytes(file, at, length);
            if (at < _start || at + length > _start + _count)
                (_start, _count) = (at, RandomAccess.Read(file, _buffer, at));
            return _count >= length ? _buffer.AsSpan((int)(at - _start), length).ToArray()
                : ImageArchive.ReadBytes(file, at, length);   // a short read, or a file that became shorter
        }
    }
}
