using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Undoes damage that texts take on their way through the web: mojibake, stray references, odd characters.</summary>
/// <remarks>
/// Source: the documented behaviour of <c>ftfy.fix_text</c>, ftfy 6.3.1, with its defaults (docs/decisions/0006-text-cleaning.md).
/// </remarks>
internal static class TextRepair
{
    private const int MaxSegmentLength = 1_000_000;   // code points; ftfy's max_decode_length
    private const char Escape = '\x1B';

    private static readonly FrozenDictionary<char, string> Replacements = BuildReplacements();

    /// <summary>Repairs every line on its own.</summary>
    /// <remarks>A line with a '&lt;' is taken for HTML, whose references are meant: from there on they are left alone.</remarks>
    public static string Repair(string text)
    {
        var result = new StringBuilder(text.Length);
        var unescape = true;
        for (var begin = 0; begin < text.Length;)
        {
            var end = SegmentEnd(text, begin);
            var segment = text[begin..end];
            unescape &= !segment.Contains('<');
            result.Append(RepairSegment(segment, unescape));
            begin = end;
        }
        return result.ToString();
    }

    // One repair can bring out the next fault, so all are repeated until nothing changes.
    private static string RepairSegment(string text, bool unescape)
    {
        string before;
        do
        {
            before = text;
            if (unescape) text = HtmlEntities.UnescapeUnambiguous(text);
            text = MojibakeRepair.Repair(text);
            text = ReplaceCharacters(text);
            text = RemoveTerminalEscapes(text);
            text = RemoveControlCharacters(text);
            text = CanonicalComposition.Compose(text);
        }
        while (!string.Equals(text, before, StringComparison.Ordinal));
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

    private static string ReplaceCharacters(string text)
    {
        StringBuilder? result = null;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            string? replacement = null;
            if (c >= '\x80' && Replacements.TryGetValue(c, out var found)) replacement = found;
            else if (c == '\r') replacement = i + 1 < text.Length && text[i + 1] == '\n' ? "" : "\n";
            else if (char.IsSurrogate(c) && !IsPartOfPair(text, i)) replacement = "\uFFFD";
            if (replacement is not null) (result ??= new StringBuilder(text, 0, i, text.Length)).Append(replacement);
            else result?.Append(c);
        }
        return result?.ToString() ?? text;
    }

    private static bool IsPartOfPair(string text, int i) => char.IsHighSurrogate(text[i])
        ? i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])
        : i > 0 && char.IsHighSurrogate(text[i - 1]);

    // ESC [ digits and semicolons, one letter: colours and cursor movements of terminals.
    private static string RemoveTerminalEscapes(string text)
    {
        StringBuilder? result = null;
        var kept = 0;
        for (var i = text.IndexOf(Escape); i >= 0; i = text.IndexOf(Escape, i + 1))
        {
            if (i + 1 >= text.Length || text[i + 1] != '[') continue;
            var end = i + 2;
            while (end < text.Length && ParameterLength(text, end) is > 0 and var length) end += length;
            if (end >= text.Length || !char.IsAsciiLetter(text[end])) continue;
            (result ??= new StringBuilder()).Append(text, kept, i - kept);
            kept = end + 1;
            i = end;
        }
        return result?.Append(text, kept, text.Length - kept).ToString() ?? text;
    }

    private static int ParameterLength(string text, int i)
    {
        if (text[i] == ';') return 1;
        if (CharUnicodeInfo.GetUnicodeCategory(text, i) != UnicodeCategory.DecimalDigitNumber) return 0;
        return char.IsSurrogatePair(text, i) ? 2 : 1;
    }

    private static string RemoveControlCharacters(string text)
    {
        StringBuilder? result = null;
        for (var i = 0; i < text.Length; i++)
        {
            if (IsRemoved(text[i])) result ??= new StringBuilder(text, 0, i, text.Length);
            else result?.Append(text[i]);
        }
        return result?.ToString() ?? text;
    }

    // Controls without visible effect; tab, line feed and form feed stay, and so do joiners and direction marks.
    private static bool IsRemoved(char c) => c is <= '\x08' or '\x0B' or >= '\x0E' and <= '\x1F' or '\x7F'
        or >= '\u206A' and <= '\u206F' or '\uFEFF' or >= '\uFFF9' and <= '\uFFFC';

    private static FrozenDictionary<char, string> BuildReplacements()
    {
        var map = new Dictionary<char, string>();
        for (var c = '\x80'; c <= '\x9F'; c++)
            if (SingleByteEncoding.FromWindows1252(c) is var meant && meant != c) map[c] = meant.ToString();
        AddLigatures(map);
        AddWidths(map);
        // Curly quotes come last, since the steps before can give some.
        foreach (var c in "\u02BC\u2018\u2019\u201A\u201B") map[c] = "'";
        foreach (var c in "\u201C\u201D\u201E\u201F") map[c] = "\"";
        foreach (var (c, value) in map.ToArray())
            if (map.TryGetValue(value[0], out var quote)) map[c] = quote + value[1..];
        foreach (var c in "\x85\u2028\u2029") map.TryAdd(c, "\n");
        return map.ToFrozenDictionary();
    }

    private static void AddLigatures(Dictionary<char, string> map)
    {
        // Latin ligatures and digraphs that stand for two letters; ae and oe are letters and stay.
        const string Pairs = "Ĳ=IJ ĳ=ij ŉ=ʼn Ǆ=DŽ ǅ=Dž ǆ=dž Ǉ=LJ ǈ=Lj ǉ=lj Ǌ=NJ ǋ=Nj ǌ=nj Ǳ=DZ ǲ=Dz ǳ=dz "
            + "ﬀ=ff ﬁ=fi ﬂ=fl ﬃ=ffi ﬄ=ffl ﬅ=ſt ﬆ=st";
        foreach (var pair in Pairs.Split(' ')) map[pair[0]] = pair[2..];
    }

    // Full width ASCII and half width Katakana, Hangul and signs: Unicode's block U+FF00..U+FFEF and its compatibility mappings.
    private static void AddWidths(Dictionary<char, string> map)
    {
        map['\u3000'] = " ";
        for (var c = '\uFF01'; c <= '\uFF5E'; c++) map[c] = ((char)(c - 0xFEE0)).ToString();
        AddRow(map, '\uFF5F', "⦅⦆。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン\u3099\u309A");
        AddRow(map, '\uFFA0', "\u1160\u1100\u1101\u11AA\u1102\u11AC\u11AD\u1103\u1104\u1105\u11B0\u11B1\u11B2\u11B3\u11B4\u11B5\u111A");
        AddRow(map, '\uFFB1', "\u1106\u1107\u1108\u1121\u1109\u110A\u110B\u110C\u110D\u110E\u110F\u1110\u1111\u1112");
        AddRow(map, '\uFFC2', "\u1161\u1162\u1163\u1164\u1165\u1166");
        AddRow(map, '\uFFCA', "\u1167\u1168\u1169\u116A\u116B\u116C");
        AddRow(map, '\uFFD2', "\u116D\u116E\u116F\u1170\u1171\u1172");
        AddRow(map, '\uFFDA', "\u1173\u1174\u1175");
        AddRow(map, '\uFFE0', "¢£¬");
        map['\uFFE3'] = " \u0304";
        AddRow(map, '\uFFE4', "¦¥₩");
        AddRow(map, '\uFFE8', "│←↑→↓■○");
    }

    private static void AddRow(Dictionary<char, string> map, char first, string values)
    {
        for (var i = 0; i < values.Length; i++) map[(char)(first + i)] = values[i].ToString();
    }
}
