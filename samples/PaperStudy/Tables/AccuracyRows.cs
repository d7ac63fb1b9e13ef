using System.Globalization;

namespace PaperStudy;

/// <summary>Accuracies over seeds, one row per model and prefix, one column per test set and mean of test sets.</summary>
/// <param name="Columns">Test sets and their means.</param>
/// <param name="Rows">Models with their prefixes.</param>
internal sealed record AccuracyRows(IReadOnlyList<ScoreColumn> Columns, IReadOnlyList<AccuracyEstimates> Rows)
{
    /// <summary>Each model with the prefix that is reported of it.</summary>
    /// <param name="scores">The study.</param>
    /// <param name="loss">"CLIP" or "UniCL".</param>
    /// <param name="metric">Which accuracy.</param>
    public static AccuracyRows ByModel(StudyScores scores, string loss, Func<PrefixScores, double> metric) =>
        Read(scores, loss, ScoreColumn.Test, metric, scores.Models(loss).Select(model => (model.Name, model.ReportedPrefix)));

    /// <summary>One model with each of its prefixes; no rows if it has only one.</summary>
    public static AccuracyRows ByPrefix(StudyScores scores, string loss, ModelInfo model)
    {
        var prefixes = scores.Prefixes(loss, model.Name);
        return Read(scores, loss, ScoreColumn.Test, score => score.Top1,
            prefixes.Count < 2 ? [] : prefixes.Select(prefix => (model.Name, prefix.Prefix)));
    }

    /// <summary>All models with all prefixes on the validation split.</summary>
    public static AccuracyRows Validation(StudyScores scores, string loss) =>
        Read(scores, loss, ScoreColumn.Validation, score => score.Top1,
            scores.Models(loss).SelectMany(model => scores.Prefixes(loss, model.Name).Select(prefix => (model.Name, prefix.Prefix))));

    /// <summary>Whether a row has the highest mean of a column, or one as high.</summary>
    public bool IsBest(AccuracyEstimates row, int column) =>
        row.Estimates[column] is { } own && Rows.Count > 1
            && Rows.All(other => !(other.Estimates[column]?.Mean > own.Mean + Estimate.Rounding));

    /// <summary>The most seeds that a figure has.</summary>
    public int MostSeeds => Rows.Select(row => row.Seeds).DefaultIfEmpty().Max();

    /// <summary>The table, with the best of each column marked and a row of chance.</summary>
    /// <param name="title">Heading.</param>
    /// <param name="what">A sentence about the figures.</param>
    /// <param name="guesses">1 for top-1 accuracy, 5 for top-5.</param>
    public StudyTable ToTable(string title, string what, int guesses = 1)
    {
        // A model's prefixes have no need for the model's name in every row.
        var ofOneModel = Rows.Select(row => row.Model).Distinct().Count() == 1 && Rows.Count > 1;
        TableColumn[] names = ofOneModel
            ? [new("test-time prefix", IsNumber: false)]
            : [new("model", IsNumber: false), new("test-time prefix", IsNumber: false)];
        var rows = Rows.Select(row => (IReadOnlyList<TableCell>)
        [
            .. ofOneModel ? [] : new[] { new TableCell(row.Model) },
            new TableCell(row.Prefix),
            new TableCell(row.Seeds.ToString(CultureInfo.InvariantCulture)),
            .. row.Estimates.Select((estimate, column) =>
                Figures.Percent(estimate, row.Seeds, IsBest(row, column) ? CellMark.Best : CellMark.None)),
        ]);
        TableCell[] chance =
        [
            new("chance"),
            .. Enumerable.Repeat(new TableCell(""), names.Length),
            .. Columns.Select(column => column.Chance(guesses) is { } share ? new TableCell(Figures.Number(100 * share)) : TableCell.Empty),
        ];
        return new StudyTable(
            title, $"{what} {Figures.SeedNote(MostSeeds, "± is half the interval")} ★ marks the best of each column.",
            [.. names, new("seeds"), .. Columns.Select(column => new TableColumn(column.Name, column.Description))], [.. rows], [chance]);
    }

    private static AccuracyRows Read(
        StudyScores scores, string loss, string split, Func<PrefixScores, double> metric, IEnumerable<(string Model, string Prefix)> rows)
    {
        var columns = ScoreColumn.All(scores.Results, split);
        return new AccuracyRows(columns, [.. rows.Select(row => new AccuracyEstimates(row.Model, row.Prefix,
            [.. columns.Select(column => Estimate.Of(scores.BySeed(loss, row.Model, row.Prefix, column, metric).Values))]))]);
    }
}

/// <summary>Accuracies of one model with one prefix.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Prefix">Test-time prefix.</param>
/// <param name="Estimates">One per column, 0 to 1; null where nothing was measured.</param>
internal sealed record AccuracyEstimates(string Model, string Prefix, IReadOnlyList<Estimate?> Estimates)
{
    /// <summary>The most seeds that a figure has.</summary>
    public int Seeds { get; } = Estimates.Select(estimate => estimate?.Count ?? 0).DefaultIfEmpty().Max();
}
