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

    /// <summary>The test set as a report takes it.</summary>
    public ReportTestSet ForReport => new(Name, Images, new() { ClassNames = ClassNames }) { Description = Description };

    /// <summary>Share of images that are classified right, 0 to 1.</summary>
    public double Accuracy(MLContext mlContext, PrefixClipTransformer model, PrefixSelection prefix)
    {
        var scored = mlContext.Transforms.ZeroShotClassification(model, ClassNames, prefix).Fit(Images).Transform(Images);
        return mlContext.MulticlassClassification.Evaluate(scored, labelColumnName: "Label").MicroAccuracy;
    }
}
