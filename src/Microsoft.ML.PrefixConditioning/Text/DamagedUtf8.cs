using System.Text;
using System.Text.Unicode;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Bytes that are UTF-8 but for well-known damage: a no-break space become a space, a lost byte, a variant.</summary>
/// <remarks>Source: ftfy 6.3.1, <c>restore_byte_a0</c>, <c>replace_lossy_sequences</c> and its codec <c>utf-8-variants</c>.</remarks>
internal static class DamagedUtf8
{
    private const byte Space = 0x20;
    private const byte NoBreakSpace = 0xA0;
    private const byte Lost = 0x1A;   // what a sloppy encoding makes of U+FFFD
    private const byte Cesu = 0xED;   // leads the UTF-8 form of a surrogate

    // Portuguese words that go on after an "à"; anywhere else a space after byte C3 is also a real space.
    private static readonly byte[][] AfterAGrave =
        [" "u8.ToArray(), "quele"u8.ToArray(), "quela"u8.ToArray(), "quilo"u8.ToArray(), "s "u8.ToArray()];

    /// <summary>Puts byte A0 back where a space stands inside what would be a likely UTF-8 sequence.</summary>
    public static byte[] RestoreNoBreakSpaces(byte[] bytes)
    {
        if (!bytes.AsSpan().Contains(Space)) return bytes;
        var separated = new List<byte>(bytes.Length);
        for (var i = 0; i < bytes.Length; i++)
        {
            separated.Add(bytes[i]);
            if (bytes[i] == 0xC3 && At(bytes, i + 1) == Space && !ContinuesAGrave(bytes, i + 2)) separated.Add(NoBreakSpace);
        }
        var result = separated.ToArray();
        for (var i = 0; i < result.Length;)
        {
            var length = SpacedSequenceLength(result, i);
            result.AsSpan(i, length).Replace(Space, NoBreakSpace);
            i += Math.Max(1, length);
        }
        return result;
    }

    /// <summary>Makes U+FFFD of every sequence of which a byte was lost, and of every lost byte on its own.</summary>
    public static byte[] ReplaceLostSequences(byte[] bytes)
    {
        if (!bytes.AsSpan().ContainsAny(Lost, (byte)'?')) return bytes;
        var result = new List<byte>(bytes.Length);
        for (var i = 0; i < bytes.Length;)
        {
            var length = LostSequenceLength(bytes, i);
            if (length > 0) result.AddRange("\uFFFD"u8);
            else result.Add(bytes[i]);
            i += Math.Max(1, length);
        }
        return result.ToArray();
    }

    /// <summary>Decodes UTF-8, also where characters above U+FFFF are surrogate pairs (CESU-8) and U+0000 is C0 80 (Java).</summary>
    /// <returns>Null when the bytes are none of these.</returns>
    public static string? TryDecode(byte[] bytes)
    {
        if (bytes.AsSpan().ContainsAny(Cesu, (byte)0xC0))
        {
            var standard = new List<byte>(bytes.Length);
            Span<byte> character = stackalloc byte[4];
            for (var i = 0; i < bytes.Length;)
            {
                if (bytes[i] == 0xC0 && i + 1 < bytes.Length && (bytes[i + 1] == 0x80 || IsEnd(bytes, i + 1)))
                {
                    standard.Add(0);
                    i += 2;
                }
                else if (IsSurrogatePair(bytes, i))
                {
                    var scalar = ((bytes[i + 1] & 0x0F) << 16) + ((bytes[i + 2] & 0x3F) << 10)
                        + ((bytes[i + 4] & 0x0F) << 6) + (bytes[i + 5] & 0x3F) + 0x10000;
                    standard.AddRange(character[..new Rune(scalar).EncodeToUtf8(character)]);
                    i += 6;
                }
                else
                {
                    standard.Add(bytes[i++]);
                }
            }
            bytes = standard.ToArray();
        }
        return Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : null;
    }

    // The reference's patterns end at "$", which also holds before a last line feed: a truncated sequence there swallows it.
    private static bool IsEnd(byte[] bytes, int i) => i == bytes.Length || (i == bytes.Length - 1 && bytes[i] == (byte)'\n');

    private static bool IsSurrogatePair(byte[] b, int i) => i + 6 <= b.Length && b[i] == Cesu && b[i + 1] is >= 0xA0 and <= 0xAF
        && IsContinuation(b[i + 2]) && b[i + 3] == Cesu && b[i + 4] is >= 0xB0 and <= 0xBF && (IsContinuation(b[i + 5]) || IsEnd(b, i + 5));

    private static bool ContinuesAGrave(byte[] bytes, int i)
    {
        foreach (var word in AfterAGrave)
            if (bytes.AsSpan(i).StartsWith(word)) return true;
        return false;
    }

    // Only lead bytes whose sequence with A0 is a likely character: after C2, C3, C5, CE, D0, D9 directly, and in the longer
    // sequences of E0..E3 and F0. Byte 85 is left out, since it is an ellipsis that often precedes a real space.
    private static int SpacedSequenceLength(byte[] bytes, int i)
    {
        int first = bytes[i], second = At(bytes, i + 1), third = At(bytes, i + 2), fourth = At(bytes, i + 3);
        if (first is 0xC2 or 0xC3 or 0xC5 or 0xCE or 0xD0 or 0xD9 && second == Space) return 2;
        if (first is 0xE2 or 0xE3 && second == Space && IsSureContinuation(third)) return 3;
        if (first is >= 0xE0 and <= 0xE3 && IsSureContinuation(second) && third == Space) return 3;
        if (first != 0xF0) return 0;
        var spaces = (second == Space ? 1 : 0) + (third == Space ? 1 : 0) + (fourth == Space ? 1 : 0);
        var continuations = (IsContinuation(second) ? 1 : 0) + (IsContinuation(third) ? 1 : 0) + (IsContinuation(fourth) ? 1 : 0);
        return spaces == 1 && continuations == 2 ? 4 : 0;
    }

    // A question mark counts as a lost byte at most once in a sequence, and after C2 and C3 only: it is mostly just itself.
    private static int LostSequenceLength(byte[] bytes, int i)
    {
        int first = bytes[i], second = At(bytes, i + 1), third = At(bytes, i + 2), fourth = At(bytes, i + 3);
        if (first is >= 0xC2 and <= 0xDF && second == Lost) return 2;
        if (first is 0xC2 or 0xC3 && second == '?') return 2;
        if (first == Cesu && second is >= 0xA0 and <= 0xAF && fourth == Cesu && At(bytes, i + 4) is >= 0xB0 and <= 0xBF)
        {
            var last = At(bytes, i + 5);
            if ((IsLost(third) && (IsLost(last) || IsContinuation(last))) || (IsContinuation(third) && IsLost(last))) return 6;
        }
        if (first is >= 0xE0 and <= 0xEF && HasOneLoss(second, third)) return 3;
        if (first is >= 0xF0 and <= 0xF4 && HasOneLoss(second, third, fourth)) return 4;
        return first == Lost ? 1 : 0;
    }

    // At least one byte is lost, at most one of them shows as a question mark, and all others continue the sequence.
    private static bool HasOneLoss(params ReadOnlySpan<int> continuation)
    {
        int lost = 0, questionMarks = 0;
        foreach (var value in continuation)
        {
            if (value == '?') questionMarks++;
            else if (value == Lost) lost++;
            else if (!IsContinuation(value)) return false;
        }
        return lost + questionMarks > 0 && questionMarks <= 1;
    }

    private static bool IsLost(int value) => value is Lost or '?';

    private static bool IsContinuation(int value) => value is >= 0x80 and <= 0xBF;

    private static bool IsSureContinuation(int value) => IsContinuation(value) && value is not (0x85 or NoBreakSpace);

    private static int At(byte[] bytes, int i) => i < bytes.Length ? bytes[i] : -1;
}
