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
            select Sentence($"{loss}: {DifferenceRows.Name(rows.Comparison.Model, rows.Comparison.Prefix)} against {row.Name}",
                rows.Columns, row)];

    /// <summary>Sentences on the same means, per loss and model: the caption prefix against each other type's.</summary>
    public static IReadOnlyList<string> OfPrefixes(StudyScores scores) =>
        [..
            from loss in scores.Results.Losses
            from shift in ShiftRows.All(scores, loss)
            from row in shift.Rows
            select Sentence($"{loss}: \"{shift.Model}\", {shift.Caption} prefix against {row.Name} prefix", shift.Columns, row)];

    /// <summary>Sentences on the package's default way to choose a prefix without labels, per loss and model.</summary>
    public static IReadOnlyList<string> OfChoices(StudyScores scores) =>
        [..
            from loss in scores.Results.Losses
            from model in scores.Models(loss)
            let policies = PrefixPolicy.All(scores, loss, model)
            from policy in policies.Where(policy => !policy.IsFixed && policy.Choice == StudyScores.AutoCriterion)
            let caption = scores.CaptionPrefix(loss, model)
            let always = policies.FirstOrDefault(other => other.IsFixed && other.Choice == caption)
            select Sentence($"{loss}: \"{model.Name}\", prefix chosen without labels by {policy.Name}", Regret.Of(policy), caption,
                always is null ? null : Regret.Of(always))];

    private static string Sentence(string what, Regret regret, string? captionPrefix, Regret? always)
    {
        string Mean(Regret r) => $"{Figures.Number(100 * r.Mean.Mean)} {Figures.PlusMinus(r.Mean)}".Trim();
        var beats = regret.BeatsShifted is { } shifted
            ? $"; above the best single prefix on the mean of {shifted.Sets} of {Figures.Counted(shifted.OfSets, "shifted test set")}" : "";
        var worst = regret.Worst is { } loss
            ? $"; at most {Figures.Number(100 * Math.Max(0, loss.Set))} points worse than the {captionPrefix} prefix on the mean of any " +
            "test set" : "";
        var caption = always is null ? "" : $" (always the {captionPrefix} prefix: {Mean(always)})";
        return $"{what}: mean regret against the best single prefix, chosen with labels, {Mean(regret)} points{caption}{worst}{beats}; "
            + $"{Figures.Counted(regret.Sets, "test set")}, {Figures.Counted(regret.Seeds, "seed")}"
            + (regret.Seeds < Estimate.FewestForClaim ? $", no claim ({Estimate.FewestForClaim} seeds are needed)." : ".");
    }

    /// <summary>What a difference shows, such as "better by 1.2 points (0.3 to 2.1), 5 seeds".</summary>
    /// <param name="difference">Mean difference in accuracy, 0 to 1; null if no seed has both.</param>
    /// <param name="isAgainstBetter">Whether the other is the best of several by the same figures, which favors it: then nothing is
    /// worse.</param>
    public static string Of(Estimate? difference, bool isAgainstBetter = false)
    {
        if (difference is null) return "not known yet: no seed has all of them";
        var seeds = Figures.Counted(difference.Count, "seed");
        var figures = $"{Figures.Signed(difference.Mean)} {Figures.Interval(difference)}".Trim();
        if (difference.Count < Estimate.FewestForClaim)
            return $"no claim from {seeds} ({Estimate.FewestForClaim} are needed): {figures}";
        if (!difference.ExcludesZero) return $"no difference shown: {figures}, {seeds}";
        if (isAgainstBetter && difference.Mean < 0) return $"not better: {figures}, {seeds}";
        // Worse by 1.2 is easier to read than by -1.2; the interval turns with it.
        var size = difference with { Mean = Math.Abs(difference.Mean) };
        var word = difference.Mean > 0 ? "better" : "worse";
        return $"{word} by {Figures.Number(100 * size.Mean)} points {Figures.Interval(size)}, {seeds}";
    }

    private static string Sentence(string what, IReadOnlyList<ScoreColumn> columns, DifferenceRow row)
    {
        var means = Enumerable.Range(0, columns.Count).Where(i => columns[i].IsMean).Reverse()
            .Select(i => $"on the {columns[i].Name} {Of(row.Differences[i], row.IsAgainstBetter)}");
        return $"{what}: {string.Join("; ", means)}.";
    }
}
