using System.Collections.Frozen;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Unicode normalization form C: a letter and its marks become one character where Unicode has one.</summary>
/// <remarks>
/// Source: Unicode Standard Annex 15, with the data of Unicode 14.0. <see cref="string.Normalize()"/> is not used, because it returns
/// the text unchanged in an application with InvariantGlobalization.
/// </remarks>
public static class CanonicalComposition
{
    private const char FirstAffected = '\u0300';   // everything below is composed and no mark

    // Hangul syllables are computed (Unicode standard, section 3.12).
    private const int FirstSyllable = 0xAC00, FirstLead = 0x1100, FirstVowel = 0x1161, BeforeFirstTail = 0x11A7;
    private const int LeadCount = 19, VowelCount = 21, TailCount = 28, SyllableCount = LeadCount * VowelCount * TailCount;

    /// <summary>Converts a text to normalization form C.</summary>
    /// <param name="text">Any text; lone surrogates become U+FFFD.</param>
    /// <returns>The composed text; the same in every culture and globalization mode.</returns>
    public static string Compose(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.AsSpan().IndexOfAnyInRange(FirstAffected, '\uFFFF') < 0) return text;
        var codes = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes()) AppendDecomposed(codes, rune.Value);
        SortMarks(codes);
        ComposePairs(codes);
        var result = new StringBuilder(text.Length);
        Span<char> units = stackalloc char[2];
        foreach (var code in codes) result.Append(units[..new Rune(code).EncodeToUtf16(units)]);
        return result.ToString();
    }

    private static void AppendDecomposed(List<int> codes, int code)
    {
        if (code - FirstSyllable is >= 0 and < SyllableCount and var syllable)
        {
            codes.Add(FirstLead + syllable / (VowelCount * TailCount));
            codes.Add(FirstVowel + syllable / TailCount % VowelCount);
            if (syllable % TailCount != 0) codes.Add(BeforeFirstTail + syllable % TailCount);
        }
        else if (Tables.Decompositions.TryGetValue(code, out var parts))
        {
            AppendDecomposed(codes, parts.First);
            if (parts.Second != 0) AppendDecomposed(codes, parts.Second);
        }
        else
        {
            codes.Add(code);
        }
    }

    // Marks between two characters of class 0 are put in the order of their classes; equal classes keep their order.
    private static void SortMarks(List<int> codes)
    {
        for (var begin = 0; begin < codes.Count; begin++)
        {
            var end = begin;
            while (end < codes.Count && ClassOf(codes[end]) != 0) end++;
            if (end - begin > 1)
            {
                var sorted = codes.GetRange(begin, end - begin).OrderBy(ClassOf).ToArray();   // a stable sort
                for (var i = 0; i < sorted.Length; i++) codes[begin + i] = sorted[i];
            }
            begin = end;
        }
    }

    private static void ComposePairs(List<int> codes)
    {
        const int Nothing = -1;
        var count = 0;
        var starter = Nothing;
        var lastClass = Nothing;   // of the characters kept since the starter
        foreach (var code in CollectionsMarshal.AsSpan(codes))   // written in place, never ahead of what is read
        {
            var combiningClass = ClassOf(code);
            if (starter != Nothing && lastClass < combiningClass && Pair(codes[starter], code) is { } composed)
            {
                codes[starter] = composed;
                continue;
            }
            if (combiningClass == 0) starter = count;
            lastClass = combiningClass == 0 ? Nothing : combiningClass;
            codes[count++] = code;
        }
        codes.RemoveRange(count, codes.Count - count);
    }

    private static int? Pair(int first, int second)
    {
        if (first - FirstLead is >= 0 and < LeadCount and var lead && second - FirstVowel is >= 0 and < VowelCount and var vowel)
            return FirstSyllable + (lead * VowelCount + vowel) * TailCount;
        if (first - FirstSyllable is >= 0 and < SyllableCount and var syllable && syllable % TailCount == 0
            && second - BeforeFirstTail is > 0 and < TailCount and var tail)
            return first + tail;
        return Tables.Compositions.TryGetValue((first, second), out var composed) ? composed : null;
    }

    private static int ClassOf(int code) => Tables.CombiningClasses.GetValueOrDefault(code);

    /// <summary>Read when the first text needs them; most texts do not.</summary>
    private static class Tables
    {
        public static readonly FrozenDictionary<int, (int First, int Second)> Decompositions;   // Second is 0 in a single one
        public static readonly FrozenDictionary<(int First, int Second), int> Compositions;
        public static readonly FrozenDictionary<int, int> CombiningClasses;

        static Tables()
        {
            var decompositions = new Dictionary<int, (int First, int Second)>();
            var compositions = new Dictionary<(int First, int Second), int>();
            var code = 0;
            var isPair = true;
            foreach (var entry in EmbeddedTable.Entries("CanonicalDecompositions"))
            {
                var split = entry.IndexOfAny(['=', '>']);
                code = split < 0 ? code + 1 : EmbeddedTable.Hex(entry.AsSpan(0, split));
                isPair = split < 0 ? isPair : entry[split] == '=';
                var parts = entry[(split + 1)..].Split('+');
                var decomposed = (EmbeddedTable.Hex(parts[0]), parts.Length > 1 ? EmbeddedTable.Hex(parts[1]) : 0);
                decompositions.Add(code, decomposed);
                if (isPair) compositions.Add(decomposed, code);
            }
            var classes = new Dictionary<int, int>();
            foreach (var entry in EmbeddedTable.Entries("CombiningClasses"))
            {
                var parts = entry.Split('-', '=');
                var combiningClass = int.Parse(parts[^1], CultureInfo.InvariantCulture);
                for (code = EmbeddedTable.Hex(parts[0]); code <= EmbeddedTable.Hex(parts[^2]); code++) classes.Add(code, combiningClass);
            }
            Decompositions = decompositions.ToFrozenDictionary();
            Compositions = compositions.ToFrozenDictionary();
            CombiningClasses = classes.ToFrozenDictionary();
        }
    }
}
