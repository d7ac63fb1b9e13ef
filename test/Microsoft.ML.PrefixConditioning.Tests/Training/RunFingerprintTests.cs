namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class RunFingerprintTests
{
    private static string Of(DrawnData data, PrefixClipOptions? options = null, ClipTokenizer? tokenizer = null) =>
        RunFingerprint.Of(data.Tagged(options), tokenizer ?? SmallModel.Tokenizer, TestSetup.Of(options ?? DrawnData.Options));

    [TestMethod]
    public void Of_SameRun_IsTheSame()
    {
        using var data = new DrawnData();
        Assert.AreEqual(Of(data), Of(data, DrawnData.Options with { }));
        Assert.AreEqual(Of(data),
            Of(data, DrawnData.Options with
            {
                Progress = new Reports(),
                ImageCacheMegabytes = 1,
                Checkpoints = new() { Steps = 3, Folder = "x" }
            }),
            "what does not change the result does not count");
    }

    [TestMethod]
    public void Of_OtherOptions_Differs()
    {
        using var data = new DrawnData();
        PrefixClipOptions[] others =
        [
            DrawnData.Options with { Architecture = SwinModel.Architecture },
                DrawnData.Options with { Architecture = SwinModel.WithDepth(0.2) },
            DrawnData.Options with { Architecture = SwinModel.WithDepth(0.3) },
            DrawnData.Options with { Architecture = SmallModel.Architecture with { EmbeddingSize = 9 } },
                DrawnData.Options with { PrefixLength = 2 },
            DrawnData.Options with { ImagePrefixLength = 1 }, DrawnData.Options with { Loss = LossFunction.UniCl },
                DrawnData.Options with { BatchComposition = BatchComposition.Mixed }, DrawnData.Options with { ShuffleWindow = 1 },
            DrawnData.Options with { DatasetTypeWeights = new Dictionary<string, double> { ["caption"] = 1, ["classification"] = 2 } },
            DrawnData.Options with { PromptTemplates = PromptTemplates.NameOnly }, DrawnData.Options with { BatchSize = 4 },
                DrawnData.Options with { Epochs = 3 },
            DrawnData.Options with { LearningRate = 1e-3 }, DrawnData.Options with { Optimizer = new() { WarmupSteps = 1 } },
                DrawnData.Options with { Optimizer = new() { Schedule = LearningRateSchedule.Constant } },
            DrawnData.Options with { Optimizer = new() { WeightDecay = 0.1 } },
                DrawnData.Options with { Optimizer = new() { Beta1 = 0.8 } }, DrawnData.Options with { Optimizer = new() { Beta2 = 0.9 } },
                DrawnData.Options with { Optimizer = new() { Epsilon = 1e-8 } },
            DrawnData.Options with { Optimizer = new() { GradientClipNorm = 1 } },
                DrawnData.Options with { Augmentation = new() { MinCropScale = 0.5 } },
                DrawnData.Options with { Augmentation = new() { HorizontalFlipProbability = 0.5 } },
            DrawnData.Options with { ImageDecoding = ImageDecoding.OpenClip }, DrawnData.Options with { Seed = 8 },
            DrawnData.Options with { FineTuning = new() { TrainableParts = TrainableParts.Prefixes } },
                DrawnData.Options with { FineTuning = new() { FrozenVisionLayers = 1 } },
            DrawnData.Options with { FineTuning = new() { FrozenTextLayers = 1 } },
                DrawnData.Options with { FineTuning = new() { PrefixLearningRateFactor = 2 } },
                DrawnData.Options with { FineTuning = new() { LayerDecay = 0.5 } },
            DrawnData.Options with { DatasetTypes = [DatasetType.Classification, DatasetType.Caption] },
        ];
        var setup = TestSetup.Of(DrawnData.Options);
        TrainingSetup[] setups =
        [
            setup with { InitialWeightsHash = "00" }, setup with { BatchSize = 5 },
            setup with { Model = setup.Model with { Normalization = new(new(0, 0, 0), new(1, 1, 1)) } },
        ];
        var all = others.Select(o => Of(data, o)).Concat(setups.Select(s => RunFingerprint.Of(data.Tagged(), SmallModel.Tokenizer, s)))
            .Append(Of(data)).ToArray();
        Assert.HasCount(all.Length, all.Distinct().ToArray());
        Assert.AreNotEqual(Of(data), Of(data, tokenizer: ClipTokenizer.Learn(["other words", "other words"], 520)), "another vocabulary");
    }

    [TestMethod]
    public void Of_WeightsInAnotherOrder_IsTheSame_AndExceptionsAreOptions()
    {
        using var data = new DrawnData();
        var before = Of(data, new PrefixClipOptions { DatasetTypeWeights = new Dictionary<string, double> { ["b"] = 1, ["a"] = 2 } });
        var same = Of(data, new PrefixClipOptions { DatasetTypeWeights = new Dictionary<string, double> { ["a"] = 2, ["b"] = 1 } });
        Assert.AreEqual(before, same, "a dictionary has no order");
        foreach (var name in RunFingerprint.LeftOut)
            Assert.IsNotNull(typeof(PrefixClipOptions).GetProperty(name), $"{name} is an exception but no option.");
    }

    [TestMethod]
    public void Of_OtherWeightsOfRows_Differs()
    {
        using var data = new DrawnData();
        string Weighted(float weight)
        {
            var view = data.Context.Data.UnifyDatasets(data.View, data.Context.Data.TagWeight(data.Labeled, weight));
            return RunFingerprint.Of(TaggedRows.Read(view, DrawnData.Options), SmallModel.Tokenizer, TestSetup.Of(DrawnData.Options));
        }
        Assert.HasCount(3, new[] { Weighted(1), Weighted(2), Weighted(3) }.Distinct().ToArray());
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
    public void Of_OtherFiles_DiffersByTimeOrContent()
    {
        using var data = new DrawnData();
        var hashed = DrawnData.Options with { Checkpoints = new() { HashImages = true } };
        var (file, bytes) = (data.Rows[3].Image, File.ReadAllBytes(data.Rows[3].Image));
        var (byTime, byContent) = (Of(data), Of(data, hashed));
        Assert.AreNotEqual(byTime, byContent);
        File.SetLastWriteTimeUtc(file, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        Assert.AreNotEqual(byTime, Of(data), "time");
        Assert.AreEqual(byContent, Of(data, hashed));
        bytes[^1] ^= 1;
        File.WriteAllBytes(file, bytes);
        Assert.AreNotEqual(byContent, Of(data, hashed), "content");
    }

    [TestMethod]
    public void Of_RelativeOrLinkedPaths_AreTheSameData()
    {
        using var data = new DrawnData();
        var before = Of(data);
        foreach (var row in data.Rows) row.Image = Path.GetRelativePath(Environment.CurrentDirectory, row.Image);
        Assert.AreEqual(before, Of(data));

        var (target, link) = (data.Rows[0].Image + "-moved", data.Rows[0].Image);
        File.Move(link, target);
        File.CreateSymbolicLink(link, Path.GetFullPath(target));   // a relative one would start from the link
        Assert.AreEqual(before, Of(data), "a link counts as its target");
    }

    [TestMethod]
    public void Of_ImagesOfAnArchive_CountByTheArchive()
    {
        using var data = new DrawnData();
        var folder = Directory.CreateDirectory(data["folder"]).FullName;
        foreach (var row in data.Rows)
        {
            File.Copy(row.Image, Path.Combine(folder, Path.GetFileName(row.Image)));
            row.Image = $"{data["images.zip"]}!/{Path.GetFileName(row.Image)}";
        }
        System.IO.Compression.ZipFile.CreateFromDirectory(folder, data["images.zip"]);
        var before = Of(data);
        Assert.AreEqual(before, Of(data));
        File.SetLastWriteTimeUtc(data["images.zip"], new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        Assert.AreNotEqual(before, Of(data));
    }

    [TestMethod]
    public void Of_Canceled_Throws()
    {
        using var data = new DrawnData();
        var rows = data.Tagged();
        var canceled = DrawnData.Options with { CancellationToken = new CancellationToken(canceled: true) };
        Assert.ThrowsExactly<OperationCanceledException>(() =>
            RunFingerprint.Of(rows, SmallModel.Tokenizer, TestSetup.Of(canceled)));
    }

    [TestMethod]
    public void Of_ImagesInMemory_CountByTheirBytes()
    {
        static string Of(byte last) => RunFingerprint.Of(TaggedRows.Read(new MLContext().Data.LoadFromEnumerable(
            new[] { new EncodedRow { Image = [1, 2, last], Text = "a", DatasetType = "caption" } }), DrawnData.Options),
                SmallModel.Tokenizer,
            TestSetup.Of(DrawnData.Options));
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
