using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Choosing a prefix where it is known which one is right: embeddings are the input, made to fit.</summary>
[TestClass]
public sealed class AutoPrefixTests
{
    private const int D = 8;

    private static readonly string[] ClassNames = ["red square", "blue disc"];
    private static readonly PrefixSelection Caption = PrefixSelection.Caption, Classification = PrefixSelection.For("classification");

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(PrefixCriterion.MutualInformation, "classification")]
    [DataRow(PrefixCriterion.CorrectedConfidence, "classification")]
    [DataRow(PrefixCriterion.MutualInformation, "caption")]
    [DataRow(PrefixCriterion.CorrectedConfidence, "caption")]
    public void Rank_EmbeddingsThatOnePrefixSeparates_PutsItFirst(PrefixCriterion criterion, string right)
    {
        using var model = SmallModel.CreateTrained();
        var wrong = right == "caption" ? "classification" : "caption";
        var direction = SeparatedOnlyBy(model, PrefixSelection.For(right), PrefixSelection.For(wrong));
        var images = View(direction, [.. direction.Select(v => -v)]);

        var ranking = AutoPrefix.Rank(model, images, Options, criterion);

        Assert.AreEqual(PrefixSelection.For(right), ranking[0].Prefix, string.Join(", ", ranking));
        Assert.AreEqual(PrefixSelection.For(wrong), ranking[^1].Prefix, string.Join(", ", ranking));
        Assert.HasCount(5, ranking);
        if (criterion == PrefixCriterion.MutualInformation) Assert.AreEqual(0, ranking[^1].Score, 1e-5);
    }

    [TestMethod]
    public void Rank_TrainingSimilarity_FindsTheTypeOrTheMixture()
    {
        float[] near = [1, 0, 0, 0, 0, 0, 0, 0], far = [0, 1, 0, 0, 0, 0, 0, 0];
        using var model = WithSummaries(EmbeddingSummary.Of([near]), EmbeddingSummary.Of([far]));
        PrefixSelection Best(params float[][] images) =>
            AutoPrefix.Rank(model, View(images), Options, PrefixCriterion.TrainingSimilarity)[0].Prefix;
        Assert.AreEqual(Caption, Best(near, near));
        Assert.AreEqual(Classification, Best(far, far));
        Assert.AreEqual(PrefixSelection.Blend(("caption", 1), ("classification", 1)), Best(near, far));
        Assert.AreEqual(PrefixSelection.Blend(("caption", 3), ("classification", 1)), Best(near, near, far, near));
        Assert.AreEqual(0, AutoPrefix.Rank(model, View(near), Options, PrefixCriterion.TrainingSimilarity)[0].Score, 1e-12);
    }

    [TestMethod]
    // Squared distances from caption and classification, then 1 + ln(ratio) / 6 in hundredths.
    [DataRow(0.5f, 0.0198f, "0.46 caption + 0.54 classification")]     // ratio 0.04
    [DataRow(0.5f, 0.1116f, "0.75 caption + 0.25 classification")]     // 0.22
    [DataRow(0.5f, 0.5f, "caption")]
    [DataRow(0.5f, 0.9f, "1.1 caption - 0.1 classification")]          // 1.8
    [DataRow(0.2f, 0.8f, "1.23 caption - 0.23 classification")]        // 4
    [DataRow(0.1f, 0.8f, "1.25 caption - 0.25 classification")]        // 8
    [DataRow(0.5f, 0.0005f, "classification")]                         // 0.001
    [DataRow(0.5f, 0, "classification")]
    [DataRow(0, 0.5f, "1.25 caption - 0.25 classification")]
    public void Rank_DistanceRatio_GivesTheShareOfItsFormula(float fromCaption, float fromClassification, string expected)
    {
        // One image, so that standard deviations are 0 and distances those of the points.
        float[] At(float axis, float squared) => [axis == 0 ? MathF.Sqrt(squared) : 0, axis == 1 ? MathF.Sqrt(squared) : 0, 0, 0, 0, 0, 0, 0];
        using var model = WithSummaries(EmbeddingSummary.Of([At(0, fromCaption)]), EmbeddingSummary.Of([At(1, fromClassification)]));
        var ranking = AutoPrefix.Rank(model, View(new float[D]), Options, PrefixCriterion.DistanceRatio);
        Assert.AreEqual(expected, ranking[0].Prefix.ToString(), string.Join(", ", ranking));
        var share = 1 + Math.Log(fromClassification / (double)fromCaption) / 6;
        if (fromCaption * fromClassification > 0)
            Assert.AreEqual(-Math.Abs(0.75 - Math.Clamp(share, 0, 1.25)),
                ranking.Single(s => s.Prefix.ToString() == "0.75 caption + 0.25 classification").Score, 0.005);
        Assert.AreEqual(0, ranking[0].Score);
        Assert.HasCount(Math.Round(ranking[0].Prefix.Weights[0].Weight * 4, 9) % 1 == 0 ? 6 : 7, ranking, "the share itself, and the candidates, none twice");
    }

    [TestMethod]
    public void Rank_DistanceRatioOfThreeTypes_BlendsWithTheNearest()
    {
        float[] far = [3, 0, 0, 0, 0, 0, 0, 0], near = [0, 0.1f, 0, 0, 0, 0, 0, 0], middle = [0, 0, 0.5f, 0, 0, 0, 0, 0];
        using var model = WithSummaries([DatasetType.Caption, DatasetType.Classification, new("sketch", TextKind.ClassName)],
            EmbeddingSummary.Of([middle]), EmbeddingSummary.Of([far]), EmbeddingSummary.Of([near]));
        var ranking = AutoPrefix.Rank(model, View(new float[D]), Options, PrefixCriterion.DistanceRatio);
        Assert.AreEqual("0.46 caption + 0.54 sketch", ranking[0].Prefix.ToString());
        Assert.IsFalse(ranking.Any(s => s.Prefix.ToString().Contains("classification")), string.Join(", ", ranking));
    }

    [TestMethod]
    // The second caption type is nearest; the first stays where it is as near.
    [DataRow(0.5f, 0.1f, "1.12 scenes - 0.12 classification")]
    [DataRow(0.1f, 0.1f, "caption")]
    [DataRow(0.1f, 0.5f, "1.12 caption - 0.12 classification")]
    public void Rank_DistanceRatioOfTwoCaptionTypes_StartsFromTheNearest(float fromCaption, float fromScenes, string expected)
    {
        float[] At(int axis, float squared) => [.. Enumerable.Range(0, D).Select(d => d == axis ? MathF.Sqrt(squared) : 0)];
        using var model = WithSummaries([DatasetType.Caption, new("scenes", TextKind.Caption), DatasetType.Classification],
            EmbeddingSummary.Of([At(0, fromCaption)]), EmbeddingSummary.Of([At(1, fromScenes)]), EmbeddingSummary.Of([At(2, 0.2f)]));
        var ranking = AutoPrefix.Rank(model, View(new float[D]), Options, PrefixCriterion.DistanceRatio);
        Assert.AreEqual(expected, ranking[0].Prefix.ToString(), string.Join(", ", ranking));
    }

    [TestMethod]
    public void Rank_DistanceRatioOfOneType_IsThatType()
    {
        using var model = WithSummaries([DatasetType.Classification], EmbeddingSummary.Of([new float[D]]));
        Assert.AreEqual(Classification, AutoPrefix.Rank(model, View(new float[D]), Options, PrefixCriterion.DistanceRatio).Single().Prefix);
    }

    [TestMethod]
    [DataRow(PrefixCriterion.TrainingSimilarity)]
    [DataRow(PrefixCriterion.DistanceRatio)]
    public void Rank_WithoutSummaries_SaysWhy(PrefixCriterion criterion)
    {
        using var model = SmallModel.CreateTrained();
        var error = Assert.ThrowsExactly<ArgumentException>(
            () => AutoPrefix.Rank(model, View([1, 0, 0, 0, 0, 0, 0, 0]), Options, criterion));
        Assert.AreEqual($"PrefixCriterion.{criterion} needs summaries of the training images' embeddings, which this model has " +
            "not: an older version of the package saved it, or it comes from published weights. Choose another criterion, or train " +
            "the model with this version.", error.Message);
        using var transformer = new PrefixClipTransformer(_mlContext, model);
        Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Transforms.ZeroShotClassification(
            transformer, ClassNames, PrefixSelection.AutoBy(criterion)), "An error now, not in Fit.");
    }

    [TestMethod]
    public void Rank_CorrectedConfidence_UsesTheTrainingMeansOfAllTypes()
    {
        using var without = SmallModel.CreateTrained();
        float[] image = [0.3f, -0.5f, 0.1f, 0.7f, 0, 0.2f, -0.1f, 0.4f], other = [-0.3f, 0.2f, 0.6f, 0.1f, 0.5f, 0, 0.2f, -0.4f];
        using var with = WithSummaries(EmbeddingSummary.Of([image]), EmbeddingSummary.Of([other]));
        // One image: its own mean is all of the prior, and nothing is left; half of the training mean is left of the other.
        Assert.AreEqual(0.5, Score(without, image), 1e-5);
        var classes = with.EncodeClasses(ClassNames, Options.PromptTemplates!, Caption);
        double Logit(int c) => Enumerable.Range(0, D).Sum(d => 20.0 * (image[d] - (image[d] + other[d]) / 2) / 2 * classes[c * D + d]);
        Assert.AreEqual(1 / (1 + Math.Exp(-Math.Abs(Logit(0) - Logit(1)))), Score(with, image), 1e-4);

        double Score(TrainedModel model, float[] one) => AutoPrefix.Rank(model, View(one), Options, PrefixCriterion.CorrectedConfidence)
            .Single(s => s.Prefix.Equals(Caption)).Score;
    }

    [TestMethod]
    public void Rank_OtherOrderOfRowsAndClasses_GivesTheSameScores()
    {
        using var model = SmallModel.CreateTrained();
        float[][] images = [.. Enumerable.Range(1, 9).Select(i =>
            Enumerable.Range(0, D).Select(d => (float)Math.Sin(i * (d + 1))).ToArray())];
        var reversed = Options with { ClassNames = [.. ClassNames.Reverse()] };
        PrefixCriterion[] criteria = [PrefixCriterion.MutualInformation, PrefixCriterion.CorrectedConfidence, PrefixCriterion.Agreement];
        foreach (var criterion in criteria)
        {
            var expected = AutoPrefix.Rank(model, View(images), Options, criterion).ToDictionary(s => s.Prefix, s => s.Score);
            foreach (var (prefix, score) in AutoPrefix.Rank(model, View([.. images.Reverse()]), reversed, criterion))
                Assert.AreEqual(expected[prefix], score, 1e-5, $"{criterion} {prefix}");
        }
    }

    [TestMethod]
    public void Candidates_OfTypes_AreSinglesAndQuartersWithTheDefaultFirst()
    {
        DatasetType[] types = [DatasetType.Classification, DatasetType.Caption, new("sketch", TextKind.ClassName)];
        Assert.AreEqual("caption; classification; sketch; 0.75 caption + 0.25 classification; 0.5 caption + 0.5 classification; " +
            "0.25 caption + 0.75 classification; 0.75 caption + 0.25 sketch; 0.5 caption + 0.5 sketch; 0.25 caption + 0.75 sketch",
            string.Join("; ", AutoPrefix.Candidates(types, PrefixCriterion.MutualInformation)));
        Assert.AreEqual("caption; classification; sketch", string.Join("; ", AutoPrefix.Candidates(types, PrefixCriterion.Agreement)));
        Assert.AreEqual("classification", string.Join("; ", AutoPrefix.Candidates(types[..1], PrefixCriterion.MutualInformation)));
        Assert.AreEqual("caption; classification", string.Join("; ", AutoPrefix.Candidates(types[..2], PrefixCriterion.DistanceRatio)),
            "the blends follow from the images");
    }

    [TestMethod]
    public void Rank_EqualScores_KeepsTheDefaultPrefixFirst()
    {
        using var model = SmallModel.CreateTrained(prefixLength: 0);
        Assert.AreEqual(Caption, AutoPrefix.Rank(model, View([1, 2, 3, 4, 5, 6, 7, 8]), Options, PrefixCriterion.Agreement)[0].Prefix);
    }

    [TestMethod]
    [DataRow(1.0, 3.0)]
    [DataRow(5.0, -1.0)]
    public void Embeddings_OfABlend_AreThoseOfTheClassifier(double caption, double classification)
    {
        using var model = SmallModel.CreateTrained();
        var blend = PrefixSelection.Blend(("caption", caption), ("classification", classification));
        var expected = model.EncodeClasses(ClassNames, Options.PromptTemplates!, blend);
        var actual = new PrefixedClasses(model, Options).Embeddings(blend);
        Assert.HasCount(expected.Length, actual);
        for (var i = 0; i < expected.Length; i++) Assert.AreEqual(expected[i], actual[i], 1e-6);
    }

    [TestMethod]
    public void Embeddings_BlendOfManyClasses_IsWhole()
    {
        // So many that classes x classes x numbers of an embedding is more than an int holds: 17,000 x 17,000 x 8.
        using var model = SmallModel.CreateTrained();
        string[] names = [.. Enumerable.Range(0, 17_000).Select(i => $"a{i}")];
        var size = model.Settings.Architecture.EmbeddingSize;
        Assert.IsGreaterThan(int.MaxValue, (long)names.Length * names.Length * size);

        var blend = new PrefixedClasses(model, Options with { ClassNames = names, PromptTemplates = PromptTemplates.NameOnly })
            .Embeddings(PrefixSelection.Blend(("caption", 3), ("classification", 1)));

        Assert.HasCount(names.Length * size, blend);
        Assert.AreEqual(1, blend[^size..].Sum(x => x * x), 1e-4);
    }

    [TestMethod]
    public void Rank_NoRows_SaysWhatToPass()
    {
        using var model = SmallModel.CreateTrained();
        var error = Assert.ThrowsExactly<InvalidDataException>(
            () => AutoPrefix.Rank(model, View(), Options, PrefixCriterion.MutualInformation));
        Assert.AreEqual("The view has no rows, and PrefixSelection.Auto chooses the prefix from images. Pass images of the kind that " +
            "will be classified, which need no labels, or name a prefix.", error.Message);
    }

    [TestMethod]
    public void Rank_OnlyMissingEmbeddings_SaysHowMany()
    {
        using var model = SmallModel.CreateTrained();
        var missing = Enumerable.Repeat(float.NaN, D).ToArray();
        var error = Assert.ThrowsExactly<InvalidDataException>(
            () => AutoPrefix.Rank(model, View(missing, missing), Options, PrefixCriterion.MutualInformation));
        Assert.StartsWith("None of the 2 images that were looked at can be read", error.Message);
    }

    [TestMethod]
    public void Rank_ConsistencyOfEmbeddings_SaysThatImagesAreNeeded()
    {
        using var model = SmallModel.CreateTrained();
        var error = Assert.ThrowsExactly<ArgumentException>(
            () => AutoPrefix.Rank(model, View([1, 0, 0, 0, 0, 0, 0, 0]), Options, PrefixCriterion.Consistency));
        Assert.AreEqual("Column 'E' has embeddings, of which no random views can be made; PrefixCriterion.Consistency needs the " +
            "images. Set ImageColumnName to them, or choose another criterion.", error.Message);
    }

    [TestMethod]
    [DataRow(false, DisplayName = "known length")]
    [DataRow(true, DisplayName = "unknown length")]
    public void Read_MoreRowsThanAsked_DrawsThemFromAllOfTheView(bool unknownLength)
    {
        using var model = SmallModel.CreateTrained();
        var images = Enumerable.Range(0, 500).Select(i => new float[] { i, 0, 0, 0, 0, 0, 0, 0 }).ToArray();
        var view = View(images);
        float[] Draw() => [.. EncodedImages.Read(model, unknownLength ? new TrackedView(view) : view, new ImageRequest
        {
            ImageColumnName = "E", ImagePrefixes = [PrefixSelection.None], BadRows = BadRowPolicy.Fail, MaxRows = 50,
        }).Embeddings(PrefixSelection.None).Select(e => e[0])];

        var drawn = Draw();

        Assert.HasCount(50, drawn);
        Assert.AreEqual(50, drawn.Distinct().Count());
        CollectionAssert.AreEqual(drawn, Draw(), "Always the same rows.");
        for (var fifth = 0; fifth < 5; fifth++)
            Assert.IsGreaterThan(2, drawn.Count(row => (int)row / 100 == fifth), $"Rows {100 * fifth} to {100 * fifth + 99}.");
    }

    private static ZeroShotClassificationOptions Options { get; } = new()
    {
        ClassNames = ClassNames, ImageColumnName = "E", LogitScale = 20, PromptTemplates = PromptTemplates.NameOnly,
    };

    /// <summary>Orthogonal to both class embeddings of one prefix, and nearer to the first class of the other.</summary>
    private static float[] SeparatedOnlyBy(TrainedModel model, PrefixSelection right, PrefixSelection wrong)
    {
        var (good, bad) = (Classes(model, right), Classes(model, wrong));
        // Otherwise a blend could separate better than the prefix that is right.
        for (var c = 0; c < 2; c++) Assert.IsGreaterThan(0, Dot(good[c], bad[c]), "The test needs class embeddings that are not opposite.");
        var firstAxis = Unit(bad[0]);
        var secondAxis = Unit(Less(bad[1], firstAxis));
        var direction = Less(Less([.. good[0].Zip(good[1], (a, b) => a - b)], firstAxis), secondAxis);
        return [.. Unit(direction).Select(v => (float)v)];
    }

    private static double[][] Classes(TrainedModel model, PrefixSelection prefix) =>
        [.. model.EncodeClasses(ClassNames, Options.PromptTemplates!, prefix).Select(v => (double)v).Chunk(D)];

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    private static double[] Less(double[] vector, double[] axis) => [.. vector.Zip(axis, (v, a) => v - (Dot(vector, axis) * a))];

    private static double[] Unit(double[] vector) => [.. vector.Select(v => v / Math.Sqrt(Dot(vector, vector)))];

    private static TrainedModel WithSummaries(params EmbeddingSummary[] summaries) =>
        WithSummaries([DatasetType.Caption, DatasetType.Classification], summaries);

    private static TrainedModel WithSummaries(DatasetType[] types, params EmbeddingSummary[] summaries)
    {
        var network = SmallModel.CreateWithLargePrefixes();
        var options = new PrefixClipOptions { Architecture = SmallModel.Architecture, DatasetTypes = types };
        var settings = ModelSettings.From(options, options.DatasetTypes, SmallModel.Tokenizer.VocabularySize);
        return new TrainedModel(network, SmallModel.Tokenizer, settings, TrainingHistory.Empty) { Summaries = summaries };
    }

    private IDataView View(params float[][] embeddings) =>
        _mlContext.Data.LoadFromEnumerable(embeddings.Select(e => new EmbeddingRow { E = e }));

    private sealed class EmbeddingRow
    {
        [VectorType(D)]
        public float[] E { get; set; } = [];
    }
}
