using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Full lower-casing of Unicode without language-specific rules.</summary>
/// <remarks>
/// Source: the Unicode standard, section 3.13 (toLowercase), and UnicodeData.txt of Unicode 14.0, as the reference's Python 3.11 has
/// it. <see cref="string.ToLowerInvariant"/> maps character by character, so it has neither the final sigma nor the dotted
/// capital I, and its table depends on the globalization mode and the installed ICU.
/// </remarks>
internal static class LowerCase
{
    private const int DottedCapitalI = 0x130;
    private const int CapitalSigma = 0x3A3;

    // first[-last] or first~last (every second), then the distance to the small letter.
    private const string Ranges = """
        41-5A+32 C0-D6+32 D8-DE+32 100~12E+1 132~136+1 139~147+1 14A~176+1 178-121 179~17D+1 181+210 182~184+1 186+206 187+1 189-18A+205
        18B+1 18E+79 18F+202 190+203 191+1 193+205 194+207 196+211 197+209 198+1 19C+211 19D+213 19F+214 1A0~1A4+1 1A6+218 1A7+1 1A9+218
        1AC+1 1AE+218 1AF+1 1B1-1B2+217 1B3~1B5+1 1B7+219 1B8+1 1BC+1 1C4+2 1C5+1 1C7+2 1C8+1 1CA+2 1CB~1DB+1 1DE~1EE+1 1F1+2 1F2~1F4+1
        1F6-97 1F7-56 1F8~21E+1 220-130 222~232+1 23A+10795 23B+1 23D-163 23E+10792 241+1 243-195 244+69 245+71 246~24E+1 370~372+1 376+1
        37F+116 386+38 388-38A+37 38C+64 38E-38F+63 391-3A1+32 3A3-3AB+32 3CF+8 3D8~3EE+1 3F4-60 3F7+1 3F9-7 3FA+1 3FD-3FF-130 400-40F+80
        410-42F+32 460~480+1 48A~4BE+1 4C0+15 4C1~4CD+1 4D0~52E+1 531-556+48 10A0-10C5+7264 10C7+7264 10CD+7264 13A0-13EF+38864 13F0-13F5+8
        1C90-1CBA-3008 1CBD-1CBF-3008 1E00~1E94+1 1E9E-7615 1EA0~1EFE+1 1F08-1F0F-8 1F18-1F1D-8 1F28-1F2F-8 1F38-1F3F-8 1F48-1F4D-8
        1F59~1F5F-8 1F68-1F6F-8 1F88-1F8F-8 1F98-1F9F-8 1FA8-1FAF-8 1FB8-1FB9-8 1FBA-1FBB-74 1FBC-9 1FC8-1FCB-86 1FCC-9 1FD8-1FD9-8
        1FDA-1FDB-100 1FE8-1FE9-8 1FEA-1FEB-112 1FEC-7 1FF8-1FF9-128 1FFA-1FFB-126 1FFC-9 2126-7517 212A-8383 212B-8262 2132+28
        2160-216F+16 2183+1 24B6-24CF+26 2C00-2C2F+48 2C60+1 2C62-10743 2C63-3814 2C64-10727 2C67~2C6B+1 2C6D-10780 2C6E-10749 2C6F-10783
        2C70-10782 2C72+1 2C75+1 2C7E-2C7F-10815 2C80~2CE2+1 2CEB~2CED+1 2CF2+1 A640~A66C+1 A680~A69A+1 A722~A72E+1 A732~A76E+1 A779~A77B+1
        A77D-35332 A77E~A786+1 A78B+1 A78D-42280 A790~A792+1 A796~A7A8+1 A7AA-42308 A7AB-42319 A7AC-42315 A7AD-42305 A7AE-42308 A7B0-42258
        A7B1-42282 A7B2-42261 A7B3+928 A7B4~A7C2+1 A7C4-48 A7C5-42307 A7C6-35384 A7C7~A7C9+1 A7D0+1 A7D6~A7D8+1 A7F5+1 FF21-FF3A+32
        10400-10427+40 104B0-104D3+40 10570-1057A+39 1057C-1058A+39 1058C-10592+39 10594-10595+39 10C80-10CB2+64 118A0-118BF+32
        16E40-16E5F+32 1E900-1E921+34
        """;

    // Small letters whose capital is not simply the reverse, as far as they occur as character references.
    private const string SpecialCapitals = "ß=SS ŉ=ʼN ﬀ=FF ﬁ=FI ﬂ=FL ﬃ=FFI ﬄ=FFL ı=I µ=Μ ς=Σ ϑ=Θ ϕ=Φ ϖ=Π ϰ=Κ ϱ=Ρ ϵ=Ε";

    // Apostrophes, dots and colons within words: Unicode's Word_Break values MidLetter, MidNumLet and Single_Quote.
    private const string WordInnerPunctuation = "'.:·\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A";

    private static readonly FrozenDictionary<int, int> Lower = ReadRanges();
    private static readonly FrozenDictionary<int, string> Capitals = BuildCapitals();

    /// <summary>The text in lower case.</summary>
    public static string Apply(string text)
    {
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length;)
        {
            var code = CodePointAt(text, i, out var length);
            if (code == DottedCapitalI) result.Append("i\u0307");
            else if (code == CapitalSigma) result.Append(IsWordEnd(text, i) ? 'ς' : 'σ');
            else if (code < 0x80) result.Append(char.ToLowerInvariant((char)code));
            else if (Lower.TryGetValue(code, out var lower)) result.Append(char.ConvertFromUtf32(lower));
            else result.Append(text, i, length);
            i += length;
        }
        return result.ToString();
    }

    /// <summary>The capital of one character, which may be several; complete only for what character references give.</summary>
    internal static string Upper(Rune rune) => Capitals.TryGetValue(rune.Value, out var capital) ? capital : rune.ToString();

    // A sigma is final when a letter comes before it and none after it, marks and apostrophes not counted.
    private static bool IsWordEnd(string text, int sigma)
    {
        var i = sigma;
        while (true)
        {
            if (i == 0) return false;
            i -= i > 1 && char.IsSurrogatePair(text, i - 2) ? 2 : 1;
            if (!IsCaseIgnorable(text, i)) break;
        }
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
        || CodePointAt(text, i, out _) is 0xAA or 0xBA or (>= 0x2160 and <= 0x217F) or (>= 0x24B6 and <= 0x24E9)
            or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    private static int CodePointAt(string text, int i, out int length)
    {
        length = char.IsSurrogatePair(text, i) ? 2 : 1;
        return length == 2 ? char.ConvertToUtf32(text[i], text[i + 1]) : text[i];
    }

    private static FrozenDictionary<int, int> ReadRanges()
    {
        var map = new Dictionary<int, int>();
        foreach (var entry in Ranges.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
        {
            var sign = entry.LastIndexOfAny(['+', '-']);
            var distance = int.Parse(entry.AsSpan(sign), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            var bounds = entry[..sign].Split('-', '~');
            var first = int.Parse(bounds[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            var last = int.Parse(bounds[^1], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            for (var code = first; code <= last; code += entry.Contains('~') ? 2 : 1) map.Add(code, code + distance);
        }
        return map.ToFrozenDictionary();
    }

    private static FrozenDictionary<int, string> BuildCapitals()
    {
        var capitals = new Dictionary<int, string>();
        foreach (var (upper, lower) in Lower.OrderBy(pair => pair.Key)) capitals.TryAdd(lower, char.ConvertFromUtf32(upper));
        foreach (var special in SpecialCapitals.Split(' ')) capitals[special[0]] = special[2..];
        return capitals.ToFrozenDictionary();
    }
}
