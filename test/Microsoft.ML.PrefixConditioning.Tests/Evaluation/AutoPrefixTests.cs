using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Choosing a prefix where it is known which one is right: embeddings are the input, made to fit.</summary>
[TestClass]
public sealed class AutoPrefixTests
{
    private const int D = 8;

    private static readonly string[] ClassNames = ["red square", "blue disc"];
    private static readonly PrefixSelection Classification = PrefixSelection.For("classification");

    private readonly MLContext _mlContext = new(seed: 1);

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
    public void Choose_Distances_GivesTheShareOfItsFormula(float fromCaption, float fromClassification, string expected)
    {
        // One image, so that standard deviations are 0 and distances those of the points.
        float[] At(float axis, float squared) =>
            [axis == 0 ? MathF.Sqrt(squared) : 0, axis == 1 ? MathF.Sqrt(squared) : 0, 0, 0, 0, 0, 0, 0];
        using var model = WithSummaries(EmbeddingSummary.Of([At(0, fromCaption)]), EmbeddingSummary.Of([At(1, fromClassification)]));
        Assert.AreEqual(expected, Choose(model, new float[D]).ToString());
    }

    [TestMethod]
    public void Choose_OfThreeTypes_BlendsWithTheNearest()
    {
        float[] far = [3, 0, 0, 0, 0, 0, 0, 0], near = [0, 0.1f, 0, 0, 0, 0, 0, 0], middle = [0, 0, 0.5f, 0, 0, 0, 0, 0];
        using var model = WithSummaries([DatasetType.Caption, DatasetType.Classification, new("sketch", TextKind.ClassName)],
            EmbeddingSummary.Of([middle]), EmbeddingSummary.Of([far]), EmbeddingSummary.Of([near]));
        Assert.AreEqual("0.46 caption + 0.54 sketch", Choose(model, new float[D]).ToString());
    }

    [TestMethod]
    // The second caption type is nearest; the first stays where it is as near.
    [DataRow(0.5f, 0.1f, "1.12 scenes - 0.12 classification")]
    [DataRow(0.1f, 0.1f, "caption")]
    [DataRow(0.1f, 0.5f, "1.12 caption - 0.12 classification")]
    public void Choose_OfTwoCaptionTypes_StartsFromTheNearest(float fromCaption, float fromScenes, string expected)
    {
        float[] At(int axis, float squared) => [.. Enumerable.Range(0, D).Select(d => d == axis ? MathF.Sqrt(squared) : 0)];
        using var model = WithSummaries([DatasetType.Caption, new("scenes", TextKind.Caption), DatasetType.Classification],
            EmbeddingSummary.Of([At(0, fromCaption)]), EmbeddingSummary.Of([At(1, fromScenes)]), EmbeddingSummary.Of([At(2, 0.2f)]));
        Assert.AreEqual(expected, Choose(model, new float[D]).ToString());
    }

    [TestMethod]
    public void Choose_OfOneType_IsThatType()
    {
        using var model = WithSummaries([DatasetType.Classification], EmbeddingSummary.Of([new float[D]]));
        Assert.AreEqual(Classification, Choose(model, new float[D]));
    }

    [TestMethod]
    public void Choose_WithoutSummaries_SaysWhy()
    {
        using var model = SmallModel.CreateTrained();
        var error = Assert.ThrowsExactly<ArgumentException>(() => Choose(model, [1, 0, 0, 0, 0, 0, 0, 0]));
        Assert.AreEqual("PrefixSelection.Auto compares images with the training images, but this model has no summaries of them: an " +
            "older version of the package saved it, or it was trained elsewhere. Name a prefix, or train the model with this " +
            "version.", error.Message);
        using var transformer = new PrefixClipTransformer(_mlContext, model);
        Assert.ThrowsExactly<ArgumentException>(
            () => _mlContext.Transforms.ZeroShotClassification(transformer, ClassNames, PrefixSelection.Auto), "An error now, not in Fit.");
    }

    [TestMethod]
    public void Choose_OtherOrderOfRows_IsTheSame()
    {
        using var model = WithSummaries(EmbeddingSummary.Of([[1, 0, 0, 0, 0, 0, 0, 0]]), EmbeddingSummary.Of([[0, 1, 0, 0, 0, 0, 0, 0]]));
        float[][] images = [.. Enumerable.Range(1, 9).Select(i =>
            Enumerable.Range(0, D).Select(d => (float)Math.Sin(i * (d + 1))).ToArray())];
        Assert.AreEqual(Choose(model, images), Choose(model, [.. images.Reverse()]));
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
    public void Choose_NoRows_SaysWhatToPass()
    {
        using var model = WithSummaries(EmbeddingSummary.Of([new float[D]]), EmbeddingSummary.Of([new float[D]]));
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Choose(model));
        Assert.AreEqual("The view has no rows, but PrefixSelection.Auto chooses the prefix from images. Pass images of the kind to be " +
            "classified, which need no labels, or name a prefix.", error.Message);
    }

    [TestMethod]
    public void Choose_OnlyMissingEmbeddings_SaysHowMany()
    {
        using var model = WithSummaries(EmbeddingSummary.Of([new float[D]]), EmbeddingSummary.Of([new float[D]]));
        var missing = Enumerable.Repeat(float.NaN, D).ToArray();
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Choose(model, missing, missing));
        Assert.StartsWith("None of the 2 sampled images can be read", error.Message);
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

    private static TrainedModel WithSummaries(params EmbeddingSummary[] summaries) =>
        WithSummaries([DatasetType.Caption, DatasetType.Classification], summaries);

    private static TrainedModel WithSummaries(DatasetType[] types, params EmbeddingSummary[] summaries)
    {
        var network = SmallModel.CreateWithLargePrefixes();
        var options = new PrefixClipOptions { Architecture = SmallModel.Architecture, DatasetTypes = types };
        var settings = ModelSettings.From(options, options.DatasetTypes, SmallModel.Tokenizer.VocabularySize);
        return new TrainedModel(network, SmallModel.Tokenizer, settings, TrainingHistory.Empty) { Summaries = summaries };
    }

    private PrefixSelection Choose(TrainedModel model, params float[][] embeddings) =>
        AutoPrefix.Choose(((Microsoft.ML.Runtime.IHostEnvironment)_mlContext).Register("test"), model, View(embeddings), Options);

    private IDataView View(params float[][] embeddings) =>
        _mlContext.Data.LoadFromEnumerable(embeddings.Select(e => new EmbeddingRow { E = e }));

    private sealed class EmbeddingRow
    {
        [VectorType(D)]
        public float[] E { get; set; } = [];
    }
}
