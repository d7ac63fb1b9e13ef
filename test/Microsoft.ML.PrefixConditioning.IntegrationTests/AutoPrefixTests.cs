using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>Prefixes that Fit chooses from images without labels.</summary>
[TestClass]
public sealed class AutoPrefixTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(PrefixCriterion.MutualInformation)]
    [DataRow(PrefixCriterion.CorrectedConfidence)]
    [DataRow(PrefixCriterion.Agreement)]
    [DataRow(PrefixCriterion.TrainingSimilarity)]
    [DataRow(PrefixCriterion.Consistency)]
    [DataRow(PrefixCriterion.DistanceRatio)]
    public void Fit_Auto_GivesTheClassifierOfTheBestRankedPrefix(PrefixCriterion criterion)
    {
        var best = Rank(Unlabeled(), criterion)[0].Prefix;
        var chosen = Auto(criterion).Fit(Unlabeled());
        Assert.AreEqual(best, chosen.Prefix);
        Assert.IsNull(chosen.Prefix.Criterion);
        var named = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames, best).Fit(Unlabeled());
        Assert.AreSequenceEqual(Scores(named), Scores(chosen));
    }

    [TestMethod]
    public void Rank_AnyCriterion_IsSortedAndRepeatable()
    {
        foreach (var criterion in Enum.GetValues<PrefixCriterion>())
        {
            var ranking = Rank(Unlabeled(), criterion);
            // The share of the distances is one more, unless it is one of the quarters.
            int[] expected = criterion switch { PrefixCriterion.Agreement => [2], PrefixCriterion.DistanceRatio => [6, 7], _ => [5] };
            Assert.Contains(ranking.Count, expected, $"{criterion}");
            Assert.AreSequenceEqual(ranking.OrderByDescending(s => s.Score), ranking, $"{criterion}");
            Assert.AreSequenceEqual(ranking, Rank(Unlabeled(), criterion), $"{criterion}");
            Assert.IsTrue(ranking.All(s => double.IsFinite(s.Score)), $"{criterion}");
        }
    }

    [TestMethod]
    public void Rank_TrainingImagesOfOneType_AreMostLikeThatType()
    {
        var captioned = _mlContext.Data.LoadImageCaptions(Tiny.Data.Captions, imageRoot: Tiny.Data.Captioned);
        var score = Rank(captioned, PrefixCriterion.TrainingSimilarity).Single(s => s.Prefix.Equals(PrefixSelection.Caption)).Score;
        Assert.AreEqual(0, score, 1e-6, "The images that the summary was taken from.");
    }

    [TestMethod]
    public void SaveLoad_AutoClassifier_KeepsWhatWasChosen()
    {
        var chosen = Auto(PrefixCriterion.TrainingSimilarity).Fit(Unlabeled());
        using var loaded = (ZeroShotClassificationTransformer)Reload(chosen);
        Assert.AreEqual(chosen.Prefix, loaded.Prefix);
        Assert.AreSequenceEqual(Scores(chosen), Scores(loaded));
        var again = _mlContext.MulticlassClassification.RankPrefixes(
            Unlabeled(), loaded.Model, Options, PrefixCriterion.TrainingSimilarity);
        Assert.AreSequenceEqual(Rank(Unlabeled(), PrefixCriterion.TrainingSimilarity), again, "The summaries are saved too.");
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
            Tiny.Data.Test(_mlContext), Auto(PrefixCriterion.MutualInformation), numberOfFolds: 2);
        Assert.HasCount(2, folds);
    }

    [TestMethod]
    public void Fit_NoRows_IsAnErrorOnlyForAuto()
    {
        var none = _mlContext.Data.LoadFromEnumerable<PathRow>([]);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Auto(PrefixCriterion.MutualInformation).Fit(none));
        Assert.StartsWith("The view has no rows, and PrefixSelection.Auto chooses the prefix from images.", error.Message);
        var named = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(none);
        Assert.AreEqual(PrefixSelection.Caption, named.Prefix);
    }

    [TestMethod]
    public void Fit_UnreadableImage_FollowsTheModelsPolicy()
    {
        var paths = Tiny.Data.Images.Take(3).Select(i => i.Path).Append("gone.png");
        var rows = _mlContext.Data.LoadFromEnumerable(paths.Select(path => new PathRow { Image = path }));
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Auto(PrefixCriterion.MutualInformation).Fit(rows));
        Assert.StartsWith("Row 4: The image 'gone.png' cannot be read", error.Message);
        Assert.AreSequenceEqual(
            _mlContext.MulticlassClassification.RankPrefixes(_mlContext.Data.TakeRows(rows, 3), Tiny.SkippingModel, Options),
            _mlContext.MulticlassClassification.RankPrefixes(rows, Tiny.SkippingModel, Options));
    }

    [TestMethod]
    public void Auto_Elsewhere_SaysWhereItBelongs() => Assert.StartsWith("The prefix is auto (DistanceRatio), which is chosen from",
        Assert.ThrowsExactly<ArgumentException>(() => Tiny.Model.EncodeText(["red"], PrefixSelection.Auto)).Message);

    private static ZeroShotClassificationOptions Options { get; } = new() { ClassNames = TinyData.ClassNames };

    private ZeroShotClassificationEstimator Auto(PrefixCriterion criterion) =>
        _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames, PrefixSelection.AutoBy(criterion));

    private IReadOnlyList<PrefixScore> Rank(IDataView images, PrefixCriterion criterion) =>
        _mlContext.MulticlassClassification.RankPrefixes(images, Tiny.Model, Options, criterion);

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
