namespace Microsoft.ML.PrefixConditioning;

/// <summary>Finds JPEG files whose data end before their pixels although an end mark follows. libjpeg then fills the rest with gray and
/// only warns, of which Skia tells nothing; without the mark, Skia reports the end.</summary>
/// <remarks>
/// Source: ITU T.81, annex B. Only files of one baseline or extended sequential scan are looked at: scans of a progressive file refine the
/// whole image, and a decoder reads to the mark before it gives any pixel.
/// </remarks>
internal static class JpegEnd
{
    /// <summary>Bytes behind the data that a decoder may look at without using them.</summary>
    public const int Padding = 64;

    private const byte StartOfScan = 0xDA, EndOfImage = 0xD9;

    /// <summary>Position of the mark that ends a sequential image; -1 in any other file.</summary>
    public static int Find(ReadOnlySpan<byte> file)
    {
        var components = 0;
        for (var at = 2; at + 4 < file.Length && file[at] == 0xFF;)
        {
            var marker = file[at + 1];
            if (marker == 0xFF)   // a fill byte
            {
                at++;
                continue;
            }
            var length = (file[at + 2] << 8) | file[at + 3];
            if (marker is 0xC0 or 0xC1 && at + 9 < file.Length) components = file[at + 9];
            else if (marker is > 0xC1 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC)) return -1;   // another kind of frame
            at += 2 + length;
            if (marker == StartOfScan)
                return components > 0 && at - length + 2 < file.Length && file[at - length + 2] == components ? FindMark(file, at) : -1;
        }
        return -1;
    }

    private static int FindMark(ReadOnlySpan<byte> file, int at)
    {
        while (at < file.Length && file[at..].IndexOf((byte)0xFF) is >= 0 and var next && at + next + 1 < file.Length)
        {
            at += next;
            var code = file[at + 1];
            if (code == EndOfImage) return at;
            if (code is not (0 or 0xFF or (>= 0xD0 and <= 0xD7))) return -1;   // a byte of data, a fill byte, a restart
            at += code == 0xFF ? 1 : 2;
        }
        return -1;
    }
}
