namespace Microsoft.ML.PrefixConditioning;

/// <summary>Names for messages: what there is, and what was probably meant.</summary>
internal static class NearName
{
    private const int LongestList = 20;

    /// <summary>The candidate nearest to a mistyped name, or null when none is near.</summary>
    /// <remarks>Near is: equal but for case, or at most a third of the letters (at least one) changed, added or left out.</remarks>
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

    /// <summary>" Did you mean 'x'?" with a space in front, or nothing.</summary>
    public static string Question(string wanted, IEnumerable<string> candidates) =>
        Find(wanted, candidates) is { } near ? $" Did you mean '{near}'?" : "";

    /// <summary>Names in quotes with commas, cut off after twenty.</summary>
    public static string List(IReadOnlyCollection<string> names) => names.Count == 0 ? "none"
        : string.Join(", ", names.Take(LongestList).Select(n => $"'{n}'"))
            + (names.Count > LongestList ? $" and {names.Count - LongestList} more" : "");

    /// <summary>Single letters to change, add or remove (Levenshtein's distance).</summary>
    private static int Distance(string a, string b)
    {
        var row = new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++) row[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.Length];
    }
}
