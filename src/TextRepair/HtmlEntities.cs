using System.Collections.Frozen;
using System.Globalization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Character references of HTML 5, such as <c>&amp;eacute;</c> and <c>&amp;#233;</c>.</summary>
/// <remarks>
/// Source: the WHATWG HTML standard, section "character reference state", without its exception for attribute values.
/// System.Net.WebUtility knows only the names of HTML 4, requires the semicolon, and leaves invalid numbers alone.
/// </remarks>
public static class HtmlEntities
{
    private const int LongestName = 32;
    private const int LongestUnambiguousName = 24;   // ftfy 6.3.1

    // Names with their semicolon, and those without it that are valid so.
    private static readonly FrozenDictionary<string, string> Names = ReadNames();
    private static readonly FrozenDictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> ByName =
        Names.GetAlternateLookup<ReadOnlySpan<char>>();

    // Names in capitals, as in texts that were converted to upper case as a whole; their values are upper case too.
    private static readonly FrozenDictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> ByCapitals =
        BuildCapitals().GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Decodes every character reference once, as a browser does.</summary>
    /// <param name="text">Any text.</param>
    /// <returns>
    /// The decoded text. A reference without a semicolon is decoded if HTML allows it; the longest name that matches counts.
    /// Invalid numbers become U+FFFD.
    /// </returns>
    public static string Decode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Rewrite(static (text, i) =>
            text[i] == '&' && Resolve(text.AsSpan(i + 1), out var length) is { } value ? (1 + length, value) : default);
    }

    /// <summary>Decodes only references that end in a semicolon and have no other reading; also names in capitals.</summary>
    /// <remarks>Source: ftfy 6.3.1, <c>unescape_html</c>.</remarks>
    internal static string DecodeUnambiguous(string text) => text.Rewrite(static (text, i) =>
    {
        if (text[i] != '&') return default;
        var begin = i + 1 < text.Length && text[i + 1] == '#' ? i + 2 : i + 1;
        var end = begin;
        while (end < text.Length && end - begin < LongestUnambiguousName && char.IsAsciiLetterOrDigit(text[end])) end++;
        if (end == begin || end == text.Length || text[end] != ';') return default;
        var reference = text.AsSpan(i + 1, end - i);
        if (Resolve(reference, out var length) is not { } value || length < reference.Length)
            return ByCapitals.TryGetValue(reference, out var capital) ? (1 + reference.Length, capital) : default;
        return value == ";" && reference[0] == '#' ? default : (1 + length, value);
    });

    // rest: what follows the ampersand. Null when this is no reference.
    private static string? Resolve(ReadOnlySpan<char> rest, out int length)
    {
        if (rest.StartsWith('#')) return Number(rest, out length);
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
        length = begin;
        while (length < rest.Length && (isHex ? char.IsAsciiHexDigit(rest[length]) : char.IsAsciiDigit(rest[length]))) length++;
        if (length == begin) return null;
        var style = isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None;
        var isInRange = uint.TryParse(rest[begin..length], style, CultureInfo.InvariantCulture, out var code);
        if (length < rest.Length && rest[length] == ';') length++;
        return isInRange ? Character(code) : "\uFFFD";
    }

    private static string Character(uint code) => code switch
    {
        0 or (>= 0xD800 and <= 0xDFFF) or > 0x10FFFF => "\uFFFD",
        >= 0x80 and <= 0x9F => SingleByteEncoding.FromWindows1252((char)code).ToString(),
        (>= 0x01 and <= 0x08) or 0x0B or (>= 0x0E and <= 0x1F) or 0x7F or (>= 0xFDD0 and <= 0xFDEF) => "",
        _ when (code & 0xFFFE) == 0xFFFE => "",   // the last two of every plane are no characters
        _ => char.ConvertFromUtf32((int)code),
    };

    private static FrozenDictionary<string, string> ReadNames()
    {
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in EmbeddedTable.Entries("HtmlEntities"))
        {
            var parts = entry.Split('=');
            var value = string.Concat(parts[1].Split('+').Select(hex => char.ConvertFromUtf32(EmbeddedTable.Hex(hex))));
            names.Add(parts[0].TrimEnd('*') + ';', value);
            if (parts[0].EndsWith('*')) names.Add(parts[0][..^1], value);
        }
        return names.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private static FrozenDictionary<string, string> BuildCapitals()
    {
        var capitals = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in Names)
        {
            if (!name.EndsWith(';') || name.Any(char.IsAsciiLetterUpper)) continue;
            var upper = name.ToUpperInvariant();   // ASCII, hence the same everywhere
            if (Resolve(upper, out _) is null) capitals.Add(upper, string.Concat(value.EnumerateRunes().Select(LowerCase.Upper)));
        }
        return capitals.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
