using System.Globalization;

namespace PaperStudy;

/// <summary>Says how much of a study is finished.</summary>
internal static class StudyProgress
{
    /// <summary>One or two sentences: how many models are trained, and with which seeds models are missing that others have.</summary>
    public static string Of(StudyResults results)
    {
        if (results.Cells.Count == 0) return "Nothing is finished yet.";
        var text = $"{Figures.Counted(results.Cells.DistinctBy(cell => (cell.Model, cell.Key)).Count(), "model")} trained: "
            + string.Join("; ", results.Losses.Select(loss => $"{loss} with {Seeds(results, loss)}")) + ".";
        var all = results.Losses.SelectMany(loss => results.Models.Select(model => Missing(results, loss, model.Name)));
        string[] missing = [.. all.OfType<string>()];
        return missing.Length == 0 ? text : $"{text} Not there: {string.Join("; ", missing)}.";
    }

    private static string? Missing(StudyResults results, string loss, string model)
    {
        var there = results.Cells.Where(cell => cell.Loss == loss && cell.Model == model).Select(cell => cell.Seed).ToHashSet();
        int[] missing = [.. results.Seeds.Where(seed => !there.Contains(seed))];
        if (missing.Length == 0) return null;
        return there.Count == 0 ? $"{model}, {loss}" : $"{model}, {loss}, {List(missing)}";
    }

    private static string Seeds(StudyResults results, string loss)
    {
        int[] seeds = [.. results.Cells.Where(cell => cell.Loss == loss).Select(cell => cell.Seed).Distinct().Order()];
        return seeds.Length == 0 ? "no seed" : List(seeds);
    }

    private static string List(int[] seeds) =>
        (seeds.Length == 1 ? "seed " : "seeds ") + string.Join(", ", seeds.Select(seed => seed.ToString(CultureInfo.InvariantCulture)));
}
