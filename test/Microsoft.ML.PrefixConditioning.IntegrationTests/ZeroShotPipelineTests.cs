using System.IO.Compression;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>Training and zero-shot classification as one estimator.</summary>
[TestClass]
public sealed class ZeroShotPipelineTests
{
    private static readonly PrefixClipOptions Short = Tiny.Options with { Epochs = 2, BatchSize = 4 };

    private readonly MLContext _mlContext = new(seed: 1);

    private IDataView Rows => Tiny.Data.Train(_mlContext);

    private EstimatorChain<ZeroShotClassificationTransformer> Pipeline(PrefixSelection? prefix = null) =>
        _mlContext.Transforms.PrefixClip(Short).Append(_mlContext.Transforms.ZeroShotClassification(TinyData.ClassNames, prefix));

    [TestMethod]
    public void Fit_Pipeline_ScoresAsInTwoSteps()
    {
        var test = Tiny.Data.Test(_mlContext);
        using var trained = Pipeline().Fit(Rows);

        var expected = ScoresInTwoSteps(trained.LastTransformer.Model, test);
        CollectionAssert.AreEqual(expected, Scores(trained.Transform(test)));
        using var engine = _mlContext.Model.CreatePredictionEngine<PathRow, ScoredRow>(
            trained, new PredictionEngineOptions { OwnsTransformer = false });
        var predicted = engine.Predict(new PathRow { Image = Tiny.Data.Image(0) }).Score;
        for (var c = 0; c < 3; c++) Assert.AreEqual(expected[c], predicted[c], 1e-5);   // sums of another batch size
    }

    [TestMethod]
    public void Fit_CacheAndOtherStepBetween_ScoresTheSame()
    {
        var test = Tiny.Data.Test(_mlContext);
        var pipeline = _mlContext.Transforms.PrefixClip(Short).AppendCacheCheckpoint(_mlContext)
            .Append(_mlContext.Transforms.Conversion.MapValueToKey("Label"))
            .Append(_mlContext.Transforms.ZeroShotClassification(TinyData.ClassNames))
            .Append(_mlContext.Transforms.Conversion.MapKeyToValue("Name", "PredictedLabel"));
        using var trained = pipeline.Fit(Rows);
        var model = trained.OfType<PrefixClipTransformer>().Single();
        CollectionAssert.AreEqual(ScoresInTwoSteps(model, test), Scores(trained.Transform(test)));
        Assert.IsEmpty(trained.Transform(test).GetColumn<string>("Name").Except(TinyData.ClassNames));
    }

    [TestMethod]
    public void CrossValidate_Pipeline_GivesMetricsOfEveryFold()
    {
        var folds = _mlContext.MulticlassClassification.CrossValidate(Rows, Pipeline(), numberOfFolds: 2);

        Assert.HasCount(2, folds);
        foreach (var fold in folds)
        {
            Assert.IsTrue(double.IsFinite(fold.Metrics.LogLoss));
            Assert.AreEqual(3, fold.Metrics.ConfusionMatrix.NumberOfClasses);
            ((IDisposable)fold.Model).Dispose();
        }
        // Captioned images have no label and do not count.
        Assert.AreEqual(24, folds.Sum(f => f.Metrics.ConfusionMatrix.Counts.Sum(row => row.Sum())));
    }

    [TestMethod]
    public void Load_SavedPipeline_HasOneModelAndGivesTheSameBits()
    {
        var test = Tiny.Data.Test(_mlContext);
        using var trained = Pipeline().Fit(Rows);
        using var stream = new MemoryStream();
        _mlContext.Model.Save(trained, Rows.Schema, stream);

        using (var zip = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true))
            Assert.HasCount(1, zip.Entries.Where(e => e.Name == "weights.safetensors").ToArray());
        stream.Position = 0;
        using var loaded = (TransformerChain<ITransformer>)new MLContext().Model.Load(stream, out _);
        CollectionAssert.AreEqual(Scores(trained.Transform(test)), Scores(loaded.Transform(test)));

        var classifier = (ZeroShotClassificationTransformer)loaded.LastTransformer;
        Assert.AreSequenceEqual(TinyData.ClassNames, classifier.ClassNames);
        Action[] uses = [() => _ = classifier.Model, () => classifier.SaveAsOnnx(Path.Combine(Tiny.Data.Folder, "none.onnx"))];
        foreach (var use in uses)
            Assert.Contains("This classifier was saved behind a PrefixClip step, which has the model.",
                Assert.ThrowsExactly<InvalidOperationException>(use).Message);
        using var again = new MemoryStream();
        _mlContext.Model.Save(loaded, Rows.Schema, again);
        Assert.AreEqual(stream.Length, again.Length, 64);
    }

    [TestMethod]
    public void Dispose_Pipeline_FreesTheModel()
    {
        var test = Tiny.Data.Test(_mlContext);
        var trained = Pipeline().Fit(Rows);
        var model = trained.LastTransformer.Model;
        trained.LastTransformer.Dispose();
        Assert.HasCount(1, model.EncodeTexts(["red"]));   // it belongs to the step before

        trained.Dispose();

        Assert.ThrowsExactly<ObjectDisposedException>(() => model.EncodeTexts(["red"]));
        Assert.ThrowsExactly<ObjectDisposedException>(() => trained.Transform(test));
    }

    [TestMethod]
    public void Fit_Auto_ChoosesThePrefixFromTheRows()
    {
        using var trained = Pipeline(PrefixSelection.Auto).Fit(Rows);
        Assert.AreNotEqual(PrefixSelection.Auto, trained.LastTransformer.Prefix);
        Assert.IsNotEmpty(trained.LastTransformer.Prefix.Weights);
        Assert.IsTrue(Scores(trained.Transform(Tiny.Data.Test(_mlContext))).All(s => s is >= 0 and <= 1));
    }

    [TestMethod]
    public void Fit_FaultyPipelines_FailBeforeTraining()
    {
        var steps = 0;
        var clip = _mlContext.Transforms.PrefixClip(Short with { Progress = new Progress(() => steps++) });
        var zeroShot = _mlContext.Transforms.ZeroShotClassification(TinyData.ClassNames);
        var noStep = _mlContext.Transforms.CopyColumns("Copy", "Image").Append(zeroShot);
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => noStep.Fit(Rows));
        Assert.StartsWith("The input has the columns 'Image', 'Text', 'DatasetType', 'Label', 'Copy', and none with ", error.Message);

        var dropped = clip.Append(_mlContext.Transforms.DropColumns("ImageEmbedding")).Append(zeroShot);
        Assert.ThrowsExactly<InvalidOperationException>(() => dropped.Fit(Rows));

        var second = _mlContext.Transforms.PrefixClip(
            Short with { Columns = new() { ImageEmbedding = "Second", TextEmbedding = "SecondText" } });
        error = Assert.ThrowsExactly<InvalidOperationException>(() => clip.Append(second).Append(zeroShot).Fit(Rows));
        Assert.StartsWith("The columns 'ImageEmbedding', 'Second' have image embeddings of several PrefixClip steps.", error.Message);

        var unknown = clip.Append(_mlContext.Transforms.ZeroShotClassification(TinyData.ClassNames, PrefixSelection.For("sketch")));
        Assert.Contains("'sketch'. It knows 'caption', 'classification'",
            Assert.ThrowsExactly<ArgumentException>(() => unknown.Fit(Rows)).Message);
        Assert.AreEqual(0, steps);
    }

    private float[] ScoresInTwoSteps(PrefixClipTransformer model, IDataView test) =>
        Scores(_mlContext.Transforms.ZeroShotClassification(model, TinyData.ClassNames).Fit(test).Transform(test));

    private static float[] Scores(IDataView view) => [.. view.GetColumn<float[]>("Score").SelectMany(s => s)];

    private sealed class Progress(Action report) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => report();
    }

    private sealed class ScoredRow
    {
        public float[] Score { get; set; } = [];
    }
}
