namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class RunFingerprintTests
{
    private static string Of(DrawnData data, PrefixClipOptions? options = null, ClipTokenizer? tokenizer = null) =>
        RunFingerprint.Of(data.Tagged(options), tokenizer ?? SmallModel.Tokenizer, options ?? DrawnData.Options);

    [TestMethod]
    public void Of_SameRun_IsTheSame()
    {
        using var data = new DrawnData();
        Assert.AreEqual(Of(data), Of(data, DrawnData.Options with { }));
        Assert.AreEqual(Of(data), Of(data, DrawnData.Options with { Progress = new Reports(), ImageCacheMegabytes = 1, CheckpointSteps = 3, CheckpointFolder = "x" }),
            "what does not change the result does not count");
    }

    [TestMethod]
    public void Of_OtherOptions_Differs()
    {
        using var data = new DrawnData();
        PrefixClipOptions[] others =
        [
            DrawnData.Options with { Architecture = SwinModel.Architecture }, DrawnData.Options with { Architecture = SwinModel.WithDepth(0.2) },
            DrawnData.Options with { Architecture = SwinModel.WithDepth(0.3) },
            DrawnData.Options with { Architecture = SmallModel.Architecture with { EmbeddingSize = 9 } }, DrawnData.Options with { PrefixLength = 2 },
            DrawnData.Options with { ImagePrefixLength = 1 }, DrawnData.Options with { Loss = LossFunction.UniCl }, DrawnData.Options with { BatchComposition = BatchComposition.Mixed },
            DrawnData.Options with { DatasetTypeWeights = new Dictionary<string, double> { ["caption"] = 1, ["classification"] = 2 } },
            DrawnData.Options with { PromptTemplates = PromptTemplates.NameOnly }, DrawnData.Options with { BatchSize = 4 }, DrawnData.Options with { Epochs = 3 },
            DrawnData.Options with { LearningRate = 1e-3 }, DrawnData.Options with { WarmupSteps = 1 }, DrawnData.Options with { LearningRateSchedule = LearningRateSchedule.Constant },
            DrawnData.Options with { WeightDecay = 0.1 }, DrawnData.Options with { Beta1 = 0.8 }, DrawnData.Options with { Beta2 = 0.9 }, DrawnData.Options with { Epsilon = 1e-8 },
            DrawnData.Options with { GradientClipNorm = 1 }, DrawnData.Options with { MinCropScale = 0.5 }, DrawnData.Options with { HorizontalFlipProbability = 0.5 },
            DrawnData.Options with { ImageDecoding = ImageDecoding.OpenClip }, DrawnData.Options with { Seed = 8 },
            DrawnData.Options with { TrainableParts = TrainableParts.Prefixes }, DrawnData.Options with { FrozenVisionLayers = 1 },
            DrawnData.Options with { FrozenTextLayers = 1 }, DrawnData.Options with { PrefixLearningRateFactor = 2 }, DrawnData.Options with { LayerDecay = 0.5 },
            DrawnData.Options with { InitialWeightsHash = "00" }, DrawnData.Options with { Normalization = new(new(0, 0, 0), new(1, 1, 1)) },
            DrawnData.Options with { DatasetTypes = [DatasetType.Classification, DatasetType.Caption] },
        ];
        var all = others.Select(o => Of(data, o)).Append(Of(data)).ToArray();
        Assert.HasCount(all.Length, all.Distinct().ToArray());
        Assert.AreNotEqual(Of(data), Of(data, tokenizer: ClipTokenizer.Learn(["other words", "other words"], 520)), "another vocabulary");
    }

    [TestMethod]
    public void Of_OtherRows_Differs()
    {
        using var data = new DrawnData();
        var before = Of(data);
        var row = data.Rows[3];
        (row.Text, var text) = ("other", row.Text);
        Assert.AreNotEqual(before, Of(data), "text");
        (row.Text, row.Label) = (text, "other");
        Assert.AreNotEqual(before, Of(data), "label");
        (row.Label, row.Image, var image) = (text, "other.png", row.Image);
        Assert.AreNotEqual(before, Of(data), "image");
        row.Image = image;
        Assert.AreEqual(before, Of(data));
        data.Rows.Reverse();
        Assert.AreNotEqual(before, Of(data), "order");
    }

    [TestMethod]
    public void Of_ImagesInMemory_CountByTheirBytes()
    {
        static string Of(byte last) => RunFingerprint.Of(TaggedRows.Read(new MLContext().Data.LoadFromEnumerable(
            new[] { new EncodedRow { Image = [1, 2, last], Text = "a", DatasetType = "caption" } }), DrawnData.Options), SmallModel.Tokenizer, DrawnData.Options);
        Assert.AreEqual(Of(3), Of(3));
        Assert.AreNotEqual(Of(3), Of(4));
    }

    private sealed class EncodedRow
    {
        public byte[] Image { get; set; } = [];
        public string Text { get; set; } = "";
        public string DatasetType { get; set; } = "";
    }
}
