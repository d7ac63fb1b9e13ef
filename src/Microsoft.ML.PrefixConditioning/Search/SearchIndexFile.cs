using System.Buffers.Binary;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The file of a <see cref="ClipSearchIndex"/>, of any size. Equal content gives equal bytes.</summary>
/// <remarks>
/// Layout, numbers little-endian: "PRFXIDX" | u8 version | i32 D | i64 N | i64 bytes of the keys | SHA-256 that identifies the model |
/// per key i32 length and its UTF-16 characters | [N, D] f32 | SHA-256 of everything before. <see cref="Envelope"/> ends at 2 GB.
/// </remarks>
internal static class SearchIndexFile
{
    private const string Kind = "PRFXIDX", Name = "search index";
    private const byte Version = 1;
    private const int IdentityAt = 28, HashLength = SHA256.HashSizeInBytes, HeaderLength = IdentityAt + HashLength;
    private const string Restore = "Restore it from a copy, or make it again.";

    /// <summary>Replaces a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">Identity of the model.</param>
    /// <param name="rows">The vectors.</param>
    /// <param name="keys">A key for each, and possibly more, which are not written.</param>
    /// <exception cref="IOException">The file cannot be written; an existing file is unchanged.</exception>
    public static void Write(string path, byte[] model, EmbeddingRows rows, string[] keys) => AtomicFile.Replace(path, file =>
    {
        using var hashing = new HashingStream(file);
        using var stream = new BufferedStream(hashing, 1 << 16);
        var ownKeys = keys.AsSpan(0, rows.Count);
        var keyBytes = 0L;
        foreach (var key in ownKeys) keyBytes += sizeof(int) + (long)sizeof(char) * key.Length;
        using var writer = new BinaryWriter(stream);
        writer.Write(Encoding.ASCII.GetBytes(Kind));
        writer.Write(Version);
        writer.Write(rows.Size);
        writer.Write((long)rows.Count);
        writer.Write(keyBytes);
        writer.Write(model);
        foreach (var key in ownKeys)
        {
            writer.Write(key.Length);
            writer.Write(MemoryMarshal.AsBytes(key.AsSpan()));
        }
        foreach (var block in rows.Blocks()) writer.Write(MemoryMarshal.AsBytes(block.Values.Span));
        writer.Flush();
        file.Write(hashing.Hash());
    });

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file, which may be damaged.</param>
    /// <param name="size">D of the model.</param>
    /// <param name="model">Gives the model's identity.</param>
    /// <exception cref="InvalidDataException">It is another kind of file, truncated, damaged, or of a newer version.</exception>
    /// <exception cref="ArgumentException">It was made with another model.</exception>
    public static (EmbeddingRows Rows, string[] Keys) Read(string path, int size, Func<byte[]> model)
    {
        using var file = RegularFile.Open(path, bufferSize: 1 << 16);
        using var hashing = new HashingStream(file);
        var shown = NearName.Visible(path);
        var header = SmallFile.ReadUpTo(hashing, HeaderLength);
        if (!header.AsSpan().StartsWith(Encoding.ASCII.GetBytes(Kind)))
            throw new InvalidDataException($"'{shown}' is not a {Name}: it does not begin with '{Kind}'. Pass a file that " +
                $"{nameof(ClipSearchIndex)}.{nameof(ClipSearchIndex.Save)} wrote.");
        if (header.Length < HeaderLength)
            throw new InvalidDataException($"The {Name} '{shown}' is truncated: it has {header.Length} bytes. {Restore}");
        Envelope.CheckVersion(Name, header[Kind.Length], Version);
        var (found, count, keyBytes) = (BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(8)),
            BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(12)), BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(20)));
        var expected = (Int128)HeaderLength + keyBytes + (Int128)count * found * sizeof(float) + HashLength;
        if (found < 1 || count is < 0 or > int.MaxValue || keyBytes < count * sizeof(int) || expected != file.Length)
            throw new InvalidDataException($"The {Name} '{shown}' is truncated or damaged: {expected} bytes are expected for {count} " +
                $"vectors of {found} numbers, {file.Length} found. {Restore}");

        ExceptionDispatchInfo? fault = null;   // where the hash is wrong, that explains more
        (EmbeddingRows, string[]) content = default;
        try
        {
            CheckModel(shown, found, size, header.AsSpan(IdentityAt), model);
            content = (ReadContent(hashing, keyBytes, (int)count, size, out var keys), keys);
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException)
        {
            fault = ExceptionDispatchInfo.Capture(e);
            var rest = new byte[1 << 16];
            while (file.Length - HashLength - file.Position is > 0 and var left)
                hashing.ReadExactly(rest, 0, (int)Math.Min(rest.Length, left));
        }
        var hash = hashing.Hash();
        Envelope.CheckHash($"The {Name} '{shown}'", hash, SmallFile.ReadUpTo(file, HashLength));
        fault?.Throw();
        return content;
    }

    private static void CheckModel(string path, int found, int size, ReadOnlySpan<byte> identity, Func<byte[]> model)
    {
        if (found != size)
            throw new ArgumentException($"The {Name} '{path}' has vectors of {found} numbers; this model's embeddings have {size}. Pass " +
                "the model that it was made with.", nameof(model));
        if (!identity.SequenceEqual(model()))
            throw new ArgumentException($"The {Name} '{path}' was made with another model, whose embeddings cannot be compared with this " +
                "one's. Pass the model that it was made with, or make the index again.", nameof(model));
    }

    private static EmbeddingRows ReadContent(Stream stream, long keyBytes, int count, int size, out string[] keys)
    {
        using var reader = new BinaryReader(stream, Encoding.UTF8, leaveOpen: true);
        keys = new string[count];
        for (var i = 0; i < count; i++)
        {
            var length = keyBytes < sizeof(int) ? -1 : reader.ReadInt32();
            keyBytes -= sizeof(int) + (long)sizeof(char) * length;
            if (length < 0 || keyBytes < 0) throw new InvalidDataException($"The key of vector {i} has the length {length}.");
            keys[i] = string.Create(length, reader, static (span, source) => source.BaseStream.ReadExactly(MemoryMarshal.AsBytes(span)));
        }
        if (keyBytes != 0) throw new InvalidDataException($"{keyBytes} bytes follow the last key.");
        var rows = new EmbeddingRows(size);
        var vector = new float[size];
        for (var i = 0; i < count; i++)
        {
            stream.ReadExactly(MemoryMarshal.AsBytes(vector.AsSpan()));
            if (!rows.TryAdd(vector)) throw new InvalidDataException($"Vector {i} has no direction.");
        }
        return rows;
    }
}
