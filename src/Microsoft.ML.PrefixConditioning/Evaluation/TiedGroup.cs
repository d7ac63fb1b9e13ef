namespace Microsoft.ML.PrefixConditioning;

/// <summary>Items of equal score in a ranking, in random order among each other.</summary>
/// <param name="Before">Number of items with higher scores.</param>
/// <param name="OwnBefore">Number of these that belong to the query.</param>
/// <param name="Count">Number of items in the group.</param>
/// <param name="Own">Number of these that belong to the query, at least 1.</param>
internal readonly record struct TiedGroup(long Before, int OwnBefore, long Count, int Own)
{
    /// <summary>The probability that one of the query's items is among the first K.</summary>
    /// <param name="groups">The groups that have items of the query, the best first.</param>
    /// <param name="places">K.</param>
    public static double Recall(ReadOnlySpan<TiedGroup> groups, int places)
    {
        var best = groups[0];
        var none = 1.0;   // in the group's places up to K, drawn one after the other
        for (var drawn = 0L; drawn < Math.Min(places - best.Before, best.Count); drawn++)
            none *= Math.Max(0.0, best.Count - best.Own - drawn) / (best.Count - drawn);
        return 1 - none;
    }

    /// <summary>The expected mean, over the query's items, of the precision at each item's place.</summary>
    /// <param name="groups">The groups that have items of the query, the best first.</param>
    public static double AveragePrecision(ReadOnlySpan<TiedGroup> groups)
    {
        var (sum, own) = (0.0, 0);
        foreach (var group in groups)
        {
            // At each place, an own item is as likely as anywhere; the group's other own items are spread evenly over its other places.
            double share = (double)group.Own / group.Count, others = group.Count == 1 ? 0 : (group.Own - 1.0) / (group.Count - 1);
            for (var place = 0L; place < group.Count; place++)
                sum += share * (group.OwnBefore + 1 + place * others) / (group.Before + 1 + place);
            own += group.Own;
        }
        return sum / own;
    }
}
