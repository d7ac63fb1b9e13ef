using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Repairs damage that texts take on their way through the web: mojibake, stray character references, odd characters.</summary>
/// <remarks>
/// Source: the documented behavior of <c>ftfy.fix_text</c>, ftfy 6.3.1, with its defaults (docs/decisions/0006-text-cleaning.md).
/// </remarks>
public static class TextRepair
{
    private const int MaxSegmentLength = 1_000_000;   // code points; ftfy's max_decode_length

    // Latin ligatures and digraphs that stand for two letters; ae and oe are letters and stay.
    private const string Ligatures =
        "Ĳ=IJ ĳ=ij ŉ=ʼn Ǆ=DŽ ǅ=Dž ǆ=dž Ǉ=LJ ǈ=Lj ǉ=lj Ǌ=NJ ǋ=Nj ǌ=nj Ǳ=DZ ǲ=Dz ǳ=dz ﬀ=ff ﬁ=fi ﬂ=fl ﬃ=ffi ﬄ=ffl ﬅ=ſt ﬆ=st";

    // Half width Katakana, Hangul and signs from a character on: Unicode's block U+FF00..U+FFEF and its compatibility mappings.
    private static readonly (char First, string Values)[] HalfWidths =
    [
        ('\uFF5F', "⦅⦆。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン\u3099\u309A"),
        ('\uFFA0', "\u1160\u1100\u1101\u11AA\u1102\u11AC\u11AD\u1103\u1104\u1105\u11B0\u11B1\u11B2\u11B3\u11B4\u11B5\u111A"),
        ('\uFFB1', "\u1106\u1107\u1108\u1121\u1109\u110A\u110B\u110C\u110D\u110E\u110F\u1110\u1111\u1112"),
        ('\uFFC2', "\u1161\u1162\u1163\u1164\u1165\u1166"),
        ('\uFFCA', "\u1167\u1168\u1169\u116A\u116B\u116C"),
        ('\uFFD2', "\u116D\u116E\u116F\u1170\u1171\u1172"),
        ('\uFFDA', "\u1173\u1174\u1175"),
        ('\uFFE0', "¢£¬"),
        ('\uFFE4', "¦¥₩"),
        ('\uFFE8', "│←↑→↓■○"),
    ];

    private static readonly FrozenDictionary<char, string> Replacements = BuildReplacements();

    /// <summary>Repairs a text, each of its lines on its own.</summary>
    /// <param name="text">Any text; lone surrogates become U+FFFD.</param>
    /// <returns>
    /// The text without mojibake, terminal escapes and control characters; with line feeds as line breaks, straight quotes, letters
    /// instead of ligatures and of characters of another width; in normalization form C.
    /// </returns>
    /// <remarks>
    /// Character references are decoded up to the first line with a '&lt;': such a text is taken for HTML, where they are meant.
    /// </remarks>
    public static string Repair(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var result = new StringBuilder(text.Length);
        var decode = true;
        for (var begin = 0; begin < text.Length;)
        {
            var end = SegmentEnd(text, begin);
            var segment = text[begin..end];
            decode &= !segment.Contains('<');
            result.Append(RepairSegment(segment, decode));
            begin = end;
        }
        return result.ToString();
    }

    // One repair can bring out the next fault, so all are repeated until nothing changes.
    private static string RepairSegment(string text, bool decode)
    {
        string before;
        do
        {
            before = text;
            if (decode) text = HtmlEntities.DecodeUnambiguous(text);
            text = MojibakeRepair.Repair(text);
            text = text.Rewrite(ReplaceCharacter).Rewrite(RemoveTerminalEscape).Rewrite(RemoveControlCharacter);
            text = CanonicalComposition.Compose(text);
        }
        while (text != before);
        return text;
    }

    private static int SegmentEnd(string text, int begin)
    {
        var lineBreak = text.IndexOf('\n', begin);
        var end = lineBreak < 0 ? text.Length : lineBreak + 1;
        if (end - begin <= MaxSegmentLength) return end;
        var position = begin;
        for (var count = 0; count < MaxSegmentLength && position < end; count++)
            position += char.IsSurrogatePair(text, position) ? 2 : 1;
        return position;
    }

    private static (int Length, string Value) ReplaceCharacter(string text, int i) => text[i] switch
    {
        '\r' => (i + 1 < text.Length && text[i + 1] == '\n' ? 2 : 1, "\n"),
        >= '\x80' and var c when Replacements.TryGetValue(c, out var value) => (1, value),
        var c when char.IsSurrogate(c) && !char.IsSurrogatePair(text, i) => (1, "\uFFFD"),
        _ => default,
    };

    // ESC [ digits and semicolons, one letter: colors and cursor movements of terminals.
    private static (int Length, string Value) RemoveTerminalEscape(string text, int i)
    {
        if (text[i] != '\x1B' || i + 1 == text.Length || text[i + 1] != '[') return default;
        var end = i + 2;
        while (end < text.Length && IsParameter(text, end)) end += char.IsSurrogatePair(text, end) ? 2 : 1;
        return end < text.Length && char.IsAsciiLetter(text[end]) ? (end + 1 - i, "") : default;
    }

    private static bool IsParameter(string text, int i) =>
        text[i] == ';' || CharUnicodeInfo.GetUnicodeCategory(text, i) == UnicodeCategory.DecimalDigitNumber;

    // Controls without visible effect; tab, line feed and form feed stay, and so do joiners and direction marks.
    private static (int Length, string Value) RemoveControlCharacter(string text, int i) => text[i]
        is <= '\x08' or '\x0B' or >= '\x0E' and <= '\x1F' or '\x7F'
            or >= '\u206A' and <= '\u206F' or '\uFEFF' or >= '\uFFF9' and <= '\uFFFC'
        ? (1, "") : default;

    private static FrozenDictionary<char, string> BuildReplacements()
    {
        var map = new Dictionary<char, string> { ['\u2028'] = "\n", ['\u2029'] = "\n", ['\u3000'] = " ", ['\uFFE3'] = " \u0304" };
        for (var c = '\x80'; c <= '\x9F'; c++)
            if (SingleByteEncoding.FromWindows1252(c) is var meant && meant != c) map[c] = meant.ToString();
        foreach (var pair in Ligatures.Split(' ')) map[pair[0]] = pair[2..];
        for (var c = '\uFF01'; c <= '\uFF5E'; c++) map[c] = ((char)(c - 0xFEE0)).ToString();   // full width ASCII
        foreach (var (first, values) in HalfWidths)
            for (var i = 0; i < values.Length; i++) map[(char)(first + i)] = values[i].ToString();
        // Curly quotes come last, since the steps before can give some.
        foreach (var c in "\u02BC\u2018\u2019\u201A\u201B") map[c] = "'";
        foreach (var c in "\u201C\u201D\u201E\u201F") map[c] = "\"";
        foreach (var (c, value) in map.ToArray())
            if (map.TryGetValue(value[0], out var quote)) map[c] = quote + value[1..];
        return map.ToFrozenDictionary();
    }
}
