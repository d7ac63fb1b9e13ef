using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Finds the encodings through which a garbled text went, and decodes it as the UTF-8 that it was.</summary>
/// <remarks>Source: the algorithm of ftfy 6.3.1's <c>fix_encoding</c> with its defaults.</remarks>
internal static class MojibakeRepair
{
    /// <summary>Repairs until nothing looks like mojibake, or nothing can be done about it.</summary>
    public static string Repair(string text)
    {
        while (!Ascii.IsValid(text) && MojibakeDetector.IsLikely(text))
        {
            var repaired = RepairOnce(text);
            if (repaired == text) break;
            text = repaired;
        }
        return text;
    }

    private static string RepairOnce(string text)
    {
        foreach (var encoding in SingleByteEncoding.All)
        {
            if (encoding.TryEncode(text) is not { } bytes) continue;
            // In Mac Roman an en dash before a space would look like a lost no-break space.
            if (encoding != SingleByteEncoding.MacRoman) bytes = DamagedUtf8.RestoreNoBreakSpaces(bytes);
            if (encoding.IsSloppy) bytes = DamagedUtf8.ReplaceLostSequences(bytes);
            if (DamagedUtf8.TryDecode(bytes) is { } decoded) return decoded;
        }
        // A text joined from several sources: each part that looks like UTF-8 sequences is repaired on its own.
        var inParts = text.Rewrite(RepairPart);
        return inParts != text ? inParts : text.Rewrite(ReadControlAsWindows1252);
    }

    private static (int Length, string Value) RepairPart(string text, int i)
    {
        var length = Utf8Lookalikes.LengthAt(text, i);
        if (length == 0) return default;
        var part = text.Substring(i, length);
        // A part must be shorter than the text, or this would not end.
        return (length, length < text.Length && MojibakeDetector.IsLikely(part) ? Repair(part) : part);
    }

    // Windows-1252 read as Latin 1 leaves the control characters U+0080..U+009F, which nobody means.
    private static (int Length, string Value) ReadControlAsWindows1252(string text, int i) =>
        text[i] is >= '\x80' and <= '\x9F' ? (1, SingleByteEncoding.FromWindows1252(text[i]).ToString()) : default;
}
