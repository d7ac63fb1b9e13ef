using System.Collections.Frozen;
using System.Globalization;
using static Microsoft.ML.PrefixConditioning.MojibakeCharacters;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Tells likely mojibake by neighbours that people hardly ever write, such as an accented letter and a currency sign.</summary>
/// <remarks>
/// Source: the rules of ftfy 6.3.1's <c>badness</c> heuristic. Its authors tuned them on texts of the web; each rule is a sequence of
/// character sets, and one occurrence of one rule is enough.
/// </remarks>
internal static class MojibakeDetector
{
    private enum Kind { Set, LetterOrDigit, WhiteSpace, NoLineFeed, NoAsciiLetter, Start }

    // One place of a rule; a set is given by classes and by single characters.
    private readonly record struct Place(Kind Kind, CharacterClass Classes, string Characters)
    {
        public static implicit operator Place(CharacterClass classes) => new(Kind.Set, classes, "");
        public static implicit operator Place(string characters) => new(Kind.Set, CharacterClass.None, characters);
    }

    private const CharacterClass Upper = CharacterClass.UpperAccented;
    private const CharacterClass Lower = CharacterClass.LowerAccented;
    private const CharacterClass Begin = CharacterClass.StartPunctuation;
    private const CharacterClass End = CharacterClass.EndPunctuation;
    private const CharacterClass Currency = CharacterClass.Currency;
    private const CharacterClass Numeric = CharacterClass.Numeric;
    private const CharacterClass Law = CharacterClass.Law;
    private const CharacterClass Box = CharacterClass.Box;
    private const CharacterClass Bad = CharacterClass.Bad;
    private const CharacterClass C1 = CharacterClass.C1;
    private const CharacterClass AnyCommonLetter = CharacterClass.UpperCommon | CharacterClass.LowerCommon;
    private const CharacterClass AnyMarked = Lower | Upper | Box | Begin | End | Currency | Numeric | Law;
    private const CharacterClass AsciiLetter = CharacterClass.AsciiUpper | CharacterClass.AsciiLower;

    private static readonly Place Word = new(Kind.LetterOrDigit, CharacterClass.None, "");
    private static readonly Place Space = new(Kind.WhiteSpace, CharacterClass.None, "");
    private static readonly Place Any = new(Kind.NoLineFeed, CharacterClass.None, "");
    private static readonly Place NoLatin = new(Kind.NoAsciiLetter, CharacterClass.None, "");
    private static readonly Place TextStart = new(Kind.Start, CharacterClass.None, "");

    // What stands between two Arabic lead bytes, Cyrillic leads and Greek leads that were misread.
    private static readonly Place AfterArabicLead = With(CharacterClass.Common | Currency | Bad | Numeric | Begin, "ŸŠ®°µ»");
    private static readonly Place AfterCyrillicLead = With(C1 | Bad | Begin | End | Currency, "°µ");
    private static readonly Place AfterGreekLead = With(C1 | Bad | Begin | End | Currency, "°");

    private static readonly Place[][] Rules =
    [
        [C1],
        [Bad | AnyMarked, Bad],
        [AsciiLetter, AnyCommonLetter, Bad],
        [Bad, AnyMarked],
        [Lower | CharacterClass.LowerCommon | Box | End | Currency | Numeric, Upper],
        [Box | End | Currency | Numeric, Lower],
        [Lower | Box | End, Currency],
        [Space, Upper, Currency],
        [Upper | Box, Numeric | Law],
        [Lower | Upper | Box | Currency | End, Begin, Numeric],
        [Lower | Upper | Currency | Numeric | Box | Law, End, Begin],
        [Currency | Numeric | Box, Begin],
        [CharacterClass.AsciiLower, Upper, Begin | Currency],
        [Box, CharacterClass.Kaomoji],
        [Lower | Upper | Currency | Numeric | Begin | End | Law, Box],
        [Box, End],
        [Lower | Upper, Begin | End, Word],
        ["Œœ", NoLatin],
        [Upper, "°"],
        // Windows-1252: two characters that were one.
        ["ÂÃÎÐ", With(Begin | End, "€œŠš¢£Ÿž\u00A0\u00AD®©°·»–—´")],
        ["×", "²³"],
        ["ØÙ", AfterArabicLead, "ØÙ", AfterArabicLead],
        ["à", "²µ¹¼½¾"],
        // Mac Roman.
        ["√", "±∂†≠®™´≤≥¥µø"],
        ["≈", "°¢"],
        ["‚", "Ä", "ìîïòôúùû†°¢π"],
        ["‚", "âó", "àä°ê"],
        // Windows-1251: quotation marks and dashes, then Cyrillic itself, then what Latin 1 made of it before.
        ["в", "Ђ"],
        ["ВГРС", AfterCyrillicLead, "ВГРС"],
        ["Г", "ў", "В", "Ђ", "В", Any, With(AsciiLetter, " ")],
        // A and a-grave whose no-break space may have become a space.
        ["Ã", "\u00A0¡"],
        [CharacterClass.AsciiLower, "ÃÂ", " "],
        [CharacterClass.AsciiLower, Space, "ÃÂ", " "],
        [TextStart, "ÃÂ", " "],
        [With(CharacterClass.AsciiLower | End, ".,?!"), "Â", With(Begin | End, " ")],
        // Windows-1253 and Windows-1257: characters from U+2000 on.
        ["β", "€", "™\u00A0Ά\u00AD®°"],
        ["ΒΓΞΟ", AfterGreekLead, "ΒΓΞΟ"],
        ["ā", "€"],
    ];

    // The rules by the character that their first place may hold; those that begin with something else are tried everywhere.
    private static readonly FrozenDictionary<char, Place[][]> RulesByFirst = GroupRules();
    private static readonly Place[][] OtherRules = Rules.Where(rule => rule[0].Kind != Kind.Set).ToArray();

    /// <summary>True when any rule matches anywhere in the text.</summary>
    public static bool IsLikely(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (AnyMatches(OtherRules, text, i)) return true;
            if (RulesByFirst.TryGetValue(text[i], out var rules) && AnyMatches(rules, text, i)) return true;
        }
        return false;
    }

    private static bool AnyMatches(Place[][] rules, string text, int i)
    {
        foreach (var rule in rules)
            if (Matches(rule, text, i)) return true;
        return false;
    }

    private static FrozenDictionary<char, Place[][]> GroupRules()
    {
        var sets = Rules.Where(rule => rule[0].Kind == Kind.Set).ToArray();
        return Known.Concat(sets.SelectMany(rule => rule[0].Characters)).Distinct()
            .ToFrozenDictionary(c => c, c => sets.Where(rule => Matches(rule[0], c.ToString(), 0)).ToArray());
    }

    private static Place With(CharacterClass classes, string characters) => new(Kind.Set, classes, characters);

    private static bool Matches(Place[] rule, string text, int i)
    {
        foreach (var place in rule)
        {
            if (place.Kind == Kind.Start)
            {
                if (i != 0) return false;
                continue;
            }
            if (i >= text.Length || !Matches(place, text, i)) return false;
            // Sets hold no character above U+FFFF, all other places may stand on one.
            i += place.Kind != Kind.Set && char.IsSurrogatePair(text, i) ? 2 : 1;
        }
        return true;
    }

    private static bool Matches(in Place place, string text, int i)
    {
        var c = text[i];
        return place.Kind switch
        {
            Kind.Set => (ClassesOf(c) & place.Classes) != 0 || place.Characters.Contains(c),
            Kind.WhiteSpace => char.IsWhiteSpace(c) || c is >= '\x1C' and <= '\x1F',
            Kind.NoLineFeed => c != '\n',
            Kind.NoAsciiLetter => !char.IsAsciiLetter(c),
            _ => c == '_' || IsLetterOrNumber(CharUnicodeInfo.GetUnicodeCategory(text, i)),
        };
    }

    private static bool IsLetterOrNumber(UnicodeCategory category) => category is UnicodeCategory.UppercaseLetter
        or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter
        or UnicodeCategory.OtherLetter or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;
}
