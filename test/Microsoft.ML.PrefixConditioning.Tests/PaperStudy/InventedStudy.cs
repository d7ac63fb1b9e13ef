using PaperStudy;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Studies with invented results: small ones with given accuracies, and a whole one for the files.</summary>
internal static class InventedStudy
{
    public const string Captions = "captions only", Mixed = "both, mixed batches", Prefixes = "both, prefixes";

    private static readonly string[] Losses = ["CLIP", "UniCL"];

    private static readonly TestSetInfo[] TestSets =
    [
        Set("near", TestRole.Near, 0, 20), Set("other-photos", TestRole.Near, 0, 20), Set("outline", TestRole.Shifted, 2, 20),
        Set("repainted", TestRole.Shifted, 1, 20), Set("unseen", TestRole.Unseen, 1, 50), Set("far-unseen", TestRole.Unseen, 3, 4),
    ];

    private static readonly ModelInfo[] Models =
    [
        new(Captions, "Caption data alone.", "none"), new(Mixed, "Both without prefixes.", "none"),
        new(Prefixes, "Both with prefixes.", "caption"),
    ];

    /// <summary>A test set with a test split, and a validation split if it has more than 4 classes.</summary>
    public static TestSetInfo Set(string name, TestRole role, int distance, int classes) => new(
        name, $"Images of {name}.", role, distance,
        classes > 4 ? [new SplitInfo("test", 1000, classes), new SplitInfo("validation", 400, classes / 2)]
            : [new SplitInfo("test", 1000, classes)]);

    /// <summary>A study of given cells, one comparison and no facts.</summary>
    public static StudyResults Of(
        IReadOnlyList<TestSetInfo> sets, IReadOnlyList<ModelInfo> models, Comparison comparison, params IEnumerable<CellResult> cells)
    {
        CellResult[] all = [.. cells];
        return new StudyResults("Study", "", [], sets, models, ["CLIP"], [.. all.Select(cell => cell.Seed).Distinct()], [comparison], all);
    }

    /// <summary>A cell with given top-1 accuracies on the test split.</summary>
    public static CellResult Cell(string model, int seed, params IEnumerable<(string Set, string Prefix, double Top1)> scores) => new(
        model, "CLIP", seed, $"{model}, CLIP, {seed}", 10, 100, 1000, 1.5, [.. scores.Select(s => Score(s.Set, "test", s.Prefix, s.Top1))],
            [], []);

    /// <summary>A choice on the test split.</summary>
    public static PrefixChoice Choice(string set, string criterion, string prefix, double top1) =>
        new(set, "test", criterion, prefix, top1, top1);

    /// <summary>A study with three models, two losses and all that a report shows.</summary>
    public static StudyResults Whole(int seeds) => new(
        "Invented study", "All numbers are invented.", [("Towers", "small"), ("Batch", "64")], TestSets, Models, Losses,
        [.. Enumerable.Range(1, seeds)],
        [new Comparison(Prefixes, "caption", [new ModelAndPrefix(Captions, "none"), new ModelAndPrefix(Mixed, "none")])],
        [.. from seed in Enumerable.Range(1, seeds) from loss in Losses from model in Models select Invent(model.Name, loss, seed)]);

    private static CellResult Invent(string model, string loss, int seed)
    {
        var noise = new Random(1000 * seed + 10 * model.Length + loss.Length);
        string[] prefixes = model == Prefixes ? ["caption", "classification", "none", "0.5 caption + 0.5 classification"] : ["none"];
        var scores = new List<PrefixScores>();
        var choices = new List<PrefixChoice>();
        foreach (var set in TestSets)
            foreach (var split in set.Splits)
            {
                var ofSet = prefixes.Select((prefix, i) =>
                {
                    var top1 = 0.6 - 0.1 * set.Distance + (model == Prefixes ? 0.04 : 0) - 0.01 * i * (set.Distance - 1);
                    return Score(set.Name, split.Split, prefix, Math.Round(top1 + 0.02 * (noise.NextDouble() - 0.5), 3));
                }).ToArray();
                scores.AddRange(ofSet);
                if (model != Prefixes) continue;
                foreach (var criterion in new[] { "DistanceRatio", "Consistency" })
                {
                    var chosen = ofSet[noise.Next(ofSet.Length)];
                    choices.Add(new PrefixChoice(set.Name, split.Split, criterion, chosen.Prefix, chosen.Top1, chosen.Top5));
                }
            }
        CurvePoint[] curve = [.. Enumerable.Range(1, 100).Select(i => new CurvePoint(20 * i, 4 / Math.Sqrt(i) + 0.2 * noise.NextDouble()))];
        return new CellResult(model, loss, seed, $"{model}, {loss}, {seed}", 2000, 12345, 1_000_000, 100 + seed, scores, choices, curve);
    }

    private static PrefixScores Score(string set, string split, string prefix, double top1) =>
        new(set, split, prefix, prefix.Contains('+', StringComparison.Ordinal), top1, Math.Min(1, top1 + 0.2), top1 - 0.01, 2 - top1);
}
