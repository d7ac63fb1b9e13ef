using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>Training and scoring as parts of ML.NET's own pipelines.</summary>
[TestClass]
public sealed class PipelineTests
{
    private static readonly PrefixClipOptions Short = Tiny.Options with { Epochs = 2, BatchSize = 4 };

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void CrossValidate_TrainedEmbeddingsAndATrainer_GivesMetricsOfEveryFold()
    {
        var pipeline = _mlContext.Transforms.PrefixClip(Short)
            .Append(_mlContext.Transforms.Conversion.MapValueToKey("Label"))
            .Append(_mlContext.MulticlassClassification.Trainers.LbfgsMaximumEntropy(featureColumnName: "ImageEmbedding"));
        var labeled = _mlContext.Transforms.TagDatasetType("classification").Fit(Tiny.Data.Test(_mlContext))
            .Transform(Tiny.Data.Test(_mlContext));

        var folds = _mlContext.MulticlassClassification.CrossValidate(labeled, pipeline, numberOfFolds: 2);

        Assert.HasCount(2, folds);
        foreach (var fold in folds)
        {
            Assert.IsTrue(fold.Metrics.MicroAccuracy is >= 0 and <= 1);
            Assert.IsTrue(double.IsFinite(fold.Metrics.LogLoss));
            (fold.Model as IDisposable)?.Dispose();
        }
    }

    [TestMethod]
    public void CrossValidate_ZeroShot_GivesMetricsOfEveryFold()
    {
        var folds = _mlContext.MulticlassClassification.CrossValidate(
            Tiny.Data.Test(_mlContext), _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames), numberOfFolds: 3);
        Assert.HasCount(3, folds);
        foreach (var fold in folds) Assert.IsGreaterThan(0.5, fold.Metrics.MicroAccuracy);
    }

    [TestMethod]
    public void Fit_ChainFromTagToTrainer_SavesAndLoads()
    {
        var images = _mlContext.Data.LoadFromEnumerable(Tiny.Data.Images.Select(
            i => new LabeledRow { Image = i.Path, Text = i.ClassName, Label = i.ClassName }));
        var pipeline = _mlContext.Transforms.TagDatasetType("classification")
            .Append(_mlContext.Transforms.PrefixClip(Short))
            .Append(_mlContext.Transforms.Conversion.MapValueToKey("Label"))
            .AppendCacheCheckpoint(_mlContext)
            .Append(_mlContext.MulticlassClassification.Trainers.LbfgsMaximumEntropy(featureColumnName: "ImageEmbedding"))
            .Append(_mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
        using var trained = pipeline.Fit(images);
        using var stream = new MemoryStream();
        _mlContext.Model.Save(trained, images.Schema, stream);
        stream.Position = 0;
        var loaded = new MLContext().Model.Load(stream, out _);

        Assert.AreSequenceEqual(trained.Transform(images).GetColumn<string>("PredictedLabel"),
            loaded.Transform(images).GetColumn<string>("PredictedLabel"));
        using var engine = _mlContext.Model.CreatePredictionEngine<LabeledRow, NamePrediction>(loaded);   // owns what was loaded
        Assert.Contains(engine.Predict(new LabeledRow { Image = Tiny.Data.Image(0) }).PredictedLabel, TinyData.ClassNames);
    }

    [TestMethod]
    public void Append_WrongImageColumn_FailsBeforeTraining()
    {
        var pipeline = _mlContext.Transforms.Conversion.MapValueToKey("Label")
            .Append(_mlContext.Transforms.PrefixClip(Short with { Columns = new() { Image = "Picture" } }));
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => pipeline.Fit(Tiny.Data.Test(_mlContext)));
        Assert.Contains("There is no image column 'Picture'; the pipeline has 'Image', 'Text', 'DatasetType', 'Label'. Set Columns.Image",
            error.Message);

        var zeroShot = _mlContext.Transforms.Conversion.MapValueToKey("Label").Append(_mlContext.Transforms.ZeroShotClassification(
            Tiny.Model, new ZeroShotClassificationOptions { ClassNames = TinyData.ClassNames, ImageColumnName = "Label" }));
        error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => zeroShot.Fit(Tiny.Data.Test(_mlContext)));
        Assert.Contains("an image column is text (a path), a vector of bytes (an encoded file) or an image, " +
            "or an embedding from the model.", error.Message);
    }

    [TestMethod]
    public void Fit_PipelineThatNeedsTheAddedColumns_PassesSchemaPropagation()
    {
        var test = Tiny.Data.Test(_mlContext);
        var chain = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames)
            .Append(_mlContext.Transforms.Conversion.MapKeyToValue("Truth", "Label"))
            .Append(_mlContext.Transforms.Conversion.MapKeyToValue("Name", "PredictedLabel"))
            .Append(_mlContext.Transforms.Concatenate("Features", "Score")).Fit(test);
        var scored = chain.Transform(test);
        Assert.AreSequenceEqual(Tiny.Data.Images.Select(i => i.ClassName), scored.GetColumn<string>("Truth"));
        CollectionAssert.AreEqual(scored.GetColumn<float[]>("Score").First(), scored.GetColumn<float[]>("Features").First());
    }

    private sealed class LabeledRow
    {
        public string Image { get; set; } = "";

        public string Text { get; set; } = "";

        public string Label { get; set; } = "";
    }

    private sealed class NamePrediction
    {
        public string PredictedLabel { get; set; } = "";
    }
}
