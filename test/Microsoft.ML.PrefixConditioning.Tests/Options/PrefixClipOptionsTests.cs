namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class PrefixClipOptionsTests
{
    private static readonly PrefixClipOptions Defaults = new();

    private static readonly Dictionary<string, (PrefixClipOptions Options, string Fault)> Faulty = new()
    {
        ["image column"] = (Defaults with { ImageColumnName = "" }, "ImageColumnName is empty; give the name of a column."),
        ["text column"] = (Defaults with { TextColumnName = " " }, "TextColumnName is empty; give the name of a column."),
        ["type column"] = (Defaults with { DatasetTypeColumnName = null! }, "DatasetTypeColumnName is empty; give the name of a column."),
        ["label column"] = (Defaults with { LabelColumnName = "\t" }, "LabelColumnName is empty; give the name of a column."),
        ["image embedding column"] = (Defaults with { ImageEmbeddingColumnName = "" }, "ImageEmbeddingColumnName is empty; give the name of a column."),
        ["text embedding column"] = (Defaults with { TextEmbeddingColumnName = "" }, "TextEmbeddingColumnName is empty; give the name of a column."),
        ["same embedding columns"] = (Defaults with { ImageEmbeddingColumnName = "E", TextEmbeddingColumnName = "E" },
            "ImageEmbeddingColumnName and TextEmbeddingColumnName are both 'E'; give them different names."),
        ["initial weights"] = (Defaults with { InitialWeights = "" }, "InitialWeights is empty; give a path, or null for none."),
        ["no part"] = (Defaults with { TrainableParts = TrainableParts.None }, "TrainableParts is None; name at least one part that is trained."),
        ["unknown part"] = (Defaults with { TrainableParts = (TrainableParts)33 }, "TrainableParts is 33; use members of TrainableParts."),
        ["no prefixes to train"] = (Defaults with { TrainableParts = TrainableParts.Prefixes, PrefixLength = 0 },
            "TrainableParts is Prefixes, and both prefix lengths are 0: there is nothing to train. Set PrefixLength to 1 or more."),
        ["frozen vision layers"] = (Defaults with { FrozenVisionLayers = 5 }, "FrozenVisionLayers is 5; 0 to 4 are allowed, as many as the tower has blocks."),
        ["frozen text layers"] = (Defaults with { FrozenTextLayers = -1, InitialWeights = "x" }, "FrozenTextLayers is -1; 0 or more are allowed, as many as the tower has blocks."),
        ["prefix rate"] = (Defaults with { PrefixLearningRateFactor = 0 }, "PrefixLearningRateFactor is 0; it must be greater than 0."),
        ["layer decay"] = (Defaults with { LayerDecay = 1.1 }, "LayerDecay is 1.1; it must be above 0 and at most 1."),
        ["architecture"] = (Defaults with { Architecture = ClipArchitecture.Tiny with { TextLayers = 0 } }, "Architecture: TextLayers is 0; at least 1 is needed."),
        ["no types"] = (Defaults with { DatasetTypes = [] }, "DatasetTypes is empty; name at least one, such as DatasetType.Caption."),
        ["null types"] = (Defaults with { DatasetTypes = null! }, "DatasetTypes is empty; name at least one, such as DatasetType.Caption."),
        ["null type"] = (Defaults with { DatasetTypes = [DatasetType.Caption, null!] }, "DatasetTypes holds a type without a name."),
        ["type without a name"] = (Defaults with { DatasetTypes = [new("", TextKind.Caption)] }, "DatasetTypes holds a type without a name."),
        ["type twice"] = (Defaults with { DatasetTypes = [DatasetType.Caption, new("caption", TextKind.ClassName)] },
            "DatasetTypes names 'caption' 2 times; every type needs its own name."),
        ["kind of texts"] = (Defaults with { DatasetTypes = [new("odd", (TextKind)7)] }, "DatasetTypes gives 'odd' the texts 7; use a member of TextKind."),
        ["weight of unknown type"] = (Defaults with { DatasetTypeWeights = new Dictionary<string, double> { ["video"] = 1 } },
            "DatasetTypeWeights names 'video', which is not in DatasetTypes."),
        ["weight 0"] = (Defaults with { DatasetTypeWeights = new Dictionary<string, double> { ["caption"] = 0 } },
            "DatasetTypeWeights gives 'caption' the weight 0; it must be greater than 0."),
        ["weight infinite"] = (Defaults with { DatasetTypeWeights = new Dictionary<string, double> { ["caption"] = double.PositiveInfinity } },
            "DatasetTypeWeights gives 'caption' the weight Infinity; it must be greater than 0."),
        ["prefix length"] = (Defaults with { PrefixLength = 65 }, "PrefixLength is 65; 0 to 64 are allowed."),
        ["negative prefix length"] = (Defaults with { PrefixLength = -1 }, "PrefixLength is -1; 0 to 64 are allowed."),
        ["image prefix length"] = (Defaults with { ImagePrefixLength = 65 }, "ImagePrefixLength is 65; 0 to 64 are allowed."),
        ["vocabulary size"] = (Defaults with { VocabularySize = 513 }, "VocabularySize is 513; at least 514 are needed (512 bytes, start and end)."),
        ["vocabulary path"] = (Defaults with { VocabularyPath = "" }, "VocabularyPath is empty; give a path, or null for none."),
        ["no templates"] = (Defaults with { PromptTemplates = null! }, "PromptTemplates is null; use PromptTemplates.NameOnly for class names as they are."),
        ["batch size"] = (Defaults with { BatchSize = 1 }, "BatchSize is 1; at least 2 are needed, because a row learns from the others of its batch."),
        ["batch size beyond memory"] = (Defaults with { BatchSize = 14267, Architecture = ClipArchitecture.ViTB32 },
            "BatchSize is 14267; at 224 x 224 pixels at most 14266 images fit into one batch."),
        ["epochs"] = (Defaults with { Epochs = 0 }, "Epochs is 0; at least 1 is needed."),
        ["learning rate"] = (Defaults with { LearningRate = 0 }, "LearningRate is 0; it must be greater than 0."),
        ["learning rate NaN"] = (Defaults with { LearningRate = double.NaN }, "LearningRate is NaN; it must be greater than 0."),
        ["learning rate infinite"] = (Defaults with { LearningRate = double.PositiveInfinity }, "LearningRate is Infinity; it must be greater than 0."),
        ["warm-up"] = (Defaults with { WarmupSteps = -1 }, "WarmupSteps is -1; 0 or more are allowed."),
        ["weight decay"] = (Defaults with { WeightDecay = -0.5 }, "WeightDecay is -0.5; 0 or more are allowed."),
        ["beta 1"] = (Defaults with { Beta1 = 1 }, "Beta1 is 1; it must be 0 or more and below 1."),
        ["beta 2"] = (Defaults with { Beta2 = -0.1 }, "Beta2 is -0.1; it must be 0 or more and below 1."),
        ["epsilon"] = (Defaults with { Epsilon = 0 }, "Epsilon is 0; it must be greater than 0."),
        ["epsilon infinite"] = (Defaults with { Epsilon = double.PositiveInfinity }, "Epsilon is Infinity; it must be greater than 0."),
        ["endless gradient clipping"] = (Defaults with { GradientClipNorm = double.PositiveInfinity }, "GradientClipNorm is Infinity; it must be greater than 0, or null for no clipping."),
        ["gradient clipping"] = (Defaults with { GradientClipNorm = 0 }, "GradientClipNorm is 0; it must be greater than 0, or null for no clipping."),
        ["crop"] = (Defaults with { MinCropScale = 1.5 }, "MinCropScale is 1.5; it must be above 0 and at most 1."),
        ["crop 0"] = (Defaults with { MinCropScale = 0 }, "MinCropScale is 0; it must be above 0 and at most 1."),
        ["flip"] = (Defaults with { HorizontalFlipProbability = 1.01 }, "HorizontalFlipProbability is 1.01; a probability is 0 to 1."),
        ["bad images"] = (Defaults with { MaxBadRowFraction = -0.1 }, "MaxBadRowFraction is -0.1; 0 to 1 are allowed."),
        ["cache"] = (Defaults with { ImageCacheMegabytes = -1 }, "ImageCacheMegabytes is -1; 0 or more are allowed."),
        ["checkpoint folder"] = (Defaults with { CheckpointFolder = " " }, "CheckpointFolder is empty; give a path, or null for none."),
        ["checkpoint steps"] = (Defaults with { CheckpointSteps = 0 }, "CheckpointSteps is 0; at least 1 is needed, or null for one per epoch."),
        ["loss"] = (Defaults with { Loss = (LossFunction)9 }, "Loss is 9; use a member of LossFunction."),
        ["composition"] = (Defaults with { BatchComposition = (BatchComposition)9 }, "BatchComposition is 9; use a member of BatchComposition."),
        ["schedule"] = (Defaults with { LearningRateSchedule = (LearningRateSchedule)9 }, "LearningRateSchedule is 9; use a member of LearningRateSchedule."),
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
        PrefixLength = 64, ImagePrefixLength = 64, VocabularySize = 514, BatchSize = 2, Epochs = 1, WarmupSteps = 0, WeightDecay = 0, Beta1 = 0, Beta2 = 0,
        MinCropScale = 1, HorizontalFlipProbability = 1, MaxBadRowFraction = 1, ImageCacheMegabytes = 0, CheckpointSteps = 1, GradientClipNorm = 1e-9,
    }.Validate();

    [TestMethod]
    [DynamicData(nameof(FaultyCases))]
    public void Validate_OneFault_NamesItAlone(string fault)
    {
        var (options, text) = Faulty[fault];
        var error = Assert.ThrowsExactly<ArgumentException>(options.Validate);
        Assert.AreEqual($"PrefixClipOptions has 1 fault(s):{Environment.NewLine}- {text}", error.Message);
    }

    [TestMethod]
    public void Validate_SeveralFaults_ReportsAllAtOnce()
    {
        var options = new PrefixClipOptions
        {
            BatchSize = 0, Epochs = -2, LearningRate = -1, Architecture = ClipArchitecture.Tiny with { PatchSize = 7, EmbeddingSize = 0 },
        };
        var lines = Assert.ThrowsExactly<ArgumentException>(options.Validate).Message.Split(Environment.NewLine);
        Assert.HasCount(6, lines);
        Assert.AreEqual("PrefixClipOptions has 5 fault(s):", lines[0]);
        foreach (var start in new[] { "- BatchSize is 0", "- Epochs is -2", "- LearningRate is -1", "- Architecture: ImageSize is 48 and PatchSize 7", "- Architecture: EmbeddingSize is 0" })
            Assert.ContainsSingle(l => l.StartsWith(start, StringComparison.Ordinal), lines);
    }

    [TestMethod]
    public void PrefixClip_FaultyOptions_ThrowsBeforeAnyData()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => new MLContext().Transforms.PrefixClip(new PrefixClipOptions { Epochs = 0 }));
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
        Assert.AreEqual(ClipArchitecture.Tiny, Defaults.Architecture);
        Assert.AreEqual(ClipArchitecture.Tiny, (Defaults with { Architecture = null }).Architecture);
        Assert.AreEqual((null, TrainableParts.All, 0, 0, 1.0, 1.0),
            (Defaults.InitialWeights, Defaults.TrainableParts, Defaults.FrozenVisionLayers, Defaults.FrozenTextLayers, Defaults.PrefixLearningRateFactor, Defaults.LayerDecay));
        CollectionAssert.AreEqual(new[] { DatasetType.Caption, DatasetType.Classification }, Defaults.DatasetTypes.ToArray());
        Assert.AreEqual((1, 0, 4096, (int?)null, 20), (Defaults.PrefixLength, Defaults.ImagePrefixLength, Defaults.VocabularySize, Defaults.BatchSize, Defaults.Epochs));
        Assert.AreEqual((5e-4, 0.2, 0.9, 0.98, 1e-6), (Defaults.LearningRate, Defaults.WeightDecay, Defaults.Beta1, Defaults.Beta2, Defaults.Epsilon));
        Assert.AreEqual((0.9, 0.0, 0.1, 1024), (Defaults.MinCropScale, Defaults.HorizontalFlipProbability, Defaults.MaxBadRowFraction, Defaults.ImageCacheMegabytes));
        Assert.AreEqual((LossFunction.Clip, BatchComposition.PerDatasetType, LearningRateSchedule.Cosine), (Defaults.Loss, Defaults.BatchComposition, Defaults.LearningRateSchedule));
        Assert.AreEqual((ImageDecoding.Upright, BadRowPolicy.Fail, ComputeDevice.Auto), (Defaults.ImageDecoding, Defaults.BadRows, Defaults.Device));
    }
}
