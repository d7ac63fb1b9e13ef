using System.Globalization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Formats names for messages, and finds the one that was probably meant.</summary>
internal static class NearName
{
    private const int LongestList = 20, LongestName = 100;

    /// <summary>The candidate most similar to a mistyped name; null if none is similar.</summary>
    /// <remarks>
    /// Names are similar if they differ only in case, or if at most a third of the letters (at least one) are changed, added, removed or
    /// swapped.
    /// </remarks>
    public static string? Find(string wanted, IEnumerable<string> candidates)
    {
        string? best = null;
        var bestDistance = Math.Max(1, wanted.Length / 3) + 1;
        foreach (var candidate in candidates)
        {
            // The lengths alone bound the distance from below: no table is needed for most candidates.
            if (candidate.Length == 0 || Math.Abs(candidate.Length - wanted.Length) >= bestDistance) continue;
            var distance = Distance(wanted.ToUpperInvariant(), candidate.ToUpperInvariant());
            if (distance >= bestDistance) continue;
            (best, bestDistance) = (candidate, distance);
        }
        return best;
    }

    /// <summary>" Did you mean 'x'?" with a leading space, or nothing.</summary>
    public static string Question(string wanted, IEnumerable<string> candidates) =>
        Find(wanted, candidates) is { } near ? $" Did you mean {Quoted(near)}?" : "";

    /// <summary>A sentence with a leading space about the name that differs only in case or Unicode normalization form; or
    /// nothing.</summary>
    public static string Variant(string wanted, IEnumerable<string> candidates)
    {
        var composed = CanonicalComposition.Compose(wanted);
        foreach (var candidate in candidates)
        {
            if (candidate.Equals(wanted, StringComparison.OrdinalIgnoreCase))
                return $" It has '{Visible(candidate)}', which differs only in case.";
            var alike = CanonicalComposition.Compose(candidate);
            if (!alike.Equals(composed, StringComparison.OrdinalIgnoreCase)) continue;
            return $" It has '{Visible(candidate)}', which looks the same, but its letters and accents are " +
                (candidate == alike ? "composed (Unicode NFC) where the wanted name's are separate (NFD)."
                    : "separate (Unicode NFD) where the wanted name's are composed (NFC).") + " Write both in one form.";
        }
        return "";
    }

    /// <summary>Names in quotes, separated by commas, up to a maximum number.</summary>
    public static string List(IReadOnlyCollection<string> names, int most = LongestList) => names.Count == 0 ? "none"
        : string.Join(", ", names.Take(most).Select(Quoted)) + (names.Count > most ? $" and {names.Count - most} more" : "");

    /// <summary>A name in single quotes: control characters are escaped, and a long name is cut off.</summary>
    public static string Quoted(string name) => name.Length > LongestName ? $"'{Visible(name[..LongestName])}…'" : $"'{Visible(name)}'";

    /// <summary>Text for a message: control characters, line separators and U+FFFD are written as <c>\u001b</c>.</summary>
    public static string Visible(string text) => text.Any(IsControl)
        ? string.Concat(text.Select(c => IsControl(c) ? string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}") : $"{c}"))
        : text;

    private static bool IsControl(char c) => char.IsControl(c) || c is '\uFFFD' or '\u2028' or '\u2029';

    /// <summary>Single letters to change, add, remove or swap with their neighbor (optimal string alignment).</summary>
    private static int Distance(string a, string b)
    {
        var distances = new int[a.Length + 1, b.Length + 1];   // [i, j]: between the first i letters of a and the first j of b
        for (var i = 0; i <= a.Length; i++) distances[i, 0] = i;
        for (var j = 0; j <= b.Length; j++) distances[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                var best = Math.Min(distances[i - 1, j], distances[i, j - 1]) + 1;
                best = Math.Min(best, distances[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                var swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                distances[i, j] = swapped ? Math.Min(best, distances[i - 2, j - 2] + 1) : best;
            }
        }
        return distances[a.Length, b.Length];
    }
}
