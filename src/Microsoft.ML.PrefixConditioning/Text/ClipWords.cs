using System.Globalization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Splits a cleaned text into the words that BPE works on.</summary>
/// <remarks>
/// Source: the pattern of CLIP's <c>SimpleTokenizer</c>: the two special texts, English contractions, runs of letters, single
/// numerals, runs of anything else that is not white space. .NET's regular expressions see letters above U+FFFF as two
/// characters that are none, hence this scanner.
/// </remarks>
internal static class ClipWords
{
    /// <summary>Text of the start token in CLIP's vocabulary.</summary>
    public const string StartText = "<start_of_text>";

    /// <summary>Text of the end token in CLIP's vocabulary.</summary>
    public const string EndText = "<end_of_text>";

    // The pattern ignores case, in which this mark is the letter iota. It then counts neither as a letter nor as anything else,
    // and is left out.
    private const char IotaBelow = '\u0345';

    private static readonly string[] Special = [StartText, EndText];
    private static readonly string[] Contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

    private enum Kind { WhiteSpace, Letter, Numeral, Other }

    /// <summary>Finds the next word.</summary>
    /// <param name="text">A text in lower case.</param>
    /// <param name="position">Where to go on; moved behind the word.</param>
    /// <param name="word">Begin and end of the word.</param>
    /// <returns>False at the end of the text.</returns>
    public static bool TryNext(string text, ref int position, out Range word)
    {
        while (position < text.Length && KindAt(text, position, out _) == Kind.WhiteSpace) position++;
        var begin = position;
        if (begin < text.Length) position += LengthAt(text, begin);
        word = begin..position;
        return position > begin;
    }

    private static int LengthAt(string text, int begin)
    {
        foreach (var literal in text[begin] switch { '<' => Special, '\'' => Contractions, _ => [] })
            if (StartsWith(text.AsSpan(begin), literal)) return literal.Length;
        var kind = KindAt(text, begin, out var length);
        if (kind == Kind.Numeral) return length;
        var end = begin + length;
        while (end < text.Length && KindAt(text, end, out length) == kind) end += length;
        return end - begin;
    }

    // The pattern ignores case, and the long s is an s then: the only such letter that lower case leaves.
    private static bool StartsWith(ReadOnlySpan<char> text, string literal)
    {
        if (text.Length < literal.Length) return false;
        for (var i = 0; i < literal.Length; i++)
            if (text[i] != literal[i] && !(text[i] == 'ſ' && literal[i] == 's')) return false;
        return true;
    }

    private static Kind KindAt(string text, int i, out int length)
    {
        length = 1;
        if (char.IsAsciiLetter(text[i])) return Kind.Letter;
        if (text[i] == ' ') return Kind.WhiteSpace;
        if (char.IsSurrogatePair(text, i)) length = 2;
        if (char.IsWhiteSpace(text[i]) || text[i] == IotaBelow) return Kind.WhiteSpace;
        return CharUnicodeInfo.GetUnicodeCategory(text, i) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Numeral,
            _ => Kind.Other,
        };
    }
}
