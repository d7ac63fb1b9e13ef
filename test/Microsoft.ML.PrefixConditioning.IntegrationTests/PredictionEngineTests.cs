using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>One image at a time.</summary>
[TestClass]
public sealed class PredictionEngineTests
{
    private static readonly PredictionEngineOptions Borrowing = new() { OwnsTransformer = false };

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void Predict_ManyImagesInTurn_EachHasItsOwnScore()
    {
        var test = Tiny.Data.Test(_mlContext);
        var scored = ZeroShot(test).Transform(test);
        var expected = scored.GetColumn<float[]>("Score").ToArray();
        using var engine = _mlContext.Model.CreatePredictionEngine<PathRow, ScorePrediction>(ZeroShot(test), Borrowing);

        var order = Enumerable.Range(0, 24).Concat([5, 5, 0, 23]).ToArray();
        foreach (var i in order)
        {
            var prediction = engine.Predict(new PathRow { Image = Tiny.Data.Image(i), Label = "red" });
            for (var c = 0; c < 3; c++) Assert.AreEqual(expected[i][c], prediction.Score[c], 1e-5f, $"Image {i}.");
            Assert.AreEqual((uint)expected[i].AsSpan().IndexOf(expected[i].Max()) + 1, prediction.PredictedLabel, $"Image {i}.");
        }
    }

    [TestMethod]
    public void Predict_SameRowObjectWithAnotherImage_GivesTheOtherScore()
    {
        var zeroShot = ZeroShot(Tiny.Data.Test(_mlContext));
        using var engine = _mlContext.Model.CreatePredictionEngine<PathRow, ScorePrediction>(zeroShot, Borrowing);
        var row = new PathRow { Image = Tiny.Data.Image(0) };
        var prediction = new ScorePrediction();
        engine.Predict(row, ref prediction);
        var first = prediction.Score.ToArray();
        row.Image = Tiny.Data.Image(20);
        engine.Predict(row, ref prediction);
        CollectionAssert.AreNotEqual(first, prediction.Score);
    }

    [TestMethod]
    public void Predict_BytesAndPixels_EqualThePath()
    {
        var path = Tiny.Data.Image(3);
        using var paths = _mlContext.Model.CreatePredictionEngine<CaptionedRow, EmbeddingPrediction>(Tiny.Model, Borrowing);
        using var bytes = _mlContext.Model.CreatePredictionEngine<BytesRow, ImagePrediction>(Tiny.Model, Borrowing);
        using var pixels = _mlContext.Model.CreatePredictionEngine<PixelsRow, ImagePrediction>(Tiny.Model, Borrowing);
        using var image = MLImage.CreateFromFile(path);

        var expected = paths.Predict(new CaptionedRow { Image = path, Text = "red" });
        CollectionAssert.AreEqual(expected.ImageEmbedding, bytes.Predict(new BytesRow { Image = File.ReadAllBytes(path) }).ImageEmbedding);
        CollectionAssert.AreEqual(expected.ImageEmbedding, pixels.Predict(new PixelsRow { Image = image }).ImageEmbedding);
        CollectionAssert.AreEqual(Tiny.Model.EncodeTexts(["red"])[0], expected.TextEmbedding);
        Assert.AreEqual(20, image.Width, "The user's image was disposed.");
    }

    [TestMethod]
    public void Predict_OnlyTextAskedFor_NeverTouchesTheImage()
    {
        using var engine = _mlContext.Model.CreatePredictionEngine<CaptionedRow, TextPrediction>(Tiny.Model, Borrowing);
        Assert.HasCount(24, engine.Predict(new CaptionedRow { Image = "nowhere.png", Text = "red" }).TextEmbedding);
    }

    [TestMethod]
    public void Predict_MissingFile_NamesItAndTheEngineGoesOn()
    {
        var zeroShot = ZeroShot(Tiny.Data.Test(_mlContext));
        using var engine = _mlContext.Model.CreatePredictionEngine<PathRow, ScorePrediction>(zeroShot, Borrowing);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => engine.Predict(new PathRow { Image = "nowhere.png" }));
        Assert.Contains("Row 1: The image 'nowhere.png' cannot be read", error.Message);
        Assert.HasCount(3, engine.Predict(new PathRow { Image = Tiny.Data.Image(0) }).Score);
    }

    [TestMethod]
    public void Predict_MissingImageAndSkipPolicy_GivesMissingValues()
    {
        var test = Tiny.Data.Test(_mlContext);
        var zeroShot = _mlContext.Transforms.ZeroShotClassification(Tiny.SkippingModel, TinyData.ClassNames).Fit(test);
        using var engine = _mlContext.Model.CreatePredictionEngine<PathRow, ScorePrediction>(zeroShot, Borrowing);
        var prediction = engine.Predict(new PathRow { Image = "nowhere.png" });
        Assert.IsTrue(prediction.Score.All(float.IsNaN));
        Assert.AreEqual(0u, prediction.PredictedLabel);
    }

    [TestMethod]
    public void Predict_OneEnginePerThread_AllGiveTheSame()
    {
        var zeroShot = ZeroShot(Tiny.Data.Test(_mlContext));
        var expected = Enumerable.Range(0, 24).Select(i => Predict(zeroShot, i)).ToArray();
        Parallel.For(0, 48, i => CollectionAssert.AreEqual(expected[i % 24], Predict(zeroShot, i % 24)));
    }

    [TestMethod]
    public void Predict_ChainToClassName_GivesTheName()
    {
        var test = Tiny.Data.Test(_mlContext);
        var chain = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames)
            .Append(_mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel")).Fit(test);
        using var engine = _mlContext.Model.CreatePredictionEngine<PathRow, NamePrediction>(chain, Borrowing);
        var names = Tiny.Data.Images.Select(i => engine.Predict(new PathRow { Image = i.Path }).PredictedLabel).ToArray();
        Assert.IsGreaterThan(19, names.Zip(Tiny.Data.Images).Count(p => p.First == p.Second.ClassName));
    }

    [TestMethod]
    public void Dispose_EngineOfAFittedClassifier_LeavesTheModelAlive()
    {
        var zeroShot = ZeroShot(Tiny.Data.Test(_mlContext));
        // ML.NET's default is that the engine disposes the classifier.
        _mlContext.Model.CreatePredictionEngine<PathRow, ScorePrediction>(zeroShot).Dispose();
        Assert.HasCount(3, Predict(zeroShot, 0));
    }

    [TestMethod]
    public void Dispose_EngineThatOwnsTheModel_LaterUseSaysSo()
    {
        var zip = Path.Combine(Tiny.Data.Folder, "owned.zip");
        _mlContext.Model.Save(Tiny.Model, null, zip);
        var model = (PrefixClipTransformer)_mlContext.Model.Load(zip, out _);
        var view = model.Transform(Tiny.Data.Test(_mlContext));
        _mlContext.Model.CreatePredictionEngine<PathRow, ImagePrediction>(model).Dispose();

        foreach (var use in new Func<object?>[]
        {
            () => model.Transform(Tiny.Data.Test(_mlContext)), () => model.EncodeTexts(["red"]),
            () => view.GetColumn<float[]>("ImageEmbedding").ToArray(), () => Save(model),
        })
        {
            var error = Assert.ThrowsExactly<ObjectDisposedException>(use);
            Assert.Contains("The model was disposed.", error.Message);
            Assert.Contains("unless PredictionEngineOptions.OwnsTransformer is false.", error.Message);
        }
        Assert.AreEqual(Tiny.Model.ParameterCount, model.ParameterCount);
        model.Dispose();   // twice does no harm
    }

    private ZeroShotClassificationTransformer ZeroShot(IDataView rows) =>
        _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(rows);

    private MemoryStream Save(ITransformer model)
    {
        var stream = new MemoryStream();
        _mlContext.Model.Save(model, null, stream);
        return stream;
    }

    private float[] Predict(ZeroShotClassificationTransformer zeroShot, int image)
    {
        using var engine = _mlContext.Model.CreatePredictionEngine<PathRow, ScorePrediction>(zeroShot, Borrowing);
        return engine.Predict(new PathRow { Image = Tiny.Data.Image(image) }).Score;
    }

    private sealed class ScorePrediction
    {
        public float[] Score { get; set; } = [];

        public uint PredictedLabel { get; set; }
    }

    private sealed class NamePrediction
    {
        public string PredictedLabel { get; set; } = "";
    }

    private sealed class ImagePrediction
    {
        public float[] ImageEmbedding { get; set; } = [];
    }

    private sealed class TextPrediction
    {
        public float[] TextEmbedding { get; set; } = [];
    }

    private sealed class EmbeddingPrediction
    {
        public float[] ImageEmbedding { get; set; } = [];

        public float[] TextEmbedding { get; set; } = [];
    }
}
