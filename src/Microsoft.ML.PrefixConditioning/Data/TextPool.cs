using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Texts and other short contents as bytes in a few large arrays. Equal contents are kept once and have the same number.</summary>
/// <remarks>
/// A content is stored behind its length. Its number is its position in units of 4 bytes, so that it needs no further memory once the
/// table that finds equal contents has been dropped. Texts are UTF-8, or UTF-16 where they have lone surrogates: every text is returned
/// exactly.
/// </remarks>
internal sealed class TextPool
{
    private const int Unit = 4, ChunkSize = 1 << 18, NumbersPerChunk = ChunkSize / Unit;
    private const int LongestHeader = 5;

    private static readonly ulong Secret = BitConverter.ToUInt64(Guid.NewGuid().ToByteArray()) | 1;   // nobody can provoke equal hashes

    private readonly List<byte[]> _chunks = [];
    private readonly List<int> _ends = [];        // of what each chunk holds
    private byte[] _scratch = new byte[1 << 10];
    private int[]? _table = new int[1 << 10];     // numbers + 1 by hash; 0 is free
    private int _count, _current = -1;

    /// <summary>Adds a text.</summary>
    /// <returns>Its number.</returns>
    public int Add(ReadOnlySpan<char> text)
    {
        Reserve(text.Length * 3);
        return Utf8.FromUtf16(text, _scratch.AsSpan(LongestHeader), out _, out var length, replaceInvalidSequences: false)
            == OperationStatus.Done ? Add(length, isUtf16: false) : Add(MemoryMarshal.AsBytes(text), isUtf16: true);
    }

    /// <summary>Adds any content.</summary>
    /// <returns>Its number.</returns>
    public int Add(ReadOnlySpan<byte> content) => Add(content, isUtf16: false);

    /// <summary>The text of a number.</summary>
    public string Text(int number)
    {
        var content = Content(number, out var isUtf16);
        return isUtf16 ? new string(MemoryMarshal.Cast<byte, char>(content)) : Encoding.UTF8.GetString(content);
    }

    /// <summary>The content of a number.</summary>
    public ReadOnlySpan<byte> Content(int number) => Content(number, out _);

    /// <summary>Drops what only adding needs. From then on the pool is safe for concurrent use.</summary>
    public void Complete() => (_table, _scratch) = (null, []);

    private void Reserve(int length)
    {
        if (_scratch.Length < LongestHeader + length) _scratch = new byte[LongestHeader + Math.Max(length, _scratch.Length * 2)];
    }

    private int Add(ReadOnlySpan<byte> content, bool isUtf16)
    {
        Reserve(content.Length);
        content.CopyTo(_scratch.AsSpan(LongestHeader));
        return Add(content.Length, isUtf16);
    }

    /// <summary>Adds the content in the scratch buffer.</summary>
    private int Add(int length, bool isUtf16)
    {
        var table = _table ?? throw new InvalidOperationException("The pool is complete.");
        Span<byte> header = stackalloc byte[LongestHeader];
        header = header[..Varint.Write(header, ((ulong)length << 1) | (isUtf16 ? 1UL : 0))];
        var entry = _scratch.AsSpan(LongestHeader - header.Length, header.Length + length);
        header.CopyTo(entry);
        var slot = Hash(entry) & (table.Length - 1);
        for (; table[slot] != 0; slot = (slot + 1) & (table.Length - 1))
            if (From(table[slot] - 1).StartsWith(entry)) return table[slot] - 1;   // the header has the length
        var number = Append(entry);
        table[slot] = number + 1;
        if (++_count > table.Length / 8 * 5) Grow();
        return number;
    }

    private int Append(ReadOnlySpan<byte> entry)
    {
        if (_current < 0 || _ends[_current] + entry.Length > _chunks[_current].Length)
        {
            _current = _chunks.Count;
            _chunks.Add(new byte[Math.Max(ChunkSize, entry.Length)]);
            // An entry that is longer than a chunk takes the numbers of several.
            for (var covered = ChunkSize; covered < entry.Length; covered += ChunkSize) _chunks.Add([]);
            if (_chunks.Count > int.MaxValue / NumbersPerChunk)
                throw new InvalidDataException("The distinct texts and image paths need more than 8 GB of memory. Train on fewer rows.");
            while (_ends.Count < _chunks.Count) _ends.Add(0);
        }
        var at = _ends[_current];
        entry.CopyTo(_chunks[_current].AsSpan(at));
        _ends[_current] = at + Padded(entry.Length);
        return _current * NumbersPerChunk + at / Unit;
    }

    private void Grow()
    {
        var table = _table = new int[_table!.Length * 2];
        for (var chunk = 0; chunk < _chunks.Count; chunk++)
            for (int at = 0, size; at < _ends[chunk]; at += Padded(size))
            {
                ReadOnlySpan<byte> rest = _chunks[chunk].AsSpan(at), content = rest;
                var length = (int)(Varint.Read(ref content) >> 1);
                size = rest.Length - content.Length + length;
                var slot = Hash(rest[..size]) & (table.Length - 1);
                while (table[slot] != 0) slot = (slot + 1) & (table.Length - 1);
                table[slot] = chunk * NumbersPerChunk + at / Unit + 1;
            }
    }

    private ReadOnlySpan<byte> Content(int number, out bool isUtf16)
    {
        var content = From(number);
        var header = Varint.Read(ref content);
        isUtf16 = (header & 1) != 0;
        return content[..(int)(header >> 1)];
    }

    private ReadOnlySpan<byte> From(int number) => _chunks[number / NumbersPerChunk].AsSpan(number % NumbersPerChunk * Unit);

    private static int Padded(int length) => (length + Unit - 1) / Unit * Unit;

    /// <remarks>Multiplies and folds as wyhash does; numbers do not depend on it.</remarks>
    private static int Hash(ReadOnlySpan<byte> entry)
    {
        var hash = Secret;
        for (; entry.Length >= 8; entry = entry[8..]) hash = Fold(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(entry));
        var rest = 0UL;
        foreach (var b in entry) rest = (rest << 8) | b;
        return (int)(Fold(hash ^ rest) >> 32);

        static ulong Fold(ulong value) => Math.BigMul(value, Secret, out ulong low) ^ low;
    }
}
