namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class PrefixClipOptionsTests
{
    private static readonly PrefixClipOptions Defaults = new();

    private static readonly Dictionary<string, (PrefixClipOptions Options, string Fault)> Faulty = new()
    {
        ["image column"] = (Defaults with { Columns = new() { Image = "" } }, "Columns.Image is empty; give a name."),
        ["text column"] = (Defaults with { Columns = new() { Text = " " } }, "Columns.Text is empty; give a name."),
        ["type column"] = (Defaults with { Columns = new() { DatasetType = null! } }, "Columns.DatasetType is empty; give a name."),
        ["label column"] = (Defaults with { Columns = new() { Label = "\t" } }, "Columns.Label is empty; give a name."),
        ["image embedding column"] = (Defaults with { Columns = new() { ImageEmbedding = "" } },
            "Columns.ImageEmbedding is empty; give a name."),
        ["text embedding column"] = (Defaults with { Columns = new() { TextEmbedding = "" } },
            "Columns.TextEmbedding is empty; give a name."),
        ["same embedding columns"] = (Defaults with { Columns = new() { ImageEmbedding = "E", TextEmbedding = "E" } },
            "Columns.ImageEmbedding and TextEmbedding are both 'E'; give them different names."),
        ["initial weights"] = (Defaults with { InitialWeights = "" }, "InitialWeights is empty; give a value, or null."),
        ["no part"] = (Defaults with { FineTuning = new() { TrainableParts = TrainableParts.None } },
            "FineTuning.TrainableParts is None; name at least one part to train."),
        ["unknown part"] = (Defaults with { FineTuning = new() { TrainableParts = (TrainableParts)33 } },
            "FineTuning.TrainableParts is 33; use a member of TrainableParts."),
        ["no prefixes to train"] = (Defaults with { FineTuning = new() { TrainableParts = TrainableParts.Prefixes }, PrefixLength = 0 },
            "FineTuning.TrainableParts is Prefixes, and both prefix lengths are 0: there is nothing to train. Set PrefixLength to at " +
                "least 1."),
        ["frozen vision layers"] = (Defaults with { FineTuning = new() { FrozenVisionLayers = 5 } },
            "FineTuning.FrozenVisionLayers is 5; the tower has 4 blocks, and no more can be frozen."),
        ["frozen text layers"] = (Defaults with { FineTuning = new() { FrozenTextLayers = -1 }, InitialWeights = "x" },
            "FineTuning.FrozenTextLayers is -1; it must be 0 to 256."),
        ["prefix rate"] = (Defaults with { FineTuning = new() { PrefixLearningRateFactor = 0 } },
            "FineTuning.PrefixLearningRateFactor is 0; it must be greater than 0."),
        ["layer decay"] = (Defaults with { FineTuning = new() { LayerDecay = 1.1 } },
            "FineTuning.LayerDecay is 1.1; it must be greater than 0 and at most 1."),
        ["architecture"] = (Defaults with { Architecture = ClipArchitecture.Tiny with { TextLayers = 0 } },
            "Architecture.TextLayers is 0; it must be 1 to 256."),
        ["no types"] = (Defaults with { DatasetTypes = [] }, "DatasetTypes is empty; name at least one, such as DatasetType.Caption."),
        ["null types"] = (Defaults with { DatasetTypes = null! }, "DatasetTypes is null; give a value."),
        ["null type"] = (Defaults with { DatasetTypes = [DatasetType.Caption, null!] }, "DatasetTypes has a type without a name."),
        ["type without a name"] = (Defaults with { DatasetTypes = [new("", TextKind.Caption)] }, "DatasetTypes has a type without a name."),
        ["type twice"] = (Defaults with { DatasetTypes = [DatasetType.Caption, new("caption", TextKind.ClassName)] },
            "DatasetTypes names 'caption' 2 times; every type needs its own name."),
        ["kind of texts"] = (Defaults with { DatasetTypes = [new("odd", (TextKind)7)] },
            "DatasetTypes gives 'odd' the texts 7; use a member of TextKind."),
        ["weight of unknown type"] = (Defaults with { DatasetTypeWeights = new Dictionary<string, double> { ["video"] = 1 } },
            "DatasetTypeWeights names 'video', which is not in DatasetTypes."),
        ["weight 0"] = (Defaults with { DatasetTypeWeights = new Dictionary<string, double> { ["caption"] = 0 } },
            "DatasetTypeWeights gives 'caption' the weight 0; it must be greater than 0."),
        ["weight infinite"] = (Defaults with
        {
            DatasetTypeWeights = new Dictionary<string,
            double>
            { ["caption"] = double.PositiveInfinity }
        },
            "DatasetTypeWeights gives 'caption' the weight Infinity; it must be greater than 0."),
        ["prefix length"] = (Defaults with { PrefixLength = 65 }, "PrefixLength is 65; it must be 0 to 64."),
        ["negative prefix length"] = (Defaults with { PrefixLength = -1 }, "PrefixLength is -1; it must be 0 to 64."),
        ["image prefix length"] = (Defaults with { ImagePrefixLength = 65 }, "ImagePrefixLength is 65; it must be 0 to 64."),
        ["vocabulary size"] = (Defaults with { VocabularySize = 513 }, "VocabularySize is 513; it must be at least 514."),
        ["vocabulary path"] = (Defaults with { VocabularyPath = "" }, "VocabularyPath is empty; give a value, or null."),
        ["no templates"] = (Defaults with { PromptTemplates = null! }, "PromptTemplates is null; give a value."),
        ["batch size"] = (Defaults with { BatchSize = 1 }, "BatchSize is 1; it must be at least 2, or null."),
        ["batch size beyond memory"] = (Defaults with { BatchSize = 14267, Architecture = ClipArchitecture.ViTB32 },
            "BatchSize is 14267; at 224 x 224 pixels at most 14266 images fit into one batch."),
        ["epochs"] = (Defaults with { Epochs = 0 }, "Epochs is 0; it must be at least 1."),
        ["learning rate"] = (Defaults with { LearningRate = 0 }, "LearningRate is 0; it must be greater than 0."),
        ["learning rate NaN"] = (Defaults with { LearningRate = double.NaN }, "LearningRate is NaN; it must be greater than 0."),
        ["learning rate infinite"] = (Defaults with { LearningRate = double.PositiveInfinity },
            "LearningRate is Infinity; it must be greater than 0."),
        ["warm-up"] = (Defaults with { Optimizer = new() { WarmupSteps = -1 } },
            "Optimizer.WarmupSteps is -1; it must be at least 0, or null."),
        ["weight decay"] = (Defaults with { Optimizer = new() { WeightDecay = -0.5 } },
            "Optimizer.WeightDecay is -0.5; it must be at least 0."),
        ["beta 1"] = (Defaults with { Optimizer = new() { Beta1 = 1 } }, "Optimizer.Beta1 is 1; it must be at least 0 and less than 1."),
        ["beta 2"] = (Defaults with { Optimizer = new() { Beta2 = -0.1 } },
            "Optimizer.Beta2 is -0.1; it must be at least 0 and less than 1."),
        ["epsilon"] = (Defaults with { Optimizer = new() { Epsilon = 0 } }, "Optimizer.Epsilon is 0; it must be greater than 0."),
        ["epsilon infinite"] = (Defaults with { Optimizer = new() { Epsilon = double.PositiveInfinity } },
            "Optimizer.Epsilon is Infinity; it must be greater than 0."),
        ["endless gradient clipping"] = (Defaults with { Optimizer = new() { GradientClipNorm = double.PositiveInfinity } },
            "Optimizer.GradientClipNorm is Infinity; it must be greater than 0, or null."),
        ["gradient clipping"] = (Defaults with { Optimizer = new() { GradientClipNorm = 0 } },
            "Optimizer.GradientClipNorm is 0; it must be greater than 0, or null."),
        ["crop"] = (Defaults with { Augmentation = new() { MinCropScale = 1.5 } },
            "Augmentation.MinCropScale is 1.5; it must be greater than 0 and at most 1."),
        ["crop 0"] = (Defaults with { Augmentation = new() { MinCropScale = 0 } },
            "Augmentation.MinCropScale is 0; it must be greater than 0 and at most 1."),
        ["flip"] = (Defaults with { Augmentation = new() { HorizontalFlipProbability = 1.01 } },
            "Augmentation.HorizontalFlipProbability is 1.01; it must be 0 to 1."),
        ["bad images"] = (Defaults with { MaxBadRowFraction = -0.1 }, "MaxBadRowFraction is -0.1; it must be 0 to 1."),
        ["cache"] = (Defaults with { ImageCacheMegabytes = -1 }, "ImageCacheMegabytes is -1; it must be at least 0."),
        ["checkpoint folder"] = (Defaults with { Checkpoints = new() { Folder = " " } },
            "Checkpoints.Folder is empty; give a value, or null."),
        ["checkpoint folder with NUL"] = (Defaults with { Checkpoints = new() { Folder = "run\0" } },
            "Checkpoints.Folder has the character U+0000 at position 4, which no path can have; remove it."),
        ["no checkpoints kept"] = (Defaults with { Checkpoints = new() { Keep = 0 } }, "Checkpoints.Keep is 0; it must be at least 1."),
        ["checkpoint minutes"] = (Defaults with { Checkpoints = new() { Minutes = 0 } },
            "Checkpoints.Minutes is 0; it must be greater than 0, or null."),
        ["patience without validation"] = (Defaults with { Patience = 3 },
            "Patience is 3, but there is no ValidationSet to measure; set one."),
        ["checkpoint steps"] = (Defaults with { Checkpoints = new() { Steps = 0 } },
            "Checkpoints.Steps is 0; it must be at least 1, or null."),
        ["loss"] = (Defaults with { Loss = (LossFunction)9 }, "Loss is 9; use a member of LossFunction."),
        ["composition"] = (Defaults with { BatchComposition = (BatchComposition)9 },
            "BatchComposition is 9; use a member of BatchComposition."),
        ["schedule"] = (Defaults with { Optimizer = new() { Schedule = (LearningRateSchedule)9 } },
            "Optimizer.Schedule is 9; use a member of LearningRateSchedule."),
        ["decoding"] = (Defaults with { ImageDecoding = (ImageDecoding)9 }, "ImageDecoding is 9; use a member of ImageDecoding."),
        ["policy"] = (Defaults with { BadRows = (BadRowPolicy)9 }, "BadRows is 9; use a member of BadRowPolicy."),
        ["device"] = (Defaults with { Device = (ComputeDevice)9 }, "Device is 9; use a member of ComputeDevice."),
    };

    public static IEnumerable<string> FaultyCases => Faulty.Keys;

    [TestMethod]
    public void Validate_Defaults_NoFault() => Defaults.Validate();

    [TestMethod]
    public void Validate_ValuesAtTheirLimits_NoFault() => new PrefixClipOptions
    {
        PrefixLength = 64, ImagePrefixLength = 64, VocabularySize = 514, BatchSize = 2, Epochs = 1,
        Optimizer = new() { WarmupSteps = 0, WeightDecay = 0, Beta1 = 0, Beta2 = 0, GradientClipNorm = 1e-9 },
        Augmentation = new() { MinCropScale = 1, HorizontalFlipProbability = 1 }, MaxBadRowFraction = 1, ImageCacheMegabytes = 0,
        Checkpoints = new() { Steps = 1 },
    }.Validate();

    [TestMethod]
    [DynamicData(nameof(FaultyCases))]
    public void Validate_OneFault_NamesItAlone(string fault)
    {
        var (options, text) = Faulty[fault];
        var error = Assert.ThrowsExactly<ArgumentException>(() => options.Validate());
        Assert.AreEqual($"PrefixClipOptions has 1 fault(s):{Environment.NewLine}- {text}", error.Message);
    }

    [TestMethod]
    public void Validate_SeveralFaults_ReportsAllAtOnce()
    {
        var options = new PrefixClipOptions
        {
            BatchSize = 0, Epochs = -2, LearningRate = -1, Architecture = ClipArchitecture.Tiny with { PatchSize = 7, EmbeddingSize = 0 },
        };
        var lines = Assert.ThrowsExactly<ArgumentException>(() => options.Validate()).Message.Split(Environment.NewLine);
        Assert.HasCount(6, lines);
        Assert.AreEqual("PrefixClipOptions has 5 fault(s):", lines[0]);
        foreach (var start in new[] { "- BatchSize is 0", "- Epochs is -2", "- LearningRate is -1",
            "- Architecture.ImageSize is 48 and PatchSize 7", "- Architecture.EmbeddingSize is 0" })
            Assert.ContainsSingle(l => l.StartsWith(start, StringComparison.Ordinal), lines);
    }

    [TestMethod]
    public void PrefixClip_FaultyOptions_ThrowsBeforeAnyData()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() =>
            new MLContext().Transforms.PrefixClip(new PrefixClipOptions { Epochs = 0 }));
        StringAssert.Contains(error.Message, "Epochs is 0");
    }

    [TestMethod]
    public void With_OneChange_KeepsTheRestAndTheOriginal()
    {
        var changed = Defaults with { Epochs = 3 };
        Assert.AreEqual(3, changed.Epochs);
        Assert.AreEqual(20, Defaults.Epochs);
        Assert.AreEqual(Defaults, changed with { Epochs = 20 });
        Assert.AreNotEqual(Defaults, changed);
    }

    [TestMethod]
    public void Defaults_Values_AreThoseOfTheDocumentation()
    {
        Assert.IsNull(Defaults.Architecture);
        var tuning = Defaults.FineTuning;
        Assert.AreEqual((null, TrainableParts.All, 0, 0, 1.0, 1.0), (Defaults.InitialWeights, tuning.TrainableParts,
            tuning.FrozenVisionLayers, tuning.FrozenTextLayers, tuning.PrefixLearningRateFactor, tuning.LayerDecay));
        CollectionAssert.AreEqual(new[] { DatasetType.Caption, DatasetType.Classification }, Defaults.DatasetTypes.ToArray());
        Assert.AreEqual((1, 0, 4096, (int?)null, 20),
            (Defaults.PrefixLength, Defaults.ImagePrefixLength, Defaults.VocabularySize, Defaults.BatchSize, Defaults.Epochs));
        Assert.AreEqual((5e-4, 0.2, 0.9, 0.98, 1e-6),
            (Defaults.LearningRate, Defaults.Optimizer.WeightDecay, Defaults.Optimizer.Beta1, Defaults.Optimizer.Beta2,
            Defaults.Optimizer.Epsilon));
        Assert.AreEqual((0.9, 0.0, 0.1, 1024),
            (Defaults.Augmentation.MinCropScale, Defaults.Augmentation.HorizontalFlipProbability, Defaults.MaxBadRowFraction,
            Defaults.ImageCacheMegabytes));
        Assert.AreEqual((LossFunction.Clip, BatchComposition.PerDatasetType, LearningRateSchedule.Cosine),
            (Defaults.Loss, Defaults.BatchComposition, Defaults.Optimizer.Schedule));
        Assert.AreEqual((ImageDecoding.Upright, BadRowPolicy.Fail, ComputeDevice.Auto),
            (Defaults.ImageDecoding, Defaults.BadRows, Defaults.Device));
    }
}
