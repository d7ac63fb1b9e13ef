using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The frame of a saved block: kind, version and SHA-256. Equal content gives equal bytes.</summary>
/// <remarks>
/// Layout, integers little-endian: 7 bytes kind | u8 version | i32 number of items | i32 length of the content | content | SHA-256 of
/// everything before. The hash is checked before any content is parsed.
/// </remarks>
/// <param name="Kind">Seven ASCII letters that identify the block.</param>
/// <param name="Version">The version that this code writes; it reads versions 1 and later.</param>
/// <param name="Name">What the content is, for messages.</param>
internal sealed record Envelope(string Kind, byte Version, string Name)
{
    private const int KindLength = 7, HeaderLength = 16;
    private const string Restore = "The file was changed or damaged: restore it from a copy.";

    private static readonly JsonSerializerOptions Json = new()
    {
        Converters = { new JsonStringEnumConverter(namingPolicy: null, allowIntegerValues: false) },
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    /// <summary>Writes a block; the stream stays open.</summary>
    /// <param name="stream">Any stream.</param>
    /// <param name="items">A number that the content does not repeat.</param>
    /// <param name="write">Writes the content.</param>
    public void Write(Stream stream, int items, Action<BinaryWriter> write)
    {
        using var block = new MemoryStream();
        using var writer = new BinaryWriter(block);
        writer.Write(Encoding.ASCII.GetBytes(Kind));
        writer.Write(Version);
        writer.Write(items);
        writer.Write(0);
        write(writer);
        var bytes = block.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(HeaderLength - sizeof(int)), bytes.Length - HeaderLength);
        stream.Write(bytes);
        stream.Write(SHA256.HashData(bytes));
    }

    /// <summary>Reads exactly one block.</summary>
    /// <param name="stream">The stream, which may be damaged.</param>
    /// <param name="read">Parses the content, given the number of items; it must read all of it.</param>
    /// <exception cref="InvalidDataException">The block is of another kind, truncated, damaged, or of a newer version.</exception>
    public T Read<T>(Stream stream, Func<int, BinaryReader, T> read)
    {
        var header = Take(stream, HeaderLength);
        if (!header.AsSpan(0, KindLength).SequenceEqual(Encoding.ASCII.GetBytes(Kind)))
            throw new InvalidDataException($"This is not a {Name}: it does not begin with '{Kind}'. {Restore}");
        var length = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(HeaderLength - sizeof(int)));
        if (length < 0) throw new InvalidDataException($"The {Name} in the model file is damaged: its length is {length}. {Restore}");
        var content = Take(stream, length);
        CheckHash($"The {Name} in the model file", SHA256.HashData([.. header, .. content]), Take(stream, SHA256.HashSizeInBytes));
        CheckVersion(Name, header[KindLength], Version);
        using var reader = new BinaryReader(new MemoryStream(content));
        try
        {
            var value = read(BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(KindLength + 1)), reader);
            return reader.BaseStream.Position == length ? value
                : throw new FormatException($"only {reader.BaseStream.Position} of its {length} bytes are used.");
        }
        catch (Exception e) when (e is EndOfStreamException or ArgumentException or OverflowException or FormatException)
        {
            throw new InvalidDataException($"The {Name} in the model file is damaged: {e.Message} {Restore}", e);
        }
    }

    /// <summary>Writes a block of settings as JSON; the stream stays open.</summary>
    public void WriteJson<T>(Stream stream, T settings) =>
        Write(stream, items: 1, writer => writer.Write(JsonSerializer.SerializeToUtf8Bytes(settings, Json)));

    /// <summary>Reads what <see cref="WriteJson"/> wrote.</summary>
    /// <param name="stream">The stream, which may be damaged.</param>
    /// <param name="check">Throws <see cref="FormatException"/> or <see cref="ArgumentException"/> for settings that cannot be.</param>
    /// <exception cref="InvalidDataException">As for <see cref="Read"/>, or the settings cannot be.</exception>
    public T ReadJson<T>(Stream stream, Action<T> check) => Read(stream, (_, reader) =>
    {
        try
        {
            var settings = JsonSerializer.Deserialize<T>(reader.BaseStream, Json) ?? throw new JsonException("It is null.");
            check(settings);
            return settings;
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            throw new FormatException(e.Message, e);
        }
    });

    /// <summary>Refuses a version that is none or newer than this code.</summary>
    /// <exception cref="InvalidDataException">It is.</exception>
    public static void CheckVersion(string name, int version, int newest)
    {
        if (version < 1 || version > newest)
            throw new InvalidDataException($"The {name} has format version {version}; this version of the package reads 1 to {newest}. " +
                "Update Microsoft.ML.PrefixConditioning to load it.");
    }

    /// <summary>Refuses content that is not what was saved.</summary>
    /// <exception cref="InvalidDataException">The hashes differ.</exception>
    public static void CheckHash(string subject, ReadOnlySpan<byte> hash, ReadOnlySpan<byte> expected)
    {
        if (!hash.SequenceEqual(expected))
            throw new InvalidDataException($"{subject} is not what was saved: its SHA-256 is {Convert.ToHexStringLower(hash)}, " +
                $"expected {Convert.ToHexStringLower(expected)}. {Restore}");
    }

    private byte[] Take(Stream stream, int length)
    {
        var bytes = SmallFile.ReadUpTo(stream, length);
        return bytes.Length == length ? bytes : throw new InvalidDataException(
            $"The {Name} in the model file is truncated: {length} more bytes expected, {bytes.Length} found. {Restore}");
    }
}

/// <summary>Passes bytes on to or from another stream and takes their SHA-256; leaves the other stream open.</summary>
internal sealed class HashingStream(Stream inner) : Stream
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Loads what hashes bytes, here and in <see cref="Envelope"/>: OpenSSL, on Linux.</summary>
    public static void LoadLibrary()
    {
        using var hashing = new HashingStream(Null);
        hashing.Write([0]);
        _ = SHA256.HashData(hashing.Hash());
    }

    /// <summary>SHA-256 of all bytes so far.</summary>
    public byte[] Hash() => _hash.GetCurrentHash();

    public override bool CanRead => inner.CanRead;
    public override bool CanSeek => false;
    public override bool CanWrite => inner.CanWrite;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        var read = inner.Read(buffer);
        _hash.AppendData(buffer[..read]);
        return read;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        _hash.AppendData(buffer);
        inner.Write(buffer);
    }

    public override void Flush() => inner.Flush();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) _hash.Dispose();
        base.Dispose(disposing);
    }
}
