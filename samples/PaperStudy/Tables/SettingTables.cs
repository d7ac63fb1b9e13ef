using System.Globalization;

namespace PaperStudy;

/// <summary>What was compared on what, and what it cost.</summary>
internal static class SettingTables
{
    /// <summary>The ways to train.</summary>
    public static StudyTable Models(StudyResults results) => new(
        "Models", "Accuracies of the main tables are with this test-time prefix.",
        [new("model", IsNumber: false), new("how it is trained", IsNumber: false), new("test-time prefix", IsNumber: false)],
        [.. results.Models.Select(model => (IReadOnlyList<TableCell>)[new(model.Name), new(model.Description), new(model.ReportedPrefix)])],
        []);

    /// <summary>The test sets.</summary>
    public static StudyTable TestSets(StudyResults results) => new(
        "Test sets",
        "Near: the labeled images' kind and classes. Shifted: their classes in images of another kind. "
        + "Unseen: classes without labeled images. Nothing is chosen on the test split.",
        [
            new("test set", IsNumber: false), new("what it holds", IsNumber: false), new("role", IsNumber: false), new("distance"),
            new("test images"), new("test classes"), new("validation images"), new("validation classes"),
        ],
        [.. results.TestSets.Select(set => (IReadOnlyList<TableCell>)
        [
            new(set.Name), new(set.Description),
            new(set.Role.ToString().ToLowerInvariant()), new(set.Distance.ToString(CultureInfo.InvariantCulture)),
            .. Split(set, ScoreColumn.Test), .. Split(set, ScoreColumn.Validation),
        ])],
        []);

    /// <summary>What training took, per model and loss; means over seeds.</summary>
    public static StudyTable Cost(StudyScores scores) => new(
        "Cost", "Means over seeds. Seconds are for training and scoring of models that were done in one go, on a machine that may have " +
            "had other work.",
        [
            new("model", IsNumber: false), new("loss", IsNumber: false),
            new("seeds"), new("steps"), new("training rows"), new("parameters"), new("seconds"),
        ],
        [..
            from loss in scores.Results.Losses
            from model in scores.Models(loss)
            select Cost(loss, model.Name, scores.Cells(loss, model.Name))],
        []);

    private static IReadOnlyList<TableCell> Cost(string loss, string model, IReadOnlyList<CellResult> cells) =>
    [
        new(model), new(loss), new(cells.Count.ToString(CultureInfo.InvariantCulture)),
        new(Figures.Whole(cells.Average(cell => cell.Steps))), new(Figures.Whole(cells.Average(cell => cell.Rows))),
        new(Figures.Whole(cells.Average(cell => cell.Parameters))), cells.Average(cell => cell.Seconds) is { } seconds
            ? new(Figures.Whole(seconds)) : TableCell.Empty,
    ];

    private static IEnumerable<TableCell> Split(TestSetInfo set, string name) =>
        set.Splits.FirstOrDefault(split => split.Split == name) is { } split
            ? [new(Figures.Whole(split.Images)), new(Figures.Whole(split.Classes))]
            : [TableCell.Empty, TableCell.Empty];
}
