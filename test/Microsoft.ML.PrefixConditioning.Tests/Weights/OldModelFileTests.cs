using System.Text.Json;
using Microsoft.ML.Data;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Files of every version with the numbers that these computed: test/golden/model_file. Tolerance 1e-5 as stated there.</summary>
[TestClass]
public sealed class OldModelFileTests
{
    private const double Tolerance = 1e-5;

    private static readonly ClipArchitecture Transformer = new()
    {
        ImageSize = 16, PatchSize = 8, VisionWidth = 8, VisionLayers = 2, VisionHeads = 2, ContextLength = 12,
        TextWidth = 4, TextLayers = 2, TextHeads = 2, EmbeddingSize = 6, MlpRatio = 2, Activation = ClipActivation.QuickGelu,
    };
    private static readonly ClipArchitecture Swin = Transformer with
    {
        PatchSize = 4,
        Swin = new SwinStages(1, 1) { WindowSize = 2, StochasticDepth = 0.25 },
    };

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    [DataRow(3)]
    [DataRow(4)]
    [DataRow(5)]
    [DataRow(6)]
    public void Load_FileOfEveryVersion_GivesTheEmbeddingsOfThen(int version)
    {
        using var expected = JsonDocument.Parse(File.ReadAllText(Golden.Path("model_file", $"version{version}.json")));
        using var model = Load(version);
        using var exact = model.WithPrecision(Precision.Float32);   // bfloat16 rounds sums, which differ from processor to processor
        AssertIsAsThen(expected.RootElement, exact);
        Assert.AreEqual(expected.RootElement.GetProperty("logit_scale").GetDouble(), model.LogitScale, 1e-5);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    [DataRow(3)]
    [DataRow(4)]
    [DataRow(5)]
    [DataRow(6)]
    public void Load_FileOfEveryVersion_HasItsSettings(int version)
    {
        using var model = Load(version);
        Assert.AreEqual(version switch { 4 => Swin, 6 => Transformer with { TextMlpRatio = 3 }, _ => Transformer }, model.Architecture);
        Assert.AreEqual(version == 5 ? Precision.BFloat16 : Precision.Float32, model.Trained.Settings.Precision);
        CollectionAssert.AreEqual(
            new[] { DatasetType.Caption, DatasetType.Classification, new DatasetType("sketch", TextKind.ClassName) },
            model.DatasetTypes.ToArray());
        var settings = model.Trained.Settings;
        Assert.AreEqual(version == 6, settings.HasLogitBias);
        Assert.AreEqual((2, version == 4 ? 0 : 1, ImageDecoding.OpenClip, BadRowPolicy.Skip),
            (settings.PrefixLength, settings.ImagePrefixLength, settings.ImageDecoding, settings.BadRows));
        Assert.AreEqual(("Image", "Sentence", "Label", "Picture", "TextEmbedding"), (settings.ImageColumnName, settings.TextColumnName,
            settings.LabelColumnName, settings.ImageEmbeddingColumnName, settings.TextEmbeddingColumnName));
        var own = new ImageNormalization(new(0.5f, 0.25f, 0.125f), new(0.5f, 0.75f, 1));
        Assert.AreEqual(version == 1 ? ImageNormalization.Clip : own, settings.Normalization);
        CollectionAssert.AreEqual(version < 3 ? null : new long[] { 1, 2, 3 }, model.Trained.Summaries?.Select(s => s.Count).ToArray());
        CollectionAssert.AreEqual(new[] { new TrainingStep(2.5f, 1e-3f), new TrainingStep(1.25f, 5e-4f) }, model.History.Steps.ToArray());
        CollectionAssert.AreEqual(new[] { new ValidationAccuracy(1, 0.75) }, model.History.Validations.ToArray());
        Assert.AreEqual(3, model.History.SkippedRows);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    [DataRow(3)]
    [DataRow(4)]
    [DataRow(5)]
    [DataRow(6)]
    public void Save_ModelOfEveryVersion_KeepsEveryWeight(int version)
    {
        using var model = Load(version);
        using var again = (PrefixClipTransformer)new SavedModel(model).Load(out _);
        DrawnData.AreBitEqual(DrawnData.Weights(model), DrawnData.Weights(again));
        Assert.AreEqual(model.Trained.Settings.Normalization, again.Trained.Settings.Normalization);
    }

    private static PrefixClipTransformer Load(int version) =>
        (PrefixClipTransformer)new MLContext(1).Model.Load(Golden.Path("model_file", $"version{version}.zip"), out _);

    private static void AssertIsAsThen(JsonElement expected, PrefixClipTransformer model)
    {
        using var scope = NewDisposeScope();
        string[] texts = [.. expected.GetProperty("texts").EnumerateArray().Select(t => t.GetString()!)];
        foreach (var (name, prefix) in new[]
        {
            ("default", null), ("none", PrefixSelection.None),
            ("classification", PrefixSelection.For("classification")), ("sketch", PrefixSelection.For("sketch")),
        })
            AreClose(expected, $"text.{name}", model.EncodeTexts(texts, prefix).SelectMany(row => row));
        using MLImage image = ScoringModel.Image(3), other = ScoringModel.Image(8);
        AreClose(expected, "images", model.EncodeImages([image, other]).SelectMany(row => row));
        var pixels = Enumerable.Range(0, 2 * 3 * 16 * 16).Select(i => i * 37 % 251 / 64f - 2).ToArray();
        AreClose(expected, "pixels.sketch", model.Trained.EncodeImages(pixels, 2, PrefixSelection.For("sketch")));
    }

    private static void AreClose(JsonElement expected, string name, IEnumerable<float> actual)
    {
        float[] then = [.. expected.GetProperty(name).EnumerateArray()
            .SelectMany(row => row.ValueKind == JsonValueKind.Array ? row.EnumerateArray().Select(v => v.GetSingle()) : [row.GetSingle()])];
        Assert.IsGreaterThan(0.01f, then.Max());
        TinyGolden.AreClose(tensor(then), tensor(actual.ToArray()), Tolerance, name);
    }
}
