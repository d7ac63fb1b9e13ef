using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Character references of HTML 5, such as <c>&amp;eacute;</c> and <c>&amp;#233;</c>.</summary>
/// <remarks>
/// Source: the WHATWG HTML standard, section "character reference state"; a browser's reading of attribute values is not followed.
/// System.Net.WebUtility knows only the names of HTML 4, needs the semicolon and leaves invalid numbers alone.
/// </remarks>
internal static class HtmlEntities
{
    private const int LongestName = 32;
    private const int LongestUnambiguousName = 24;   // ftfy 6.3.1

    // Names with their semicolon, and those without it that are valid so.
    private static readonly FrozenDictionary<string, string> Names = ReadNames();
    private static readonly FrozenDictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> ByName =
        Names.GetAlternateLookup<ReadOnlySpan<char>>();

    // Names in capitals, as texts have them that were made upper case as a whole; value likewise upper case.
    private static readonly FrozenDictionary<string, string> Capitals = BuildCapitals();
    private static readonly FrozenDictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> ByCapitals =
        Capitals.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Resolves every reference as a browser does: also without semicolon, where the longest known name counts.</summary>
    public static string Unescape(string text)
    {
        var i = text.IndexOf('&');
        if (i < 0) return text;
        var result = new StringBuilder(text.Length);
        var kept = 0;
        for (; i >= 0 && i + 1 < text.Length; i = text.IndexOf('&', i + 1))
        {
            if (Resolve(text.AsSpan(i + 1), out var length) is not { } value) continue;
            result.Append(text, kept, i - kept).Append(value);
            kept = i + 1 + length;
            i += length;
        }
        return result.Append(text, kept, text.Length - kept).ToString();
    }

    /// <summary>Resolves only references that end in a semicolon and cannot be meant otherwise; also names in capitals.</summary>
    /// <remarks>Source: ftfy 6.3.1, <c>unescape_html</c>.</remarks>
    public static string UnescapeUnambiguous(string text)
    {
        StringBuilder? result = null;
        var kept = 0;
        for (var i = text.IndexOf('&'); i >= 0; i = text.IndexOf('&', i + 1))
        {
            var begin = i + 1 < text.Length && text[i + 1] == '#' ? i + 2 : i + 1;
            var end = begin;
            while (end < text.Length && end - begin < LongestUnambiguousName && char.IsAsciiLetterOrDigit(text[end])) end++;
            if (end == begin || end >= text.Length || text[end] != ';') continue;
            if (ResolveUnambiguous(text.AsSpan(i + 1, end - i)) is not { } value) continue;
            (result ??= new StringBuilder()).Append(text, kept, i - kept).Append(value);
            kept = end + 1;
            i = end;
        }
        return result?.Append(text, kept, text.Length - kept).ToString() ?? text;
    }

    // reference: what follows the ampersand, up to and with the semicolon.
    private static string? ResolveUnambiguous(ReadOnlySpan<char> reference)
    {
        if (reference[0] == '#')
        {
            var value = Number(reference, out var length);
            return length < reference.Length || value == ";" ? null : value;
        }
        return ByName.TryGetValue(reference, out var named) || ByCapitals.TryGetValue(reference, out named) ? named : null;
    }

    // rest: what follows the ampersand. Null when this is no reference.
    private static string? Resolve(ReadOnlySpan<char> rest, out int length)
    {
        if (rest[0] == '#') return Number(rest, out length);
        var name = 0;
        while (name < rest.Length && name < LongestName && char.IsAsciiLetterOrDigit(rest[name])) name++;
        length = name + 1;
        if (name < rest.Length && rest[name] == ';' && ByName.TryGetValue(rest[..length], out var value)) return value;
        for (length = name; length > 1; length--)
            if (ByName.TryGetValue(rest[..length], out value)) return value;
        return null;
    }

    private static string? Number(ReadOnlySpan<char> rest, out int length)
    {
        var isHex = rest.Length > 1 && rest[1] is 'x' or 'X';
        var begin = isHex ? 2 : 1;
        long code = 0;
        for (length = begin; length < rest.Length; length++)
        {
            if (!(isHex ? char.IsAsciiHexDigit(rest[length]) : char.IsAsciiDigit(rest[length]))) break;
            code = Math.Min(code * (isHex ? 16 : 10) + Convert.ToInt32(rest[length].ToString(), 16), 0x110000);
        }
        if (length == begin) return null;
        if (length < rest.Length && rest[length] == ';') length++;
        return Character((int)code);
    }

    private static string Character(int code) => code switch
    {
        0 or (>= 0xD800 and <= 0xDFFF) or > 0x10FFFF => "\uFFFD",
        >= 0x80 and <= 0x9F => SingleByteEncoding.FromWindows1252((char)code).ToString(),
        (>= 0x01 and <= 0x08) or 0x0B or (>= 0x0E and <= 0x1F) or 0x7F or (>= 0xFDD0 and <= 0xFDEF) => "",
        _ when (code & 0xFFFE) == 0xFFFE => "",   // the last two of every plane are no characters
        _ => char.ConvertFromUtf32(code),
    };

    private static FrozenDictionary<string, string> ReadNames()
    {
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in HtmlEntityTable.Entries.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = entry.IndexOf('=', StringComparison.Ordinal);
            var name = entry[..equals].TrimEnd('*');
            var value = string.Concat(entry[(equals + 1)..].Split('+').Select(
                hex => char.ConvertFromUtf32(int.Parse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture))));
            names.Add(name + ';', value);
            if (name.Length < equals) names.Add(name, value);
        }
        return names.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private static FrozenDictionary<string, string> BuildCapitals()
    {
        var capitals = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in Names)
        {
            if (!name.EndsWith(';') || name.Any(char.IsAsciiLetterUpper)) continue;
            // In a name of ASCII letters and digits only the letters change.
            var upper = string.Concat(name.Select(c => char.IsAsciiLetterLower(c) ? (char)(c - 32) : c));
            if (Resolve(upper, out _) is null) capitals.Add(upper, string.Concat(value.EnumerateRunes().Select(LowerCase.Upper)));
        }
        return capitals.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
