using System.Diagnostics;
using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.PrefixConditioning;

namespace PaperStudy;

/// <summary>Trains one model and scores it on every test set.</summary>
/// <param name="mlContext">The context.</param>
/// <param name="data">Training and test sets.</param>
/// <param name="store">Where checkpoints and models lie.</param>
/// <param name="keepsModels">Whether the trained model is kept.</param>
internal sealed class CellRun(MLContext mlContext, StudyData data, CellStore store, bool keepsModels)
{
    private const int CurvePoints = 200;
    private const string Embedding = "ImageEmbedding";

    // Without the commit that a build adds after a plus sign.
    private static readonly string? Version =
        typeof(PrefixClipTransformer).Assembly
            .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0];

    /// <summary>Runs a cell. A model that was kept is not trained again.</summary>
    /// <param name="cell">What to train.</param>
    /// <param name="progress">Shows the training.</param>
    /// <param name="cancellation">Stops it; the checkpoint stays.</param>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public CellResult Run(StudyCell cell, IProgress<TrainingProgress> progress, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        // For a kept or resumed model, the time would cover only the last part.
        var isWhole = !File.Exists(store.ModelPath(cell)) && !Directory.Exists(store.CheckpointFolder(cell));
        var (rows, count, types) = data.Training(cell.Model);
        using var model = Kept(cell) ?? Trained();
        var (scores, choices) = (new List<PrefixScores>(), new List<PrefixChoice>());
        foreach (var test in data.Tests)
        {
            cancellation.ThrowIfCancellationRequested();
            Score(cell, model, test, scores, choices);
        }
        return new CellResult(cell.Model.Name, cell.Loss, cell.Seed, cell.Key, model.History.Steps.Count, count, model.ParameterCount,
            isWhole ? Math.Round(watch.Elapsed.TotalSeconds, 1) : null, scores, choices, Curve(model.History.Steps), Version);

        PrefixClipTransformer Trained()
        {
            var options = cell.Training.ToOptions(types, count, cell.TrainedLoss, cell.Seed) with
            {
                Checkpoints = new() { Folder = store.CheckpointFolder(cell), Steps = 500 },
                Progress = progress,
                CancellationToken = cancellation,
            };
            var trained = mlContext.Transforms.PrefixClip(options).Fit(rows);
            if (keepsModels) OutputFile.Replace(store.ModelPath(cell), path => mlContext.Model.Save(trained, rows.Schema, path));
            return trained;
        }
    }

    /// <summary>The cell's model where it was kept, else null.</summary>
    private PrefixClipTransformer? Kept(StudyCell cell)
    {
        var path = store.ModelPath(cell);
        return File.Exists(path) ? (PrefixClipTransformer)mlContext.Model.Load(path, out _) : null;
    }

    private static readonly double[] BlendShares = [0.25, 0.5, 0.75, 1.25];

    private void Score(StudyCell cell, PrefixClipTransformer model, StudyTest test, List<PrefixScores> scores, List<PrefixChoice> choices)
    {
        // Image prefixes make an image's embedding depend on the prefix, so that there is none to keep.
        var (images, column) = (test.Images, (string?)null);
        if (cell.Training.ImagePrefixLength == 0)
            (images, column) = (mlContext.Data.Cache(model.Transform(test.Images), Embedding, "Label"), Embedding);
        var options = new ZeroShotClassificationOptions { ClassNames = test.ClassNames, ImageColumnName = column };
        var hasPrefixes = cell.Training.IsConditioned;
        var chosen = hasPrefixes && model.DatasetTypes.Count > 1
            ? mlContext.Transforms.ZeroShotClassification(model, options with { Prefix = PrefixSelection.Auto }).Fit(images).Prefix : null;
        var blends = chosen is null ? [] : Quarters(model.DatasetTypes).Append(chosen).Where(p => p.Weights.Count > 1).Distinct();
        var comparison = mlContext.MulticlassClassification.ComparePrefixes(images, model, options, blends);
        foreach (var (prefix, metrics) in comparison.Prefixes)
        {
            if (!hasPrefixes && !prefix.Equals(PrefixSelection.None) || !IsFixed(prefix)) continue;
            scores.Add(new PrefixScores(test.Test.Name, test.Split, prefix.ToString(), prefix.Weights.Count > 1,
                metrics.MicroAccuracy, metrics.TopKAccuracy, metrics.MacroAccuracy, metrics.LogLoss));
        }
        if (chosen is null) return;
        var best = comparison[chosen];
        choices.Add(new PrefixChoice(test.Test.Name, test.Split, StudyScores.AutoCriterion, chosen.ToString(), best.MicroAccuracy,
            best.TopKAccuracy));
    }

    /// <summary>Blends of the caption type with each other type by quarters; beyond 1, away from the other type.</summary>
    private static IEnumerable<PrefixSelection> Quarters(IReadOnlyList<DatasetType> types) =>
        from caption in types.Where(t => t.Texts == TextKind.Caption).Take(1)
        from other in types.Where(t => t != caption)
        from share in BlendShares
        select PrefixSelection.Blend((caption.Name, share), (other.Name, 1 - share));

    /// <summary>Whether a blend is one of the quarters that are scored on every test set, and not a share that suits one of them.</summary>
    private static bool IsFixed(PrefixSelection prefix) => prefix.Weights.All(w => 4 * w.Weight % 1 == 0);

    private static List<CurvePoint> Curve(IReadOnlyList<TrainingStep> steps)
    {
        var points = new List<CurvePoint>();
        var start = 0;
        for (var i = 1; i <= CurvePoints; i++)
        {
            var end = (int)((long)i * steps.Count / CurvePoints);
            if (end == start) continue;
            points.Add(new CurvePoint(end, Math.Round(steps.Skip(start).Take(end - start).Average(s => (double)s.Loss), 5)));
            start = end;
        }
        return points;
    }
}
