using System.Globalization;

namespace PaperStudy;

/// <summary>Compares ways to choose the test-time prefix without labels.</summary>
internal static class RegretTable
{
    /// <summary>The table of one model; null if it has no choice between types.</summary>
    public static StudyTable? Of(StudyScores scores, string loss, ModelInfo model)
    {
        Regret[] regrets = [.. PrefixPolicy.All(scores, loss, model).Select(Regret.Of)];
        if (regrets.Length == 0) return null;
        var (sets, seeds) = (regrets.Max(r => r.Sets), regrets.Max(r => r.Seeds));
        var caption = scores.CaptionPrefix(loss, model) ?? "caption";
        return new StudyTable(
            $"{loss}, {model.Name}: prefixes chosen without labels",
            $"{Figures.Counted(sets, "test set")} x {Figures.Counted(seeds, "seed")}. "
            + "Regret: top-1 accuracy of the best single type's prefix, chosen with the labels of that test set and seed, minus that of " +
                "the choice, in points; negative where a blend wins. "
            + $"{Figures.SeedNote(seeds, "± is half the interval")} "
            + "Counts and losses are over test sets and seeds, and in brackets over test sets with the mean over their seeds.",
            [
                new("choice", IsNumber: false), new("test sets x seeds"), new("mean regret"),
                new($"at most 1 point below {caption}", $"How often the choice is at most 1 point worse than the {caption} prefix."),
                new($"worst loss against {caption}", $"The most points that the choice is below the {caption} prefix."),
                new("beats best single, shifted", "How often the choice is better than the best single prefix, on shifted test sets."),
                new("beats best single, unseen", "How often the choice is better than the best single prefix, on unseen test sets."),
            ],
            [.. regrets.Select(Row)],
            []);
    }

    private static IReadOnlyList<TableCell> Row(Regret regret) =>
    [
        new(regret.Policy.Name),
        new(string.Create(CultureInfo.InvariantCulture, $"{regret.Sets} x {regret.Seeds}")),
        new(Figures.Number(100 * regret.Mean.Mean), Figures.PlusMinus(regret.Mean)),
        Cell(regret.Safe),
        regret.Worst is { } worst ? new TableCell(Loss(worst.Cell), $"({Loss(worst.Set)} by test set)") : TableCell.Empty,
        Cell(regret.BeatsShifted),
        Cell(regret.BeatsUnseen),
    ];

    private static TableCell Cell(CountedBoth? count) => count is null ? TableCell.Empty : new TableCell(
        string.Create(CultureInfo.InvariantCulture, $"{count.Cells} of {count.OfCells}"),
        string.Create(CultureInfo.InvariantCulture, $"({count.Sets} of {count.OfSets} test sets)"));

    // Never worse is a loss of nothing.
    private static string Loss(double loss) => Figures.Number(100 * Math.Max(0, loss));
}
