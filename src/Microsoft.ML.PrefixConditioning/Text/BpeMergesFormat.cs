using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Merges to and from a stream, as a part of a saved model. Equal merges give equal bytes.</summary>
/// <remarks>
/// Layout, integers little-endian: "CLIPBPE" | u8 version (1) | i32 number of merges | i32 payload length | payload: for every merge
/// its two ids, 7 bits a byte, lowest first, the high bit set on all bytes but the last | SHA-256 of everything before.
/// </remarks>
internal static class BpeMergesFormat
{
    private const byte Version = 1;
    private const int HeaderLength = 16;
    private const int MaxMerges = 1 << 24;         // 16 million; CLIP has 48,894
    private const int MaxIdBytes = 5;

    private static ReadOnlySpan<byte> Magic => "CLIPBPE"u8;

    /// <summary>Writes the merges; the stream stays open.</summary>
    public static void Write(Stream stream, BpeMerges merges)
    {
        using var payload = new MemoryStream();
        using var writer = new BinaryWriter(payload);
        foreach (var (left, right) in merges.Pairs)
        {
            writer.Write7BitEncodedInt(left);
            writer.Write7BitEncodedInt(right);
        }
        var bytes = new byte[HeaderLength + (int)payload.Length];
        Magic.CopyTo(bytes);
        bytes[7] = Version;
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), merges.Pairs.Count);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), (int)payload.Length);
        payload.GetBuffer().AsSpan(0, (int)payload.Length).CopyTo(bytes.AsSpan(HeaderLength));
        stream.Write(bytes);
        stream.Write(SHA256.HashData(bytes));
    }

    /// <summary>Reads what <see cref="Write"/> wrote, and not a byte more.</summary>
    /// <exception cref="InvalidDataException">The stream holds something else, is truncated, damaged, or of a newer version.</exception>
    public static BpeMerges Read(Stream stream)
    {
        var header = new byte[HeaderLength];
        Fill(stream, header);
        if (!header.AsSpan().StartsWith(Magic))
            throw new InvalidDataException(
                "This is no vocabulary: it does not begin with 'CLIPBPE'. The model file is damaged or of another kind.");
        if (header[7] != Version)
            throw new InvalidDataException(
                $"The vocabulary has format version {header[7]}; this package reads version {Version}. Update the package.");
        var count = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(8));
        var length = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(12));
        if (count is < 0 or > MaxMerges || length < 2L * count || length > 2L * MaxIdBytes * count)
            throw new InvalidDataException(
                $"The vocabulary claims {count} merges in {length} bytes, which cannot be. The model file is damaged.");
        var payload = ReadExactly(stream, length);
        var digest = new byte[SHA256.HashSizeInBytes];
        Fill(stream, digest);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(header);
        hash.AppendData(payload);
        if (!hash.GetHashAndReset().AsSpan().SequenceEqual(digest))
            throw new InvalidDataException("The vocabulary's check sum does not fit its content. The model file is damaged.");
        return BpeMerges.FromIds(ReadPairs(payload, count));
    }

    private static List<(int Left, int Right)> ReadPairs(byte[] payload, int count)
    {
        var pairs = new List<(int Left, int Right)>(count);
        try
        {
            using var reader = new BinaryReader(new MemoryStream(payload));
            for (var i = 0; i < count; i++) pairs.Add((reader.Read7BitEncodedInt(), reader.Read7BitEncodedInt()));
            if (reader.BaseStream.Position == payload.Length) return pairs;
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException)
        {
            throw new InvalidDataException($"The vocabulary's {payload.Length} bytes do not hold its {count} merges: {e.Message}", e);
        }
        throw new InvalidDataException(
            $"The vocabulary's {payload.Length} bytes hold more than its {count} merges. The model file is damaged.");
    }

    // A hostile length must not allocate what the stream does not hold: grow with what arrives.
    private static byte[] ReadExactly(Stream stream, int length)
    {
        const int Step = 1 << 20;
        var buffer = new byte[Math.Min(length, Step)];
        var filled = 0;
        while (true)
        {
            Fill(stream, buffer.AsSpan(filled));
            filled = buffer.Length;
            if (filled == length) return buffer;
            Array.Resize(ref buffer, (int)Math.Min(length, 2L * filled));
        }
    }

    private static void Fill(Stream stream, Span<byte> buffer)
    {
        var read = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        if (read < buffer.Length)
            throw new InvalidDataException(
                $"The vocabulary ends early: {buffer.Length} more bytes expected, {read} found. The model file is truncated.");
    }
}
