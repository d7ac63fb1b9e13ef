using System.Globalization;

namespace PaperStudy;

/// <summary>One comparison of the study with one loss: differences in top-1 accuracy, paired by seed.</summary>
/// <param name="Loss">"CLIP" or "UniCL".</param>
/// <param name="Comparison">What is compared.</param>
/// <param name="Columns">Test sets and their means.</param>
/// <param name="Rows">One per other model, then one against the better of them if there are several.</param>
/// <param name="Headline">Place of the headline among the columns; null if the study has only near test sets.</param>
internal sealed record DifferenceRows(
    string Loss, Comparison Comparison, IReadOnlyList<ScoreColumn> Columns, IReadOnlyList<DifferenceRow> Rows, int? Headline)
{
    /// <summary>All comparisons whose model has a finished cell with the loss.</summary>
    public static IReadOnlyList<DifferenceRows> All(StudyScores scores, string loss)
    {
        var trained = scores.Models(loss).Select(model => model.Name).ToHashSet();
        return [.. scores.Results.Comparisons.Where(comparison => trained.Contains(comparison.Model)).Select(comparison => Of(scores, loss, comparison))];
    }

    /// <summary>The table: points of percent with intervals.</summary>
    public StudyTable ToTable()
    {
        var most = Rows.Select(row => row.Seeds).DefaultIfEmpty().Max();
        return new StudyTable(
            $"{Loss}: {Name(Comparison.Model, Comparison.Prefix)} minus other models",
            $"Top-1 accuracy, points of percent, differences by seed. {Figures.SeedNote(most, "in brackets the interval of the mean difference")} "
            + $"▲ and ▼: the interval excludes zero, with at least {Estimate.FewestForClaim} seeds. "
            + "\"The better\" is the one with the higher mean in that column.",
            [new("minus", IsNumber: false), new("seeds"), .. Columns.Select(column => new TableColumn(column.Name, column.Description))],
            [.. Rows.Select(row => (IReadOnlyList<TableCell>)
            [
                new(row.Name),
                new(row.Seeds.ToString(CultureInfo.InvariantCulture)),
                .. row.Differences.Select(difference => Cell(row, difference)),
            ])],
            []);
    }

    /// <summary>A model with its prefix, as texts name it.</summary>
    public static string Name(string model, string prefix) => prefix == StudyScores.NoPrefix ? $"\"{model}\"" : $"\"{model}\" ({prefix})";

    private static TableCell Cell(DifferenceRow row, Estimate? difference)
    {
        var cell = Figures.Points(difference);
        return difference is null || difference.Count == row.Seeds ? cell : cell with { Detail = $"{cell.Detail} {Figures.Counted(difference.Count, "seed")}".Trim() };
    }

    private static DifferenceRows Of(StudyScores scores, string loss, Comparison comparison)
    {
        var columns = ScoreColumn.All(scores.Results, ScoreColumn.Test);
        var own = columns.Select(column => Values(scores, loss, comparison.Model, comparison.Prefix, column)).ToArray();
        var others = comparison.Against.Select(other => columns.Select(column => Values(scores, loss, other.Model, other.Prefix, column)).ToArray()).ToArray();
        var rows = comparison.Against.Select((other, i) => new DifferenceRow(
            Name(other.Model, other.Prefix), [.. columns.Select((_, column) => Paired.Difference(own[column], others[i][column]))])).ToList();
        if (rows.Count > 1)
            rows.Add(new DifferenceRow(
                rows.Count == 2 ? "the better of the two" : $"the best of the {rows.Count}",
                [.. columns.Select((_, column) => Paired.AgainstBetter(own[column], [.. others.Select(other => other[column])])?.Difference)]));
        var headline = ScoreColumn.Headline(scores.Results, ScoreColumn.Test) is null ? (int?)null : columns.Count - 1;
        return new DifferenceRows(loss, comparison, columns, rows, headline);
    }

    private static IReadOnlyDictionary<int, double> Values(StudyScores scores, string loss, string model, string prefix, ScoreColumn column) =>
        scores.BySeed(loss, model, prefix, column, score => score.Top1);
}

/// <summary>The differences against one other model, or against the better of several.</summary>
/// <param name="Name">Which.</param>
/// <param name="Differences">One per column, 0 to 1; null where no seed has both.</param>
internal sealed record DifferenceRow(string Name, IReadOnlyList<Estimate?> Differences)
{
    /// <summary>The most seeds that a difference has.</summary>
    public int Seeds { get; } = Differences.Select(difference => difference?.Count ?? 0).DefaultIfEmpty().Max();
}
