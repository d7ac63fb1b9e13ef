using System.Globalization;
using System.Text;

namespace PaperStudy;

/// <summary>Every figure of a study as comma-separated values (RFC 4180): numbers with a point, nothing rounded.</summary>
internal static class StudyCsv
{
    private static readonly char[] Quoted = [',', '"', '\r', '\n'];

    /// <summary>One row per model, loss, seed, test set, split and prefix.</summary>
    public static string Results(StudyResults results)
    {
        var csv = new StringBuilder();
        AddRow(csv, "model", "loss", "seed", "test_set", "split", "prefix", "top1", "top5", "per_class", "log_loss");
        foreach (var cell in InOrder(results))
            foreach (var score in cell.Scores)
                AddRow(csv, cell.Model, cell.Loss, Number(cell.Seed), score.TestSet, score.Split, score.Prefix,
                    Number(score.Top1), Number(score.Top5), Number(score.PerClass), Number(score.LogLoss));
        return csv.ToString();
    }

    /// <summary>One row per model, loss, seed, test set, split and criterion: what was chosen without labels.</summary>
    public static string Choices(StudyResults results)
    {
        var csv = new StringBuilder();
        AddRow(csv, "model", "loss", "seed", "test_set", "split", "criterion", "prefix", "top1", "top5");
        foreach (var cell in InOrder(results))
            foreach (var choice in cell.Choices)
                AddRow(csv, cell.Model, cell.Loss, Number(cell.Seed), choice.TestSet, choice.Split, choice.Criterion, choice.Prefix,
                    Number(choice.Top1), Number(choice.Top5));
        return csv.ToString();
    }

    // The order in which cells were finished is chance.
    private static IEnumerable<CellResult> InOrder(StudyResults results)
    {
        var models = results.Models.Select(model => model.Name).ToList();
        var losses = results.Losses.ToList();
        return results.Cells
            .OrderBy(cell => losses.IndexOf(cell.Loss)).ThenBy(cell => models.IndexOf(cell.Model)).ThenBy(cell => cell.Seed);
    }

    private static void AddRow(StringBuilder csv, params IEnumerable<string> values) =>
        csv.AppendJoin(',', values.Select(Field)).Append("\r\n");

    private static string Field(string value) =>
        value.IndexOfAny(Quoted) < 0 ? value : $"\"{value.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    // What could not be computed is an empty field, which other programs read as missing.
    private static string Number(double value) => double.IsFinite(value) ? value.ToString(CultureInfo.InvariantCulture) : "";
}
