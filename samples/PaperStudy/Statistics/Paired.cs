namespace PaperStudy;

/// <summary>Differences between two ways, taken seed by seed: what a seed does to both drops out.</summary>
internal static class Paired
{
    /// <summary>Mean of a - b over the seeds that both have.</summary>
    /// <param name="a">Values by seed.</param>
    /// <param name="b">Values by seed.</param>
    /// <returns>Null if no seed has both.</returns>
    public static Estimate? Difference(IReadOnlyDictionary<int, double> a, IReadOnlyDictionary<int, double> b) =>
        Estimate.Of(a.Keys.Where(b.ContainsKey).Order().Select(seed => a[seed] - b[seed]));

    /// <summary>The difference against the one of several others that has the highest mean, over the seeds that all have.</summary>
    /// <remarks>The other is chosen by the same values, so that luck helps it and not <paramref name="a"/>: conservative for "better"
    /// only.</remarks>
    /// <param name="a">Values by seed.</param>
    /// <param name="others">Values by seed of each other.</param>
    /// <returns>The place of the better one among the others, and the difference; null if no seed has all.</returns>
    public static (int Better, Estimate Difference)? AgainstBetter(
        IReadOnlyDictionary<int, double> a, IReadOnlyList<IReadOnlyDictionary<int, double>> others)
    {
        var seeds = a.Keys.Where(seed => others.All(other => other.ContainsKey(seed))).Order().ToArray();
        if (seeds.Length == 0 || others.Count == 0) return null;
        var better = Enumerable.Range(0, others.Count).MaxBy(i => seeds.Average(seed => others[i][seed]));
        return (better, Estimate.Of(seeds.Select(seed => a[seed] - others[better][seed]))!);
    }
}
