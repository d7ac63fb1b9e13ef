namespace PaperStudy;

/// <summary>A column of the tables: one test set, or the mean over several.</summary>
/// <param name="Name">Heading.</param>
/// <param name="Description">What it is, in a sentence.</param>
/// <param name="Split">"validation" or "test".</param>
/// <param name="TestSets">The test sets that it is the mean of.</param>
/// <param name="IsMean">Whether it stands for all test sets of a kind, be they one or several.</param>
internal sealed record ScoreColumn(string Name, string Description, string Split, IReadOnlyList<TestSetInfo> TestSets, bool IsMean)
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
        if (classes.Length == 0 || classes.Any(count => count < 1)) return null;
        return classes.Average(count => Math.Min(1, (double)guesses / count));
    }

    /// <summary>One column per test set that has the split, then the near mean, then the headline: the mean of the others.</summary>
    public static IReadOnlyList<ScoreColumn> All(StudyResults results, string split)
    {
        var columns = Sets(results.TestSets, split).ToList();
        var sets = columns.SelectMany(column => column.TestSets).ToArray();
        TestSetInfo[] near = [.. sets.Where(set => set.Role == TestRole.Near)];
        if (near.Length > 0) columns.Add(new ScoreColumn("near mean", $"Mean of {Names(near)}.", split, near, IsMean: true));
        TestSetInfo[] far = [.. sets.Where(set => set.Role != TestRole.Near)];
        if (far.Length > 0)
            columns.Add(new ScoreColumn("shifted and unseen mean", $"The headline: mean of {Names(far)}.", split, far, IsMean: true));
        return columns;
    }

    /// <summary>One column per test set that has the split.</summary>
    public static IEnumerable<ScoreColumn> Sets(IEnumerable<TestSetInfo> sets, string split) =>
        sets.Where(set => set.Splits.Any(s => s.Split == split))
            .Select(set => new ScoreColumn(set.Name, set.Description, split, [set], IsMean: false));

    private static string Names(IEnumerable<TestSetInfo> sets) => string.Join(", ", sets.Select(set => set.Name));
}
