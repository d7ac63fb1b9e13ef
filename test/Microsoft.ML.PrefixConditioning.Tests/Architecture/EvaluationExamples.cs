using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The examples of docs/evaluation.md. A test compares the lines between the marks with the document's, and runs them.</summary>
internal static class EvaluationExamples
{
    public static IDataView ScoreByText(MLContext mlContext, PrefixClipTransformer model, IDataView folders)
    {
        // <evaluation 1>
        var imageNet = new ZeroShotClassificationOptions
        {
            ClassNames = ["n03773504", "n04008634"],   // the labels: WordNet's numbers, which name the folders
            ClassTexts = ["missile", "projectile"],
        };
        IDataView scored = mlContext.Transforms.ZeroShotClassification(model, imageNet).Fit(folders).Transform(folders);
        // </evaluation>
        return scored;
    }

    public static string Compare(MLContext mlContext, PrefixClipTransformer model, IDataView test, string[] classNames)
    {
        // <evaluation 2>
        var half = PrefixSelection.Blend(("caption", 1), ("classification", 1));
        PrefixComparison comparison = mlContext.MulticlassClassification.ComparePrefixes(test, model, classNames, [half]);
        MulticlassClassificationMetrics metrics = comparison[half];   // MicroAccuracy, TopKAccuracy, MacroAccuracy, LogLoss, ...
        string table = comparison.ToString();
        // </evaluation>
        Assert.AreEqual(5, metrics.TopKPredictionCount);
        return table;
    }

    public static string Retrieve(MLContext mlContext, PrefixClipTransformer model, IDataView captioned)
    {
        // <evaluation 3>
        RetrievalComparison retrieval = mlContext.Ranking.ComparePrefixes(captioned, model);
        RetrievalMetrics textToImage = retrieval[PrefixSelection.Caption].TextToImage;   // RecallAt1, RecallAt5, RecallAt10, ...
        double precision = retrieval[PrefixSelection.Caption].ImageToText.MeanAveragePrecision;
        string report = retrieval.ToString();
        // </evaluation>
        Assert.IsTrue(textToImage.RecallAt1 <= textToImage.RecallAt10 && precision > 0);
        return report;
    }

    public static PrefixSelection Choose(MLContext mlContext, PrefixClipTransformer model, IDataView unlabeled, string[] classNames)
    {
        // <evaluation 4>
        var zeroShot = mlContext.Transforms.ZeroShotClassification(model, classNames, PrefixSelection.Auto);
        ZeroShotClassificationTransformer classifier = zeroShot.Fit(unlabeled);   // reads images, no labels
        PrefixSelection chosen = classifier.Prefix;                                // such as 0.75 caption + 0.25 classification
        // </evaluation>
        return chosen;
    }

    public static double LinearProbe(MLContext mlContext, PrefixClipTransformer model, IDataView train, IDataView test)
    {
        // <evaluation 5>
        // The trainer makes many passes; the cache keeps it from encoding the images in each.
        IDataView embedded = mlContext.Data.Cache(model.Transform(train), "ImageEmbedding", "Label");
        var probe = mlContext.Transforms.Conversion.MapValueToKey("Label")
            .Append(mlContext.MulticlassClassification.Trainers.LbfgsMaximumEntropy(
                featureColumnName: "ImageEmbedding", l1Regularization: 0, l2Regularization: 0.01f))
            .Fit(embedded);
        var metrics = mlContext.MulticlassClassification.Evaluate(probe.Transform(model.Transform(test)), topKPredictionCount: 5);
        // </evaluation>
        return metrics.MicroAccuracy;
    }

    public static List<double> FewShots(MLContext mlContext, PrefixClipTransformer model, IDataView train, IDataView test)
    {
        // <evaluation 6>
        IDataView all = mlContext.Data.Cache(model.Transform(train), "ImageEmbedding", "Label");
        IDataView tested = mlContext.Data.Cache(model.Transform(test), "ImageEmbedding", "Label");
        var accuracies = new List<double>();
        foreach (var shots in new[] { 1, 2, 4 })
        {
            IDataView few = mlContext.Data.TakeRowsPerClass(all, shots, seed: 1);
            var probe = mlContext.Transforms.Conversion.MapValueToKey("Label")
                .Append(mlContext.MulticlassClassification.Trainers.LbfgsMaximumEntropy(
                    featureColumnName: "ImageEmbedding", l1Regularization: 0, l2Regularization: 0.01f))
                .Fit(few);
            accuracies.Add(mlContext.MulticlassClassification.Evaluate(probe.Transform(tested)).MicroAccuracy);
        }
        // </evaluation>
        return accuracies;
    }
}
