using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Replaces parts of a text in a single pass.</summary>
internal static class TextRewriting
{
    /// <summary>Decides what happens at one position of a text.</summary>
    /// <returns>The number of characters to replace, and their replacement; default keeps the character.</returns>
    internal delegate (int Length, string Value) Rule(string text, int position);

    /// <summary>Applies a rule at every code point that no earlier replacement covers; replacements are not rewritten again.</summary>
    public static string Rewrite(this string text, Rule rule)
    {
        StringBuilder? result = null;
        var kept = 0;
        for (var i = 0; i < text.Length;)
        {
            var (length, value) = rule(text, i);
            if (length == 0)
            {
                i += char.IsSurrogatePair(text, i) ? 2 : 1;
                continue;
            }
            (result ??= new StringBuilder()).Append(text, kept, i - kept).Append(value);
            kept = i += length;
        }
        return result?.Append(text, kept, text.Length - kept).ToString() ?? text;
    }
}
