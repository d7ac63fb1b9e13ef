using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Exported ResNets and Swin transformers in ONNX Runtime give what libtorch gives.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class OnnxOtherTowersTests
{
    private const float Tolerance = 1e-4f;

    /// <summary>Stages with one block and with two; two heads; 2 x 2 positions to pool.</summary>
    private static ClipArchitecture ResNet => SmallModel.Architecture with
    {
        ImageSize = 64,
        PatchSize = 32,
        VisionWidth = 4,
        VisionHeads = 2,
        VisionLayers = 4,
        ResNet = new ResNetStages(1, 2, 1, 2),
    };

    /// <summary>A third block in the shifted stages, which is not shifted again; sides of 10, 5, 3 and 2 under windows of 3 or 4.</summary>
    private static ClipArchitecture Swin(int window) => SmallModel.Architecture with
    {
        ImageSize = 40,
        PatchSize = 4,
        VisionWidth = 8,
        VisionHeads = 2,
        VisionLayers = 8,
        Swin = new SwinStages(3, 2, 2, 1) { WindowSize = window },
    };

    public static IEnumerable<object[]> Towers =>
        from tower in new (string Name, ClipArchitecture Architecture)[]
        {
            ("ResNet", ResNet), ("one position", ResNet with { ImageSize = 32 }), ("padded windows", Swin(3)), ("other windows", Swin(4)),
            ("one window", Swin(16)), ("windows of one position", Swin(1)), ("whole windows", SwinModel.Architecture),
        }
        select new object[] { tower.Name, tower.Architecture };

    [TestMethod]
    public void Features_TowerWithoutAGraph_SaysWhereToAddIt()
    {
        using var model = SmallModel.Create();
        Assert.AreEqual("OtherTower has no ONNX graph: add one to OnnxTowers.", Assert.ThrowsExactly<NotSupportedException>(
            () => new OnnxTowers(new OnnxGraph(), model).Features(new OtherTower(), "pixels", prefix: null)).Message);
    }

    private sealed class OtherTower : IVisionTower
    {
        public Tensor Forward(Tensor images, long[]? datasetTypes, Tensor? branchFactors = null) => images;
    }

    [TestMethod]
    [DynamicData(nameof(Towers))]
    public void ImageEncoder_EveryTower_EqualsLibtorch(string name, ClipArchitecture architecture)
    {
        using var model = OnnxModels.Create(architecture: architecture);
        using var run = new OnnxRun();
        var size = architecture.ImageSize;
        var pixels = OnnxModels.Pixels(3, size);

        model.Lend(network => OnnxExport.ImageEncoder(model, network, null, PixelValues.Normalized).Write(run.Path));

        var expected = model.EncodeImages(pixels, 3, null);
        var three = run.Floats("ImageEmbedding", "NormalizedPixels", pixels, 3, 3, size, size);
        var one = run.Floats("ImageEmbedding", "NormalizedPixels", pixels[..(pixels.Length / 3)], 1, 3, size, size);
        Assert.IsLessThan(Tolerance, OnnxModels.Difference(expected, three), name);
        Assert.IsLessThan(Tolerance, OnnxModels.Difference(expected[..8], one), name);
        Assert.IsGreaterThan(0.001f, OnnxModels.Difference(three[..8], three[8..16]), "The pixels make no difference.");
        Assert.AreEqual($"-1 3 {size} {size}", string.Join(' ', run.Session.InputMetadata["NormalizedPixels"].Dimensions), name);
        Assert.AreEqual("-1 8", string.Join(' ', run.Session.OutputMetadata["ImageEmbedding"].Dimensions), name);
    }

    [TestMethod]
    public void ImageEncoder_ReferencesResNet_GivesTheReferencesEmbeddings()
    {
        using var scope = NewDisposeScope();
        using var folder = new ModelFolder().Add("rn.safetensors", ModelFolder.Bytes(ResNetModel.Weights()));
        var wishes = new PretrainedWishes { Activation = ClipActivation.QuickGelu, TextHeads = 2 };
        using var pretrained = PretrainedClip.Open(folder.Path, wishes);
        var network = ClipModel.CreateUnset(pretrained.FileShape, CPU);
        pretrained.ReadInto(network, pretrained.Prefixes.DatasetTypes, seed: 1);
        using var model = new TrainedModel(network, SmallModel.Tokenizer, ModelFolder.SettingsOf(network), TrainingHistory.Empty);
        using var run = new OnnxRun();

        model.Lend(lent => OnnxExport.ImageEncoder(model, lent, null, PixelValues.Normalized).Write(run.Path));

        var features = TinyGolden.Tensors("clip_resnet_tiny", "outputs.safetensors")["image_features_raw"];
        var expected = nn.functional.normalize(features, p: 2, dim: 1);
        var actual = run.Floats("ImageEmbedding", "NormalizedPixels", ResNetModel.Images().data<float>().ToArray(), 2, 3, 64, 64);
        TinyGolden.AreClose(expected, tensor(actual).view(expected.shape), 1e-5, "embeddings");
    }

    [TestMethod]
    [DataRow("even")]
    [DataRow("padded")]
    public void ImageEncoder_ReferencesSwin_GivesTheReferencesEmbeddings(string name)
    {
        using var scope = NewDisposeScope();
        var network = SwinModel.Load(name);
        var options = new PrefixClipOptions { Architecture = network.Shape.Architecture };
        var settings = ModelSettings.From(options, options.DatasetTypes, SmallModel.Tokenizer.VocabularySize);
        using var model = new TrainedModel(network, SmallModel.Tokenizer, settings, TrainingHistory.Empty);
        using var run = new OnnxRun();
        var size = network.Shape.Architecture.ImageSize;
        var images = SwinModel.Tensor($"{name}.images", 2, 3, size, size);

        model.Lend(lent => OnnxExport.ImageEncoder(model, lent, null, PixelValues.Normalized).Write(run.Path));

        var expected = nn.functional.normalize(TinyGolden.Tensors("swin_tiny", "outputs.safetensors")[$"{name}.features"], p: 2, dim: 1);
        var actual = run.Floats("ImageEmbedding", "NormalizedPixels", images.data<float>().ToArray(), 2, 3, size, size);
        TinyGolden.AreClose(expected, tensor(actual).view(expected.shape), 1e-5, "embeddings");
    }

    [TestMethod]
    [DataRow("ResNet")]
    [DataRow("Swin")]
    public void SaveAsOnnx_EveryTower_GivesTheTransformersScores(string tower)
    {
        var architecture = tower == "ResNet" ? ResNet : Swin(4);
        using var model = OnnxModels.Create(architecture: architecture);
        using var run = new OnnxRun();
        string[] names = ["red apple", "blue disc", "Äpfel"];
        var (size, prefix) = (architecture.ImageSize, PrefixSelection.Caption);
        var classifier = new ZeroShotClassifier
        {
            ClassNames = names, Embeddings = model.EncodeClasses(names, PromptTemplates.NameOnly, prefix), LogitScale = 20, Prefix = prefix,
            ImageColumnName = "Image", LabelColumnName = "Label", ScoreColumnName = "Score", PredictedLabelColumnName = "PredictedLabel",
        };
        var transformer = new PrefixClipTransformer(new MLContext(1), model);   // the model stays the test's own
        new ZeroShotClassificationTransformer(new MLContext(1), transformer, classifier, ownsModel: false).SaveAsOnnx(run.Path);
        var (mean, deviation) = (ImageNormalization.Clip.Mean.ToArray(), ImageNormalization.Clip.StandardDeviation.ToArray());
        var bytes = Enumerable.Range(0, 2 * 3 * size * size).Select(i => (float)(i * 37L % 256)).ToArray();
        var normalized = bytes.Select((b, i) => ((b / 255) - mean[i / (size * size) % 3]) / deviation[i / (size * size) % 3]).ToArray();

        var expected = new float[6];
        for (var i = 0; i < 2; i++)
            classifier.Score(model.EncodeImages(normalized, 2, prefix).AsSpan(i * 8, 8), expected.AsSpan(3 * i, 3));

        Assert.IsLessThan(Tolerance, OnnxModels.Difference(expected, run.Floats("Score", "Pixels", bytes, 2, 3, size, size)));
    }

    [TestMethod]
    [DataRow("ResNet")]
    [DataRow("Swin")]
    public void Write_WeightsOutside_GivesTheSame(string tower)
    {
        var architecture = tower == "ResNet" ? ResNet : Swin(4);
        using var model = OnnxModels.Create(architecture: architecture);
        using OnnxRun run = new(), outside = new();
        var size = architecture.ImageSize;
        var pixels = OnnxModels.Pixels(1, size);

        model.Lend(network =>
        {
            OnnxExport.ImageEncoder(model, network, null, PixelValues.Normalized).Write(run.Path);
            OnnxExport.ImageEncoder(model, network, null, PixelValues.Normalized).Write(outside.Path, 1000);
        });

        Assert.AreEqual("model.onnx, model.onnx.data", outside.Files);
        Assert.AreEqual(0, OnnxModels.Difference(run.Floats("ImageEmbedding", "NormalizedPixels", pixels, 1, 3, size, size),
            outside.Floats("ImageEmbedding", "NormalizedPixels", pixels, 1, 3, size, size)));
    }
}
