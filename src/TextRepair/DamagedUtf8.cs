using System.Text;
using System.Text.Unicode;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>UTF-8 with well-known damage: a no-break space that became a space, a lost byte, a variant of the encoding.</summary>
/// <remarks>
/// Source: ftfy 6.3.1, <c>restore_byte_a0</c>, <c>replace_lossy_sequences</c> and its codec <c>utf-8-variants</c>. Bytes are the
/// characters U+0000..U+00FF of a string, so that they are rewritten as texts are.
/// </remarks>
internal static class DamagedUtf8
{
    private const char Lost = '\x1A';   // what a sloppy encoding makes of U+FFFD
    private const char Cesu = '\xED';   // leads the UTF-8 form of a surrogate

    // Portuguese words that continue after an "à"; anywhere else a space after byte C3 is also a real space.
    private static readonly string[] AfterAGrave = [" ", "quele", "quela", "quilo", "s "];

    /// <summary>Puts byte A0 back where a space stands inside what would be a likely UTF-8 sequence.</summary>
    public static string RestoreNoBreakSpaces(string bytes) => bytes
        .Rewrite(static (b, i) => b[i] == '\xC3' && At(b, i + 1) == ' ' && !ContinuesAGrave(b, i + 2) ? (1, "\u00C3\u00A0") : default)
        .Rewrite(static (b, i) => SpacedSequenceLength(b, i) is > 0 and var n ? (n, b.Substring(i, n).Replace(' ', '\xA0')) : default);

    /// <summary>Replaces every sequence that lost a byte, and every lost byte on its own, by U+FFFD.</summary>
    public static string ReplaceLostSequences(string bytes) =>
        bytes.Rewrite(static (b, i) => (LostSequenceLength(b, i), "\u00EF\u00BF\u00BD"));

    /// <summary>Decodes UTF-8, also where characters above U+FFFF are surrogate pairs (CESU-8) and U+0000 is C0 80 (Java).</summary>
    /// <returns>Null when the bytes are none of these.</returns>
    public static string? TryDecode(string bytes)
    {
        var standard = Encoding.Latin1.GetBytes(bytes.Rewrite(ToStandard));
        return Utf8.IsValid(standard) ? Encoding.UTF8.GetString(standard) : null;
    }

    private static (int Length, string Value) ToStandard(string b, int i)
    {
        if (b[i] == '\xC0' && i + 1 < b.Length && (b[i + 1] == '\x80' || IsEnd(b, i + 1))) return (2, "\0");
        if (!IsSurrogatePair(b, i)) return default;
        var scalar = ((b[i + 1] & 0x0F) << 16) + ((b[i + 2] & 0x3F) << 10) + ((b[i + 4] & 0x0F) << 6) + (b[i + 5] & 0x3F) + 0x10000;
        return (6, Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(char.ConvertFromUtf32(scalar))));
    }

    // The reference's patterns end at "$", which also holds before a last line feed: a truncated sequence there swallows it.
    private static bool IsEnd(string b, int i) => i == b.Length || (i == b.Length - 1 && b[i] == '\n');

    private static bool IsSurrogatePair(string b, int i) => i + 6 <= b.Length && b[i] == Cesu && b[i + 1] is >= '\xA0' and <= '\xAF'
        && IsContinuation(b[i + 2]) && b[i + 3] == Cesu && b[i + 4] is >= '\xB0' and <= '\xBF'
        && (IsContinuation(b[i + 5]) || IsEnd(b, i + 5));

    private static bool ContinuesAGrave(string bytes, int i) =>
        AfterAGrave.Any(word => bytes.AsSpan(i).StartsWith(word, StringComparison.Ordinal));

    // Only lead bytes whose sequence with A0 is a likely character: after C2, C3, C5, CE, D0, D9 directly, and in the longer
    // sequences of E0..E3 and F0. Byte 85 is left out, since it is an ellipsis that often precedes a real space.
    private static int SpacedSequenceLength(string b, int i)
    {
        int first = b[i], second = At(b, i + 1), third = At(b, i + 2), fourth = At(b, i + 3);
        if (first is 0xC2 or 0xC3 or 0xC5 or 0xCE or 0xD0 or 0xD9 && second == ' ') return 2;
        if (first is 0xE2 or 0xE3 && second == ' ' && IsSureContinuation(third)) return 3;
        if (first is >= 0xE0 and <= 0xE3 && IsSureContinuation(second) && third == ' ') return 3;
        if (first != 0xF0) return 0;
        var spaces = (second == ' ' ? 1 : 0) + (third == ' ' ? 1 : 0) + (fourth == ' ' ? 1 : 0);
        var continuations = (IsContinuation(second) ? 1 : 0) + (IsContinuation(third) ? 1 : 0) + (IsContinuation(fourth) ? 1 : 0);
        return spaces == 1 && continuations == 2 ? 4 : 0;
    }

    // A question mark counts as a lost byte at most once in a sequence, and after C2 and C3 only: it is mostly just itself.
    private static int LostSequenceLength(string b, int i)
    {
        int first = b[i], second = At(b, i + 1), third = At(b, i + 2), fourth = At(b, i + 3);
        if (first is >= 0xC2 and <= 0xDF && second == Lost) return 2;
        if (first is 0xC2 or 0xC3 && second == '?') return 2;
        if (first == Cesu && second is >= 0xA0 and <= 0xAF && fourth == Cesu && At(b, i + 4) is >= 0xB0 and <= 0xBF)
        {
            var last = At(b, i + 5);
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

    private static bool IsSureContinuation(int value) => IsContinuation(value) && value is not (0x85 or 0xA0);

    private static int At(string b, int i) => i < b.Length ? b[i] : -1;
}
