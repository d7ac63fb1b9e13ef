using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>Prefixes that Fit chooses from images without labels.</summary>
[TestClass]
public sealed class AutoPrefixTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void Fit_Auto_GivesTheClassifierOfTheChosenPrefix()
    {
        var chosen = Auto().Fit(Unlabeled());
        Assert.AreNotEqual(PrefixSelection.Auto, chosen.Prefix);
        Assert.AreEqual(chosen.Prefix, Auto().Fit(Unlabeled()).Prefix, "Repeatable.");
        var named = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames, chosen.Prefix).Fit(Unlabeled());
        Assert.AreSequenceEqual(Scores(named), Scores(chosen));
    }

    [TestMethod]
    public void Fit_TrainingImagesOfOneType_LeadsToThatType()
    {
        var captioned = _mlContext.Data.LoadImageCaptions(Tiny.Data.Captions, imageRoot: Tiny.Data.Captioned);
        Assert.AreEqual("1.25 caption - 0.25 classification", Auto().Fit(captioned).Prefix.ToString(),
            "Distance 0 from their own summary.");
    }

    [TestMethod]
    public void SaveLoad_AutoClassifier_KeepsWhatWasChosen()
    {
        var chosen = Auto().Fit(Unlabeled());
        using var loaded = (ZeroShotClassificationTransformer)Reload(chosen);
        Assert.AreEqual(chosen.Prefix, loaded.Prefix);
        Assert.AreSequenceEqual(Scores(chosen), Scores(loaded));
        var again = _mlContext.Transforms.ZeroShotClassification(loaded.Model, TinyData.ClassNames, PrefixSelection.Auto).Fit(Unlabeled());
        Assert.AreEqual(chosen.Prefix, again.Prefix, "The summaries are saved too.");
    }

    [TestMethod]
    public void Append_AutoInAPipeline_FitsSavesAndPredicts()
    {
        var images = _mlContext.Data.LoadFromEnumerable(Tiny.Data.Images.Select(i => new PathRow { Image = i.Path }));
        var options = Options with { Prefix = PrefixSelection.Auto, ImageColumnName = "Picture" };
        var chain = _mlContext.Transforms.CopyColumns("Picture", "Image")
            .Append(_mlContext.Transforms.ZeroShotClassification(Tiny.Model, options))
            .Append(_mlContext.Transforms.Conversion.MapKeyToValue("Name", "PredictedLabel"));
        var fitted = chain.Fit(images);
        var expected = fitted.Transform(images).GetColumn<string>("Name").First();
        using var engine = _mlContext.Model.CreatePredictionEngine<PathRow, NamePrediction>(Reload(fitted));
        Assert.AreEqual(expected, engine.Predict(new PathRow { Image = Tiny.Data.Image(0) }).Name);
    }

    [TestMethod]
    public void CrossValidate_Auto_ChoosesInEveryFold()
    {
        var folds = _mlContext.MulticlassClassification.CrossValidate(
            Tiny.Data.Test(_mlContext), Auto(), numberOfFolds: 2);
        Assert.HasCount(2, folds);
    }

    [TestMethod]
    public void Fit_NoRows_IsAnErrorOnlyForAuto()
    {
        var none = _mlContext.Data.LoadFromEnumerable<PathRow>([]);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Auto().Fit(none));
        Assert.StartsWith("The view has no rows, but PrefixSelection.Auto chooses the prefix from images.", error.Message);
        var named = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(none);
        Assert.AreEqual(PrefixSelection.Caption, named.Prefix);
    }

    [TestMethod]
    public void Fit_UnreadableImage_FollowsTheModelsPolicy()
    {
        var paths = Tiny.Data.Images.Take(3).Select(i => i.Path).Append("gone.png");
        var rows = _mlContext.Data.LoadFromEnumerable(paths.Select(path => new PathRow { Image = path }));
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Auto().Fit(rows));
        Assert.StartsWith("Row 4: The image 'gone.png' cannot be read", error.Message);
        PrefixSelection Chosen(IDataView images) =>
            _mlContext.Transforms.ZeroShotClassification(Tiny.SkippingModel,
                Options with { Prefix = PrefixSelection.Auto }).Fit(images).Prefix;
        Assert.AreEqual(Chosen(_mlContext.Data.TakeRows(rows, 3)), Chosen(rows));
    }

    [TestMethod]
    public void Auto_Elsewhere_SaysWhereItBelongs() => Assert.StartsWith("The prefix is auto, which is chosen from",
        Assert.ThrowsExactly<ArgumentException>(() => Tiny.Model.EncodeTexts(["red"], PrefixSelection.Auto)).Message);

    private static ZeroShotClassificationOptions Options { get; } = new() { ClassNames = TinyData.ClassNames };

    private ZeroShotClassificationEstimator Auto() =>
        _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames, PrefixSelection.Auto);

    private IDataView Unlabeled() =>
        _mlContext.Data.LoadFromEnumerable(Tiny.Data.Images.Select(i => new CaptionedRow { Image = i.Path, Text = "" }));

    private float[] Scores(ZeroShotClassificationTransformer classifier) =>
        [.. classifier.Transform(Unlabeled()).GetColumn<float[]>("Score").SelectMany(s => s)];

    private ITransformer Reload(ITransformer model)
    {
        using var stream = new MemoryStream();
        _mlContext.Model.Save(model, Unlabeled().Schema, stream);
        stream.Position = 0;
        return new MLContext().Model.Load(stream, out _);
    }

    private sealed class NamePrediction
    {
        public string Name { get; set; } = "";
    }
}
