namespace PaperStudy;

/// <summary>Says what differences show, and no more than their intervals support.</summary>
internal static class Claims
{
    /// <summary>Sentences on the headline and the near mean, per comparison and loss: against each other model, and against the better of
    /// them.</summary>
    public static IReadOnlyList<string> OfComparisons(StudyScores scores) =>
        [..
            from loss in scores.Results.Losses
            from rows in DifferenceRows.All(scores, loss)
            from row in rows.Rows
            select Sentence($"{loss}: {DifferenceRows.Name(rows.Comparison.Model, rows.Comparison.Prefix)} against {row.Name}", rows.Columns, row)];

    /// <summary>Sentences on the same means, per loss and model: the caption prefix against each other type's.</summary>
    public static IReadOnlyList<string> OfPrefixes(StudyScores scores) =>
        [..
            from loss in scores.Results.Losses
            from shift in ShiftRows.All(scores, loss)
            from row in shift.Rows
            select Sentence($"{loss}: \"{shift.Model}\", {shift.Caption} prefix against {row.Name} prefix", shift.Columns, row)];

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

    private static string Sentence(string what, IReadOnlyList<ScoreColumn> columns, DifferenceRow row)
    {
        var means = Enumerable.Range(0, columns.Count).Where(i => columns[i].IsMean).Reverse()
            .Select(i => $"on the {columns[i].Name} {Of(row.Differences[i])}");
        return $"{what}: {string.Join("; ", means)}.";
    }
}
