using Microsoft.ML.PrefixConditioning;

namespace PaperStudy;

/// <summary>Finds the scores of finished cells by what they are of.</summary>
internal sealed class StudyScores
{
    /// <summary>Name of the choice of no prefix.</summary>
    public const string NoPrefix = "none";

    /// <summary>Name of what <see cref="PrefixSelection.Auto"/> chose for each test set without labels.</summary>
    public static readonly string AutoPrefix = PrefixSelection.Auto.ToString();

    /// <summary>Name in result files of how <see cref="PrefixSelection.Auto"/> chooses. Older files have further criteria, which
    /// lost.</summary>
    public const string AutoCriterion = "DistanceRatio";

    private readonly Dictionary<ScoreKey, SortedDictionary<int, PrefixScores>> _scores = [];

    public StudyScores(StudyResults results)
    {
        Results = results;
        foreach (var cell in results.Cells)
            foreach (var score in AllOf(cell))
            {
                var key = new ScoreKey(cell.Loss, cell.Model, score.Prefix, score.TestSet, score.Split);
                if (!_scores.TryGetValue(key, out var bySeed)) _scores.Add(key, bySeed = []);
                bySeed[cell.Seed] = score;
            }
    }

    /// <summary>The study.</summary>
    public StudyResults Results { get; }

    /// <summary>The finished cells of one model and loss, by seed.</summary>
    public IReadOnlyList<CellResult> Cells(string loss, string model) =>
        [.. Results.Cells.Where(cell => cell.Loss == loss && cell.Model == model).OrderBy(cell => cell.Seed)];

    /// <summary>The models that have a finished cell with a loss.</summary>
    public IReadOnlyList<ModelInfo> Models(string loss) =>
        [.. Results.Models.Where(model => Results.Cells.Any(cell => cell.Loss == loss && cell.Model == model.Name))];

    /// <summary>The test-time prefixes of a model: single ones, then none, then blends, then what was chosen without labels.</summary>
    public IReadOnlyList<(string Prefix, bool IsBlend)> Prefixes(string loss, string model) =>
        [.. Cells(loss, model).SelectMany(AllOf).Select(score => (score.Prefix, score.IsBlend)).Distinct()
            .OrderBy(prefix => prefix.Prefix == AutoPrefix ? 3 : prefix.IsBlend ? 2 : prefix.Prefix == NoPrefix ? 1 : 0)];

    /// <summary>The test-time prefixes that are one dataset type each.</summary>
    public IReadOnlyList<string> Types(string loss, string model) =>
        [.. Prefixes(loss, model).Where(prefix => !prefix.IsBlend && prefix.Prefix != NoPrefix).Select(prefix => prefix.Prefix)];

    /// <summary>The prefix of the captions, else the main table's; null where that was not scored as a type's prefix.</summary>
    public string? CaptionPrefix(string loss, ModelInfo model) =>
        Types(loss, model.Name).FirstOrDefault(type => type == (model.CaptionPrefix ?? model.ReportedPrefix));

    /// <summary>The values of a column by seed; only of seeds that have a value for each of its test sets.</summary>
    /// <param name="loss">"CLIP" or "UniCL".</param>
    /// <param name="model">Name of the model.</param>
    /// <param name="prefix">Test-time prefix.</param>
    /// <param name="column">One test set, or several to take the mean of.</param>
    /// <param name="metric">Which accuracy.</param>
    public IReadOnlyDictionary<int, double> BySeed(
        string loss, string model, string prefix, ScoreColumn column, Func<PrefixScores, double> metric)
    {
        SortedDictionary<int, PrefixScores>? OfSet(TestSetInfo set) =>
            _scores.GetValueOrDefault(new ScoreKey(loss, model, prefix, set.Name, column.Split));
        var sets = column.TestSets.Select(OfSet).ToArray();
        var values = new SortedDictionary<int, double>();
        if (sets.Length == 0 || sets[0] is not { } first) return values;
        foreach (var seed in first.Keys)
        {
            var ofSeed = sets.Select(set => set?.GetValueOrDefault(seed) is { } score ? metric(score) : double.NaN).ToArray();
            if (ofSeed.All(double.IsFinite)) values.Add(seed, ofSeed.Average());
        }
        return values;
    }

    // What was chosen without labels is scored as one more prefix.
    private static IEnumerable<PrefixScores> AllOf(CellResult cell) => cell.Scores.Concat(
        from choice in cell.Choices
        where choice.Criterion == AutoCriterion
        select new PrefixScores(choice.TestSet, choice.Split, AutoPrefix, IsBlend: true, choice.Top1, choice.Top5, double.NaN, double.NaN));

    private readonly record struct ScoreKey(string Loss, string Model, string Prefix, string TestSet, string Split);
}
