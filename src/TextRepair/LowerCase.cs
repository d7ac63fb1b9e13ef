using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Full lower-casing of Unicode without language-specific rules.</summary>
/// <remarks>
/// Source: the Unicode standard, section 3.13 (toLowercase), and UnicodeData.txt of Unicode 14.0, the version of the reference's
/// Python 3.11. <see cref="string.ToLowerInvariant"/> maps character by character, so it has neither the final sigma nor the
/// dotted capital I, and its table depends on the globalization mode and the installed ICU.
/// </remarks>
public static class LowerCase
{
    // Small letters whose capital is not simply the reverse, as far as they occur as character references.
    private const string SpecialCapitals = "ß=SS ŉ=ʼN ﬀ=FF ﬁ=FI ﬂ=FL ﬃ=FFI ﬄ=FFL ı=I µ=Μ ς=Σ ϑ=Θ ϕ=Φ ϖ=Π ϰ=Κ ϱ=Ρ ϵ=Ε";

    // Apostrophes, dots and colons within words: Unicode's Word_Break values MidLetter, MidNumLet and Single_Quote.
    private const string WordInnerPunctuation = "'.:·\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A";

    private static readonly FrozenDictionary<int, string> Lower = ReadLower();
    private static readonly FrozenDictionary<int, string> Capitals = BuildCapitals();

    /// <summary>Converts a text to lower case.</summary>
    /// <param name="text">Any text.</param>
    /// <returns>The text in lower case; the same in every culture and globalization mode.</returns>
    public static string Apply(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Ascii.IsValid(text) ? text.ToLowerInvariant() : text.Rewrite(LowerAt);
    }

    /// <summary>The capital of one character, which may be several; complete only for what character references give.</summary>
    internal static string Upper(Rune rune) => Capitals.TryGetValue(rune.Value, out var capital) ? capital : rune.ToString();

    private static (int Length, string Value) LowerAt(string text, int i)
    {
        if (text[i] == 'Σ' && IsWordEnd(text, i)) return (1, "ς");
        return Lower.TryGetValue(CodePointAt(text, i), out var lower) ? (char.IsSurrogatePair(text, i) ? 2 : 1, lower) : default;
    }

    // A sigma is final when a letter comes before it and none after it, marks and apostrophes not counted.
    private static bool IsWordEnd(string text, int sigma)
    {
        var i = sigma;
        do
        {
            if (i == 0) return false;
            i -= i > 1 && char.IsSurrogatePair(text, i - 2) ? 2 : 1;
        }
        while (IsCaseIgnorable(text, i));
        if (!IsCased(text, i)) return false;
        for (i = sigma + 1; i < text.Length; i += char.IsSurrogatePair(text, i) ? 2 : 1)
            if (!IsCaseIgnorable(text, i)) return !IsCased(text, i);
        return true;
    }

    private static bool IsCaseIgnorable(string text, int i) => WordInnerPunctuation.Contains(text[i])
        || CharUnicodeInfo.GetUnicodeCategory(text, i) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark
            or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;

    // Letters with case, ordinal indicators, Roman numerals, and letters in circles and squares.
    private static bool IsCased(string text, int i) => CharUnicodeInfo.GetUnicodeCategory(text, i)
            is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
        || CodePointAt(text, i) is 0xAA or 0xBA or (>= 0x2160 and <= 0x217F) or (>= 0x24B6 and <= 0x24E9)
            or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    private static int CodePointAt(string text, int i) =>
        char.IsSurrogatePair(text, i) ? char.ConvertToUtf32(text[i], text[i + 1]) : text[i];

    private static FrozenDictionary<int, string> ReadLower()
    {
        var map = new Dictionary<int, string> { ['İ'] = "i\u0307" };
        foreach (var entry in EmbeddedTable.Entries("LowerCase"))
        {
            var sign = entry.LastIndexOfAny(['+', '-']);
            var distance = int.Parse(entry.AsSpan(sign), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            var bounds = entry[..sign].Split('-', '~');
            var step = entry.Contains('~') ? 2 : 1;
            for (var code = EmbeddedTable.Hex(bounds[0]); code <= EmbeddedTable.Hex(bounds[^1]); code += step)
                map.Add(code, char.ConvertFromUtf32(code + distance));
        }
        return map.ToFrozenDictionary();
    }

    private static FrozenDictionary<int, string> BuildCapitals()
    {
        var capitals = new Dictionary<int, string>();
        foreach (var (upper, lower) in Lower.OrderBy(pair => pair.Key))
            capitals.TryAdd(char.ConvertToUtf32(lower, 0), char.ConvertFromUtf32(upper));
        foreach (var special in SpecialCapitals.Split(' ')) capitals[special[0]] = special[2..];
        return capitals.ToFrozenDictionary();
    }
}
