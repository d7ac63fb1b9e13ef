namespace PaperStudy;

/// <summary>Says what differences show, and no more than their intervals support.</summary>
internal static class Claims
{
    /// <summary>One sentence per comparison and loss, on the headline and the near mean: against the better of the other models.</summary>
    public static IReadOnlyList<string> OfComparisons(StudyScores scores) =>
        [..
            from loss in scores.Results.Losses
            from rows in DifferenceRows.All(scores, loss)
            where rows.Rows.Count > 0
            select OfComparison(rows)];

    /// <summary>What a difference shows, such as "better by 1.2 points (0.3 to 2.1), 5 seeds".</summary>
    /// <param name="difference">Mean difference in accuracy, 0 to 1; null if no seed has both.</param>
    public static string Of(Estimate? difference)
    {
        if (difference is null) return "not known yet: no seed has all of them";
        var seeds = Figures.Counted(difference.Count, "seed");
        var figures = $"{Figures.Signed(difference.Mean)} {Figures.Interval(difference)}".Trim();
        if (difference.Count < Estimate.FewestForClaim)
            return $"no claim from {seeds} ({Estimate.FewestForClaim} are needed): {figures}";
        if (!difference.ExcludesZero) return $"no difference shown: {figures}, {seeds}";
        // Worse by 1.2 is easier to read than by -1.2; the interval turns with it.
        var size = difference with { Mean = Math.Abs(difference.Mean) };
        var word = difference.Mean > 0 ? "better" : "worse";
        return $"{word} by {Figures.Number(100 * size.Mean)} points {Figures.Interval(size)}, {seeds}";
    }

    private static string OfComparison(DifferenceRows rows)
    {
        // The last row is the one against the better of several.
        var own = DifferenceRows.Name(rows.Comparison.Model, rows.Comparison.Prefix);
        var against = rows.Rows.Count == 1 ? rows.Others : $"{rows.Rows[^1].Name}, {rows.Others}";
        var means = Enumerable.Range(0, rows.Columns.Count).Where(i => rows.Columns[i].IsMean).Reverse()
            .Select(i => $"on the {rows.Columns[i].Name} {Of(rows.Rows[^1].Differences[i])}");
        return $"{rows.Loss}: {own} against {against}: {string.Join("; ", means)}.";
    }
}
