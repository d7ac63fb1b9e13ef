using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Finds out through which encodings a garbled text went, and reads it again as the UTF-8 that it was.</summary>
/// <remarks>Source: the algorithm of ftfy 6.3.1's <c>fix_encoding</c> with its defaults.</remarks>
internal static class MojibakeRepair
{
    /// <summary>Repairs until nothing looks like mojibake any more, or nothing can be done about it.</summary>
    public static string Repair(string text)
    {
        while (true)
        {
            if (Ascii.IsValid(text) || !MojibakeDetector.IsLikely(text)) return text;
            var repaired = RepairOnce(text);
            if (string.Equals(repaired, text, StringComparison.Ordinal)) return text;
            text = repaired;
        }
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
        var inParts = RepairParts(text);
        return string.Equals(inParts, text, StringComparison.Ordinal) ? ReadControlsAsWindows1252(text) : inParts;
    }

    // A text joined from several sources: only the pieces that look like UTF-8 sequences are repaired, each on its own.
    private static string RepairParts(string text)
    {
        StringBuilder? result = null;
        var kept = 0;
        for (var i = 0; i < text.Length;)
        {
            var length = Utf8Lookalikes.LengthAt(text, i);
            if (length == 0)
            {
                i++;
                continue;
            }
            // The piece must be shorter than the text, or this would not end.
            if (length < text.Length && text.Substring(i, length) is var piece && MojibakeDetector.IsLikely(piece))
            {
                (result ??= new StringBuilder()).Append(text, kept, i - kept).Append(Repair(piece));
                kept = i + length;
            }
            i += length;
        }
        return result?.Append(text, kept, text.Length - kept).ToString() ?? text;
    }

    // Windows-1252 read as Latin 1 leaves the control characters U+0080..U+009F, which nobody means.
    private static string ReadControlsAsWindows1252(string text) => string.Create(text.Length, text, static (span, text) =>
    {
        for (var i = 0; i < span.Length; i++)
            span[i] = text[i] is >= '\x80' and <= '\x9F' ? SingleByteEncoding.FromWindows1252(text[i]) : text[i];
    });
}
