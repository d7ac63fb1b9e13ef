using System.Globalization;

namespace PaperStudy;

/// <summary>
/// How the prefixes of one model shift with the images: the caption prefix minus each other type's, paired by seed,
/// on test sets from near to far, and on their means.
/// </summary>
/// <param name="Loss">"CLIP" or "UniCL".</param>
/// <param name="Model">Name of the model.</param>
/// <param name="Caption">The caption prefix.</param>
/// <param name="Columns">Test sets by distance from the labeled images' kind, then the means.</param>
/// <param name="Rows">One per other type; none for a model without several types.</param>
internal sealed record ShiftRows(
    string Loss, string Model, string Caption, IReadOnlyList<ScoreColumn> Columns, IReadOnlyList<DifferenceRow> Rows)
{
    /// <summary>All models that have a caption prefix and another type's.</summary>
    public static IReadOnlyList<ShiftRows> All(StudyScores scores, string loss) =>
        [.. scores.Models(loss).Select(model => Of(scores, loss, model)).OfType<ShiftRows>().Where(shift => shift.Rows.Count > 0)];

    /// <summary>The table: percentage points with intervals.</summary>
    public StudyTable ToTable() => new(
        $"{Loss}, {Model}: {Caption} prefix minus other prefixes",
        "Top-1 accuracy, percentage points, differences by seed; test sets from near to far from the labeled images. "
        + $"{Figures.SeedNote(Rows.Max(row => row.Seeds), "in brackets the interval of the mean difference")} "
        + Figures.MarkNote,
        [
            new("minus", IsNumber: false), new("seeds"),
            .. Columns.Select(column => new TableColumn(Heading(column), column.Description)),
        ],
        [.. Rows.Select(row => (IReadOnlyList<TableCell>)
        [
            new(row.Name),
            new(row.Seeds.ToString(CultureInfo.InvariantCulture)),
            .. row.Differences.Select(difference => Figures.Points(difference, row.Seeds)),
        ])],
        []);

    /// <summary>A column's name, with role and distance of a test set.</summary>
    public static string Heading(ScoreColumn column)
    {
        if (column.IsMean) return column.Name;
        var set = column.TestSets[0];
        return string.Create(CultureInfo.InvariantCulture,
            $"{column.Name} ({set.Role.ToString().ToLowerInvariant()}, distance {set.Distance})");
    }

    private static ShiftRows? Of(StudyScores scores, string loss, ModelInfo model)
    {
        if (scores.CaptionPrefix(loss, model) is not { } caption) return null;
        ScoreColumn[] columns =
        [
            .. ScoreColumn.Sets(scores.Results.TestSets.OrderBy(set => set.Distance), ScoreColumn.Test),
            .. ScoreColumn.All(scores.Results, ScoreColumn.Test).Where(column => column.IsMean),
        ];
        IReadOnlyDictionary<int, double>[] Values(string prefix) =>
            [.. columns.Select(column => scores.BySeed(loss, model.Name, prefix, column, score => score.Top1))];
        var own = Values(caption);
        var rows = scores.Types(loss, model.Name).Where(type => type != caption)
            .Select(type => new DifferenceRow(type, [.. own.Zip(Values(type), Paired.Difference)]));
        return new ShiftRows(loss, model.Name, caption, columns, [.. rows]);
    }
}
