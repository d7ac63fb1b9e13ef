using System.Collections.Frozen;
using System.Globalization;
using System.Runtime.InteropServices;
using static Microsoft.ML.PrefixConditioning.CharacterClass;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What a character is used for when it is meant; a character can have several uses.</summary>
[Flags]
internal enum CharacterClass
{
    None = 0,

    // The some 400 characters that mojibake is made of. Source: the categories of ftfy 6.3.1's "badness" heuristic.
    Common = 1 << 0,        // dashes, ellipsis and the like, which occur anywhere
    C1 = 1 << 1,            // control characters U+0080..U+009F
    Bad = 1 << 2,           // hardly occurs outside of mojibake
    Law = 1 << 3,           // section and paragraph signs
    Currency = 1 << 4,
    Begin = 1 << 5,         // opens a word or quotation
    End = 1 << 6,           // closes a word or quotation
    Numeric = 1 << 7,       // mathematical signs, fractions and superscripts
    Kaomoji = 1 << 8,       // letters that faces are drawn with
    Upper = 1 << 9,         // accented capitals
    Lower = 1 << 10,        // accented small letters
    UpperCommon = 1 << 11,  // Greek and Cyrillic capitals
    LowerCommon = 1 << 12,  // Greek and Cyrillic small letters
    Box = 1 << 13,          // box drawing
    AsciiUpper = 1 << 14,
    AsciiLower = 1 << 15,

    // Any character has some of these.
    Word = 1 << 16,         // letters, numbers and the underscore
    Space = 1 << 17,
    Any = 1 << 18,          // all but the line feed
    NoLatin = 1 << 19,      // all but A to Z and a to z

    TextStart = 1 << 20,    // the place before the first character

    AnyCommonLetter = UpperCommon | LowerCommon,
    AnyMarked = Lower | Upper | Box | Begin | End | Currency | Numeric | Law,
    AsciiLetter = AsciiUpper | AsciiLower,
}

/// <summary>Detects likely mojibake by neighbors that people hardly ever write, such as an accented letter and a currency sign.</summary>
/// <remarks>
/// Source: the rules of ftfy 6.3.1's <c>badness</c> heuristic. Its authors tuned them on texts of the web. Each rule is a sequence of
/// character sets, and one occurrence of one rule is enough.
/// </remarks>
internal static class MojibakeDetector
{
    // One place of a rule: a set of characters, by their classes and one by one.
    private readonly record struct Place(CharacterClass Classes, string Characters = "")
    {
        public static implicit operator Place(CharacterClass classes) => new(classes);
        public static implicit operator Place(string characters) => new(None, characters);
    }

    private static readonly FrozenDictionary<char, CharacterClass> Classes = BuildClasses();

    // What stands between two Arabic lead bytes, Cyrillic leads and Greek leads that were misread.
    private static readonly Place AfterArabicLead = new(Common | Currency | Bad | Numeric | Begin, "ŸŠ®°µ»");
    private static readonly Place AfterCyrillicLead = new(C1 | Bad | Begin | End | Currency, "°µ");
    private static readonly Place AfterGreekLead = new(C1 | Bad | Begin | End | Currency, "°");

    // Every rule has a character outside of ASCII among its first three.
    private const int ReachOfAscii = 3;

    private static readonly Place[][] Rules =
    [
        [C1],
        [Bad | AnyMarked, Bad],
        [AsciiLetter, AnyCommonLetter, Bad],
        [Bad, AnyMarked],
        [Lower | LowerCommon | Box | End | Currency | Numeric, Upper],
        [Box | End | Currency | Numeric, Lower],
        [Lower | Box | End, Currency],
        [Space, Upper, Currency],
        [Upper | Box, Numeric | Law],
        [Lower | Upper | Box | Currency | End, Begin, Numeric],
        [Lower | Upper | Currency | Numeric | Box | Law, End, Begin],
        [Currency | Numeric | Box, Begin],
        [AsciiLower, Upper, Begin | Currency],
        [Box, Kaomoji],
        [Lower | Upper | Currency | Numeric | Begin | End | Law, Box],
        [Box, End],
        [Lower | Upper, Begin | End, Word],
        ["Œœ", NoLatin],
        [Upper, "°"],
        // Windows-1252: two characters that were one.
        ["ÂÃÎÐ", new(Begin | End, "€œŠš¢£Ÿž\u00A0\u00AD®©°·»–—´")],
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
        ["Г", "ў", "В", "Ђ", "В", Any, new(AsciiLetter, " ")],
        // A and a-grave whose no-break space may have become a space.
        ["Ã", "\u00A0¡"],
        [AsciiLower, "ÃÂ", " "],
        [AsciiLower, Space, "ÃÂ", " "],
        [TextStart, "ÃÂ", " "],
        [new(AsciiLower | End, ".,?!"), "Â", new(Begin | End, " ")],
        // Windows-1253 and Windows-1257: characters from U+2000 on.
        ["β", "€", "™\u00A0Ά\u00AD®°"],
        ["ΒΓΞΟ", AfterGreekLead, "ΒΓΞΟ"],
        ["ā", "€"],
    ];

    /// <summary>True when any rule matches anywhere in the text.</summary>
    public static bool IsLikely(string text)
    {
        var characters = new List<(char Character, CharacterClass Classes)>(text.Length + 1) { ('\0', TextStart) };
        for (var i = 0; i < text.Length; i += char.IsSurrogatePair(text, i) ? 2 : 1) characters.Add((text[i], ClassesAt(text, i)));
        for (var rest = CollectionsMarshal.AsSpan(characters); rest.Length > 0; rest = rest[1..])
        {
            if (IsAscii(rest[..Math.Min(ReachOfAscii, rest.Length)])) continue;
            foreach (var rule in Rules)
                if (Matches(rule, rest)) return true;
        }
        return false;
    }

    private static bool IsAscii(ReadOnlySpan<(char Character, CharacterClass Classes)> characters)
    {
        foreach (var (c, _) in characters)
            if (!char.IsAscii(c)) return false;
        return true;
    }

    private static bool Matches(Place[] rule, ReadOnlySpan<(char Character, CharacterClass Classes)> characters)
    {
        if (rule.Length > characters.Length) return false;
        for (var i = 0; i < rule.Length; i++)
            if ((characters[i].Classes & rule[i].Classes) == 0 && !rule[i].Characters.Contains(characters[i].Character)) return false;
        return true;
    }

    private static CharacterClass ClassesAt(string text, int i)
    {
        var c = text[i];
        return Classes.GetValueOrDefault(c)
            | (c == '_' || IsLetterOrNumber(CharUnicodeInfo.GetUnicodeCategory(text, i)) ? Word : None)
            | (char.IsWhiteSpace(c) || c is >= '\x1C' and <= '\x1F' ? Space : None)
            | (c != '\n' ? Any : None)
            | (char.IsAsciiLetter(c) ? None : NoLatin);
    }

    private static bool IsLetterOrNumber(UnicodeCategory category) => category is UnicodeCategory.UppercaseLetter
        or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter
        or UnicodeCategory.OtherLetter or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    private static FrozenDictionary<char, CharacterClass> BuildClasses()
    {
        var classes = new Dictionary<char, CharacterClass>();
        Add(Common, "\u00A0\u00AD·´–—―…’");
        AddRange(C1, '\u0080', '\u009F');
        Add(Bad, "¦¤¨¬¯¸ƒˆˇ˘˛˜†‡‰⌐◊\uFFFDªº");
        Add(Law, "¶§");
        Add(Currency, "¢£¥₧€");
        Add(Begin, "¡«¿©΄΅‘‚“„•‹\uF8FF");
        Add(End, "®»˝”›™");
        Add(Numeric, "²³¹±¼½¾×µ÷⁄∂∆∏∑√∞∩∫≈≠≡≤≥№");
        Add(Kaomoji, "ÒÓÔÕÖÙÚÛÜòóôõöøùúûüŐŌŪŲ°");
        AddRange(Upper, 'À', 'Ñ');
        Add(Upper, "ØÜÝĂĀĄĆČĎĐĘĚĒĖĞĢİĪĶĹĽŁĻŃŇŅŒŘŚŞŠŢŤŮŰŸŹŻŽҐ");
        AddRange(Lower, 'à', 'ñ');
        Add(Lower, "ßăąāćčďđęěēėğģįīķĺľłļœŕśşšťüźżžґﬁﬂ");
        AddRange(UpperCommon, 'Α', 'Ω');
        AddRange(UpperCommon, 'Ё', 'Я');
        Add(UpperCommon, "ÞΆΈΉΊΌΎΏΪΫ");
        AddRange(LowerCommon, 'α', 'ω');
        AddRange(LowerCommon, 'а', 'џ');
        Add(LowerCommon, "άέήίΰ");
        AddRange(Box, '═', '╬');
        Add(Box, "│┌┐┘├┤┬┼▀▄█▌▐░▒▓");   // not the single horizontal line, which faces are drawn with
        AddRange(AsciiUpper, 'A', 'Z');
        AddRange(AsciiLower, 'a', 'z');
        return classes.ToFrozenDictionary();

        void Add(CharacterClass kind, string characters)
        {
            foreach (var c in characters) classes[c] = classes.GetValueOrDefault(c) | kind;
        }

        void AddRange(CharacterClass kind, char first, char last)
        {
            for (var c = first; c <= last; c++) classes[c] = classes.GetValueOrDefault(c) | kind;
        }
    }
}
