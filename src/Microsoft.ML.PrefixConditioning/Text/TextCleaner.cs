using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Cleans texts as CLIP's were cleaned before its vocabulary was learned.</summary>
/// <remarks>
/// Source: <c>SimpleTokenizer</c> of open_clip v3.3.0 with <c>clean="lower"</c>: ftfy 6.3.1, HTML references twice, white space,
/// lower case. Nothing here depends on the process's culture or on its globalization mode, so a model reads texts alike everywhere.
/// </remarks>
internal static class TextCleaner
{
    /// <summary>Repairs the text, resolves character references, collapses white space and makes it lower case.</summary>
    /// <param name="text">Any text; lone surrogates are allowed and become U+FFFD.</param>
    /// <returns>Words separated by single spaces; empty when nothing is left.</returns>
    public static string Clean(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (IsClean(text)) return text;
        if (!NeedsNoRepair(text))
        {
            text = TextRepair.Repair(text);
            text = HtmlEntities.Decode(HtmlEntities.Decode(text));   // twice: web captions are often escaped twice
        }
        return LowerCase.Apply(CollapseWhiteSpace(text));
    }

    /// <summary>Trims, and replaces every run of white space by one space.</summary>
    internal static string CollapseWhiteSpace(string text)
    {
        var result = new StringBuilder(text.Length);
        var pending = false;
        foreach (var c in text)
        {
            if (IsWhiteSpace(c))
            {
                pending = result.Length > 0;
                continue;
            }
            if (pending) result.Append(' ');
            pending = false;
            result.Append(c);
        }
        return result.ToString();
    }

    /// <summary>Whether cleaning changes nothing: words in small ASCII letters with single spaces between them.</summary>
    private static bool IsClean(string text)
    {
        var last = ' ';
        foreach (var c in text)
        {
            if (c is not (>= ' ' and <= '~' and not '&' and not (>= 'A' and <= 'Z')) || (c == ' ' && last == ' ')) return false;
            last = c;
        }
        return last != ' ' || text.Length == 0;
    }

    // Python's str.isspace: Unicode's White_Space and the four ASCII separators.
    private static bool IsWhiteSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1C' and <= '\x1F';

    // Most captions are plain ASCII, which no step but white space and lower case can change.
    private static bool NeedsNoRepair(string text)
    {
        foreach (var c in text)
            if (c is not (>= ' ' and <= '~' and not '&' or '\t' or '\n' or '\f' or '\r')) return false;
        return true;
    }
}
