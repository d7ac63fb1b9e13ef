using System.Collections.Frozen;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The some 400 characters that mojibake is made of, by what they are used for when they are meant.</summary>
/// <remarks>Source: the categories of ftfy 6.3.1's <c>badness</c> heuristic.</remarks>
internal static class MojibakeCharacters
{
    /// <summary>Uses of a character; a few characters have two.</summary>
    [Flags]
    internal enum CharacterClass
    {
        /// <summary>Not a part of mojibake.</summary>
        None = 0,

        /// <summary>Dashes, ellipsis and the like, which occur anywhere.</summary>
        Common = 1 << 0,

        /// <summary>Control characters U+0080..U+009F.</summary>
        C1 = 1 << 1,

        /// <summary>Characters that hardly occur outside of mojibake.</summary>
        Bad = 1 << 2,

        /// <summary>Section and paragraph signs.</summary>
        Law = 1 << 3,

        /// <summary>Currency signs.</summary>
        Currency = 1 << 4,

        /// <summary>What opens a word or quotation.</summary>
        StartPunctuation = 1 << 5,

        /// <summary>What closes a word or quotation.</summary>
        EndPunctuation = 1 << 6,

        /// <summary>Mathematical signs, fractions and superscripts.</summary>
        Numeric = 1 << 7,

        /// <summary>Letters that faces are drawn with.</summary>
        Kaomoji = 1 << 8,

        /// <summary>Accented capitals.</summary>
        UpperAccented = 1 << 9,

        /// <summary>Accented small letters.</summary>
        LowerAccented = 1 << 10,

        /// <summary>Greek and Cyrillic capitals.</summary>
        UpperCommon = 1 << 11,

        /// <summary>Greek and Cyrillic small letters.</summary>
        LowerCommon = 1 << 12,

        /// <summary>Box drawing.</summary>
        Box = 1 << 13,

        /// <summary>A to Z.</summary>
        AsciiUpper = 1 << 14,

        /// <summary>a to z.</summary>
        AsciiLower = 1 << 15,
    }

    private static readonly FrozenDictionary<char, CharacterClass> Classes = BuildClasses();

    /// <summary>All characters that have a class.</summary>
    public static IEnumerable<char> Known => Classes.Keys;

    /// <summary>All classes of a character.</summary>
    public static CharacterClass ClassesOf(char c) => Classes.GetValueOrDefault(c);

    private static FrozenDictionary<char, CharacterClass> BuildClasses()
    {
        var classes = new Dictionary<char, CharacterClass>();
        Add(CharacterClass.Common, "\u00A0\u00AD·´–—―…’");
        AddRange(CharacterClass.C1, '\u0080', '\u009F');
        Add(CharacterClass.Bad, "¦¤¨¬¯¸ƒˆˇ˘˛˜†‡‰⌐◊\uFFFDªº");
        Add(CharacterClass.Law, "¶§");
        Add(CharacterClass.Currency, "¢£¥₧€");
        Add(CharacterClass.StartPunctuation, "¡«¿©΄΅‘‚“„•‹\uF8FF");
        Add(CharacterClass.EndPunctuation, "®»˝”›™");
        Add(CharacterClass.Numeric, "²³¹±¼½¾×µ÷⁄∂∆∏∑√∞∩∫≈≠≡≤≥№");
        Add(CharacterClass.Kaomoji, "ÒÓÔÕÖÙÚÛÜòóôõöøùúûüŐŌŪŲ°");
        AddRange(CharacterClass.UpperAccented, 'À', 'Ñ');
        Add(CharacterClass.UpperAccented, "ØÜÝĂĀĄĆČĎĐĘĚĒĖĞĢİĪĶĹĽŁĻŃŇŅŒŘŚŞŠŢŤŮŰŸŹŻŽҐ");
        AddRange(CharacterClass.LowerAccented, 'à', 'ñ');
        Add(CharacterClass.LowerAccented, "ßăąāćčďđęěēėğģįīķĺľłļœŕśşšťüźżžґﬁﬂ");
        AddRange(CharacterClass.UpperCommon, 'Α', 'Ω');
        AddRange(CharacterClass.UpperCommon, 'Ё', 'Я');
        Add(CharacterClass.UpperCommon, "ÞΆΈΉΊΌΎΏΪΫ");
        AddRange(CharacterClass.LowerCommon, 'α', 'ω');
        AddRange(CharacterClass.LowerCommon, 'а', 'џ');
        Add(CharacterClass.LowerCommon, "άέήίΰ");
        AddRange(CharacterClass.Box, '═', '╬');
        Add(CharacterClass.Box, "│┌┐┘├┤┬┼▀▄█▌▐░▒▓");   // not the single horizontal line, which faces are drawn with
        AddRange(CharacterClass.AsciiUpper, 'A', 'Z');
        AddRange(CharacterClass.AsciiLower, 'a', 'z');
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
