using System.Globalization;

namespace PaperStudy;

/// <summary>One comparison of the study with one loss: differences in top-1 accuracy, paired by seed.</summary>
/// <param name="Loss">"CLIP" or "UniCL".</param>
/// <param name="Comparison">What is compared.</param>
/// <param name="Columns">Test sets and their means.</param>
/// <param name="Rows">One per other model, then one against the better of them if there are several.</param>
internal sealed record DifferenceRows(
    string Loss, Comparison Comparison, IReadOnlyList<ScoreColumn> Columns, IReadOnlyList<DifferenceRow> Rows)
{
    /// <summary>All comparisons whose model has a finished cell with the loss.</summary>
    public static IReadOnlyList<DifferenceRows> All(StudyScores scores, string loss)
    {
        var trained = scores.Models(loss).Select(model => model.Name).ToHashSet();
        return [.. scores.Results.Comparisons.Where(c => trained.Contains(c.Model)).Select(c => Of(scores, loss, c))];
    }

    /// <summary>The table: percentage points with intervals.</summary>
    public StudyTable ToTable()
    {
        var most = Rows.Select(row => row.Seeds).DefaultIfEmpty().Max();
        return new StudyTable(
            $"{Loss}: {Name(Comparison.Model, Comparison.Prefix)} minus {Others}",
            "Top-1 accuracy, percentage points, differences by seed. "
            + $"{Figures.SeedNote(most, "in brackets the interval of the mean difference")} "
            + Figures.MarkNote
            + (Comparison.Against.Count > 1
                ? " The last row is against the one with the highest mean in each column; chance favors that one, so that the row has no " +
                "▼." : ""),
            [new("minus", IsNumber: false), new("seeds"), .. Columns.Select(column => new TableColumn(column.Name, column.Description))],
            [.. Rows.Select(row => (IReadOnlyList<TableCell>)
            [
                new(row.Name),
                new(row.Seeds.ToString(CultureInfo.InvariantCulture)),
                .. row.Differences.Select(difference => Figures.Points(difference, row.Seeds, row.IsAgainstBetter)),
            ])],
            []);
    }

    /// <summary>The other models, as texts name them.</summary>
    public string Others => string.Join(" and ", Comparison.Against.Select(other => Name(other.Model, other.Prefix)));

    /// <summary>A model with its prefix, as texts name it.</summary>
    public static string Name(string model, string prefix) => prefix == StudyScores.NoPrefix ? $"\"{model}\"" : $"\"{model}\" ({prefix})";

    private static DifferenceRows Of(StudyScores scores, string loss, Comparison comparison)
    {
        var columns = ScoreColumn.All(scores.Results, ScoreColumn.Test);
        IReadOnlyDictionary<int, double>[] Values(string model, string prefix) =>
            [.. columns.Select(column => scores.BySeed(loss, model, prefix, column, score => score.Top1))];
        var own = Values(comparison.Model, comparison.Prefix);
        var others = comparison.Against.Select(other => Values(other.Model, other.Prefix)).ToArray();
        var rows = comparison.Against.Zip(others, (other, values) =>
            new DifferenceRow(Name(other.Model, other.Prefix), [.. own.Zip(values, Paired.Difference)])).ToList();
        if (rows.Count > 1)
        {
            var better = own.Select((values, column) => Paired.AgainstBetter(values, [.. others.Select(o => o[column])])?.Difference);
            rows.Add(new DifferenceRow(rows.Count == 2 ? "the better of the two" : $"the best of the {rows.Count}", [.. better],
                IsAgainstBetter: true));
        }
        return new DifferenceRows(loss, comparison, columns, rows);
    }
}

/// <summary>The differences against one other model, or against the better of several.</summary>
/// <param name="Name">Which.</param>
/// <param name="Differences">One per column, 0 to 1; null where no seed has both.</param>
/// <param name="IsAgainstBetter">Whether the other is, per column, the one with the highest mean.</param>
internal sealed record DifferenceRow(string Name, IReadOnlyList<Estimate?> Differences, bool IsAgainstBetter = false)
{
    /// <summary>The most seeds that a difference has.</summary>
    public int Seeds { get; } = Differences.Select(difference => difference?.Count ?? 0).DefaultIfEmpty().Max();
}
