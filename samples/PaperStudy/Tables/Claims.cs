namespace PaperStudy;

/// <summary>Says what differences show, and no more than their intervals support.</summary>
internal static class Claims
{
    /// <summary>One sentence per comparison and loss, on the headline: against the better of the other models.</summary>
    public static IReadOnlyList<string> OfComparisons(StudyScores scores) =>
        [.. scores.Results.Losses.SelectMany(loss => DifferenceRows.All(scores, loss)).Where(rows => rows.Rows.Count > 0).Select(OfComparison)];

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
        return $"{(difference.Mean > 0 ? "better" : "worse")} by {Figures.Number(100 * size.Mean)} points {Figures.Interval(size)}, {seeds}";
    }

    private static string OfComparison(DifferenceRows rows)
    {
        // The last row is the one against the better of several.
        var (row, column) = (rows.Rows[^1], rows.Headline ?? rows.Columns.Count - 1);
        var own = DifferenceRows.Name(rows.Comparison.Model, rows.Comparison.Prefix);
        var others = string.Join(" and ", rows.Comparison.Against.Select(other => DifferenceRows.Name(other.Model, other.Prefix)));
        var against = rows.Rows.Count == 1 ? others : $"{row.Name}, {others}";
        var where = rows.Columns.Count == 0 ? "" : $" on the {rows.Columns[column].Name}";
        return $"{rows.Loss}: {own} against {against},{where}: {Of(rows.Columns.Count == 0 ? null : row.Differences[column])}.";
    }
}
