namespace PaperStudy;

/// <summary>A column of the tables: one test set, or the mean over several.</summary>
/// <param name="Name">Heading.</param>
/// <param name="Description">What it is, in a sentence.</param>
/// <param name="Split">"validation" or "test".</param>
/// <param name="TestSets">The test sets that it is the mean of.</param>
internal sealed record ScoreColumn(string Name, string Description, string Split, IReadOnlyList<TestSetInfo> TestSets)
{
    /// <summary>The split that results are taken from.</summary>
    public const string Test = "test";

    /// <summary>The split that choices are made on.</summary>
    public const string Validation = "validation";

    /// <summary>Accuracy of guessing, 0 to 1; null where the number of classes is unknown.</summary>
    /// <param name="guesses">How many different classes may be named: 1 for top-1 accuracy, 5 for top-5.</param>
    public double? Chance(int guesses)
    {
        var classes = TestSets.SelectMany(set => set.Splits).Where(s => s.Split == Split).Select(s => s.Classes).ToArray();
        return classes.Length > 0 && classes.All(count => count > 0) ? classes.Average(count => Math.Min(1, (double)guesses / count)) : null;
    }

    /// <summary>One column per test set that has the split, then the mean of the near ones, then the headline.</summary>
    public static IReadOnlyList<ScoreColumn> All(StudyResults results, string split)
    {
        var columns = Sets(results.TestSets, split).ToList();
        var sets = columns.SelectMany(column => column.TestSets).ToArray();
        TestSetInfo[] near = [.. sets.Where(set => set.Role == TestRole.Near)];
        if (near.Length > 0) columns.Add(new ScoreColumn("near mean", $"Mean of {Names(near)}.", split, near));
        if (Headline(results, split) is { } headline) columns.Add(headline);
        return columns;
    }

    /// <summary>One column per test set that has the split.</summary>
    public static IEnumerable<ScoreColumn> Sets(IEnumerable<TestSetInfo> sets, string split) =>
        sets.Where(set => set.Splits.Any(s => s.Split == split)).Select(set => new ScoreColumn(set.Name, set.Description, split, [set]));

    /// <summary>The mean over the shifted and unseen test sets, the figure that the study is about; null if there are none.</summary>
    public static ScoreColumn? Headline(StudyResults results, string split)
    {
        TestSetInfo[] far = [.. Sets(results.TestSets, split).SelectMany(column => column.TestSets).Where(set => set.Role != TestRole.Near)];
        return far.Length == 0 ? null : new ScoreColumn("shifted and unseen mean", $"The headline: mean of {Names(far)}.", split, far);
    }

    private static string Names(IEnumerable<TestSetInfo> sets) => string.Join(", ", sets.Select(set => set.Name));
}
