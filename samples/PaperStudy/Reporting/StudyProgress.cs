using System.Globalization;

namespace PaperStudy;

/// <summary>Says how much of a study is finished.</summary>
internal static class StudyProgress
{
    /// <summary>One or two sentences: how many models are trained, and with which seeds models are missing that others have.</summary>
    public static string Of(StudyResults results)
    {
        if (results.Cells.Count == 0) return "Nothing is finished yet.";
        var text = $"{Figures.Counted(results.Cells.Count, "model")} trained: "
            + string.Join("; ", results.Losses.Select(loss => $"{loss} with {Seeds(results, loss)}")) + ".";
        string[] missing = [.. from loss in results.Losses from model in results.Models let name = Missing(results, loss, model.Name) where name is not null select name];
        return missing.Length == 0 ? text : $"{text} Not there: {string.Join("; ", missing)}.";
    }

    private static string Seeds(StudyResults results, string loss)
    {
        var seeds = results.Cells.Where(cell => cell.Loss == loss).Select(cell => cell.Seed).Distinct().Order().ToArray();
        return seeds.Length == 0 ? "no seed" : $"{(seeds.Length == 1 ? "seed" : "seeds")} {List(seeds)}";
    }

    private static string? Missing(StudyResults results, string loss, string model)
    {
        var there = results.Cells.Where(cell => cell.Loss == loss && cell.Model == model).Select(cell => cell.Seed).ToHashSet();
        int[] missing = [.. results.Seeds.Where(seed => !there.Contains(seed))];
        return missing.Length == 0 ? null : there.Count == 0 ? $"{model}, {loss}" : $"{model}, {loss}, {(missing.Length == 1 ? "seed" : "seeds")} {List(missing)}";
    }

    private static string List(IEnumerable<int> seeds) => string.Join(", ", seeds.Select(seed => seed.ToString(CultureInfo.InvariantCulture)));
}
