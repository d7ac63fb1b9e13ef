namespace PaperStudy;

/// <summary>A way to choose the test-time prefix without labels, and how well it does on each test set and seed.</summary>
/// <param name="Choice">A criterion, or the prefix that is always taken.</param>
/// <param name="IsFixed">Whether it is always the same prefix, and not a criterion's choice.</param>
/// <param name="Outcomes">One per test set and seed.</param>
internal sealed record PrefixPolicy(string Choice, bool IsFixed, IReadOnlyList<PolicyOutcome> Outcomes)
{
    /// <summary>Such as "Consistency", or "always caption".</summary>
    public string Name => IsFixed ? $"always {Choice}" : Choice;

    /// <summary>The criteria of a model, then each of its prefixes as a fixed policy; none for a model with fewer than two types.</summary>
    public static IReadOnlyList<PrefixPolicy> All(StudyScores scores, string loss, ModelInfo model)
    {
        var caption = scores.CaptionPrefix(loss, model);
        var found = (
            from cell in scores.Cells(loss, model.Name)
            from set in scores.Results.TestSets
            from outcome in OutcomesOf(cell, set, caption)
            select outcome).ToLookup(o => (o.Choice, o.IsFixed), o => o.Outcome);
        return
        [
            .. found.Where(policy => !policy.Key.IsFixed).Select(policy => new PrefixPolicy(policy.Key.Choice, false, [.. policy])),
            .. scores.Prefixes(loss, model.Name).Select(prefix => prefix.Prefix).Where(prefix => found.Contains((prefix, true)))
                .Select(prefix => new PrefixPolicy(prefix, true, [.. found[(prefix, true)]])),
        ];
    }

    private static IEnumerable<(string Choice, bool IsFixed, PolicyOutcome Outcome)> OutcomesOf(
        CellResult cell, TestSetInfo set, string? caption)
    {
        bool IsOfSet(string testSet, string split, double top1) =>
            testSet == set.Name && split == ScoreColumn.Test && double.IsFinite(top1);
        PrefixScores[] scores = [.. cell.Scores.Where(s => IsOfSet(s.TestSet, s.Split, s.Top1))];
        PrefixScores[] types = [.. scores.Where(s => !s.IsBlend && s.Prefix != StudyScores.NoPrefix)];
        if (types.Length < 2) yield break;
        var best = types.Max(s => s.Top1);
        var captionTop1 = types.FirstOrDefault(s => s.Prefix == caption)?.Top1;
        foreach (var choice in cell.Choices.Where(c => IsOfSet(c.TestSet, c.Split, c.Top1)))
            yield return (choice.Criterion, false, new PolicyOutcome(set, cell.Seed, choice.Top1, best, captionTop1));
        foreach (var score in scores)
            yield return (score.Prefix, true, new PolicyOutcome(set, cell.Seed, score.Top1, best, captionTop1));
    }
}

/// <summary>What a policy's choice scores on one test set with one seed, and what there was to choose.</summary>
/// <param name="TestSet">The test set.</param>
/// <param name="Seed">The seed.</param>
/// <param name="Top1">Top-1 accuracy of the policy's choice.</param>
/// <param name="Best">Top-1 accuracy of the best single type's prefix, chosen with the labels.</param>
/// <param name="Caption">Top-1 accuracy of the caption prefix, or null.</param>
internal sealed record PolicyOutcome(TestSetInfo TestSet, int Seed, double Top1, double Best, double? Caption);
