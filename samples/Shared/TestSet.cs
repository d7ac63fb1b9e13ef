using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;

namespace Samples;

/// <summary>Labeled images to test on, and how well a model classifies them from class names alone.</summary>
/// <param name="Name">Short name for tables.</param>
/// <param name="Description">One sentence about its pictures.</param>
/// <param name="Images">A view with an image and a label column.</param>
/// <param name="ClassNames">The classes to choose from.</param>
internal sealed record TestSet(string Name, string Description, IDataView Images, IReadOnlyList<string> ClassNames)
{
    /// <summary>A test set from a folder of class-name folders.</summary>
    public static TestSet Load(MLContext mlContext, string folder, string description)
    {
        var images = mlContext.Data.LoadImageFolder(folder);
        var classNames = images.GetColumn<string>("Label").Distinct().Order(StringComparer.Ordinal).ToArray();
        return new TestSet(Path.GetFileName(Path.TrimEndingDirectorySeparator(folder)), description, images, classNames);
    }

    /// <summary>The images with scores and predicted labels.</summary>
    public IDataView Classify(MLContext mlContext, PrefixClipTransformer model, PrefixSelection prefix) =>
        mlContext.Transforms.ZeroShotClassification(model, ClassNames, prefix).Fit(Images).Transform(Images);

    /// <summary>Share of images that are classified right, 0 to 1.</summary>
    public double Accuracy(MLContext mlContext, PrefixClipTransformer model, PrefixSelection prefix) =>
        mlContext.MulticlassClassification.Evaluate(Classify(mlContext, model, prefix), labelColumnName: "Label").MicroAccuracy;

    /// <summary>Accuracies for several prefixes; the images are encoded only once.</summary>
    public IReadOnlyList<double> Accuracies(MLContext mlContext, PrefixClipTransformer model, IEnumerable<PrefixSelection> prefixes)
    {
        var embedded = mlContext.Data.Cache(model.Transform(Images), "ImageEmbedding", "Label");
        return [.. prefixes.Select(prefix =>
        {
            var options = new ZeroShotClassificationOptions { ClassNames = ClassNames, Prefix = prefix,
                ImageColumnName = "ImageEmbedding" };
            var scored = mlContext.Transforms.ZeroShotClassification(model, options).Fit(embedded).Transform(embedded);
            return mlContext.MulticlassClassification.Evaluate(scored, labelColumnName: "Label").MicroAccuracy;
        })];
    }

    /// <summary>Some predictions to look at, spread over the set.</summary>
    public PredictionSet Examples(MLContext mlContext, PrefixClipTransformer model, PrefixSelection prefix, int count)
    {
        var scored = Classify(mlContext, model, prefix);
        var paths = scored.GetColumn<string>("Image").ToArray();
        var truths = Images.GetColumn<string>("Label").ToArray();
        var scores = scored.GetColumn<float[]>("Score").ToArray();
        var step = Math.Max(1, paths.Length / count);
        var examples = Enumerable.Range(0, Math.Min(count, paths.Length)).Select(i => i * step).Select(i =>
        {
            var best = scores[i].AsSpan().IndexOf(scores[i].Max());
            return new Prediction(paths[i], truths[i], ClassNames[best], scores[i][best]);
        });
        return new PredictionSet(Name, $"{Description} Class names with the prefix \"{prefix}\".", [.. examples]);
    }
}
