namespace Microsoft.ML.PrefixConditioning;

/// <summary>Merges to and from a stream, as a part of a saved model.</summary>
/// <remarks>
/// One item of the <see cref="Envelope"/> for each merge: its two ids, 7 bits a byte, lowest first, the high bit set on all bytes but the
/// last.
/// </remarks>
internal static class BpeMergesFormat
{
    private const int MaxMerges = 1 << 24;   // 16 million; CLIP has 48,894

    private static readonly Envelope Envelope = new("CLIPBPE", 1, "vocabulary");

    /// <summary>Writes the merges; the stream stays open.</summary>
    public static void Write(Stream stream, BpeMerges merges) => Envelope.Write(stream, merges.Pairs.Count, writer =>
    {
        foreach (var (left, right) in merges.Pairs)
        {
            writer.Write7BitEncodedInt(left);
            writer.Write7BitEncodedInt(right);
        }
    });

    /// <summary>Reads what <see cref="Write"/> wrote, and not a byte more.</summary>
    /// <exception cref="InvalidDataException">The stream holds something else, is truncated, damaged, or of a newer version.</exception>
    public static BpeMerges Read(Stream stream) => BpeMerges.FromIds(Envelope.Read(stream, (count, reader) =>
    {
        if (count is < 0 or > MaxMerges || count > reader.BaseStream.Length / 2)
            throw new FormatException($"It claims {count} merges in {reader.BaseStream.Length} bytes.");
        var pairs = new List<(int Left, int Right)>(count);
        for (var i = 0; i < count; i++) pairs.Add((reader.Read7BitEncodedInt(), reader.Read7BitEncodedInt()));
        return pairs;
    }));
}
