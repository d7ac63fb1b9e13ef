using System.Buffers.Binary;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The Swin tower against torchvision 0.14.1. Tolerance 1e-5 of the largest value, as test/golden/swin_tiny states.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class SwinTowerTests
{
    private const double Tolerance = 1e-5;

    [TestMethod]
    [DataRow("even", "even", DisplayName = "even, every branch kept")]
    [DataRow("padded", "padded", DisplayName = "padded, every branch kept")]
    [DataRow("even", "even.dropped", DisplayName = "even, branches left out")]
    [DataRow("padded", "padded.dropped", DisplayName = "padded, branches left out")]
    public void Forward_ReferencesWeights_OutputsAndGradientsAreTheReferences(string name, string run)
    {
        using var scope = NewDisposeScope();
        using var model = SwinModel.Load(name);
        var expected = TinyGolden.Tensors("swin_tiny", "outputs.safetensors");
        var size = model.Shape.Architecture.ImageSize;
        var images = SwinModel.Tensor($"{name}.images", 2, 3, size, size).requires_grad_(true);
        var features = ((SwinTower)model.Vision).Forward(images, null, expected.GetValueOrDefault($"{run}.factors"));
        TinyGolden.AreRelativelyClose(expected[$"{run}.features"], features, Tolerance, "features");

        features.backward([SwinModel.Tensor($"{name}.cotangent", 2, 6)]);
        var gradients = expected[$"{run}.gradients"];
        long start = 0;
        foreach (var (weight, gradient) in Vision(model).Select(w =>
            (w.Key["visual.".Length..], w.Value.grad!)).Append(("images", images.grad!)))
        {
            var digest = tensor(SwinModel.Digest($"{name}.{weight}", gradient));
            TinyGolden.AreRelativelyClose(gradients.narrow(0, start, digest.shape[0]), digest, Tolerance, $"gradient of {weight}");
            start += digest.shape[0];
        }
        Assert.AreEqual(gradients.shape[0], start);
    }

    [TestMethod]
    [DataRow("even")]
    [DataRow("padded")]
    public void BranchRates_SwinTsDepth_AreTheReferences(string name)
    {
        using var scope = NewDisposeScope();
        var golden = TinyGolden.Tensors("swin_tiny", "outputs.safetensors");
        var expected = golden[$"{name}.dropped.rates"].data<float>().ToArray();
        var rates = (SwinModel.Golden(name).Swin! with { StochasticDepth = 0.2 }).BranchRates();
        CollectionAssert.AreEqual(expected, rates.SelectMany(rate => new[] { (float)rate, (float)rate }).ToArray());
        // A branch that the reference keeps is divided by the share that is kept.
        var factors = golden[$"{name}.dropped.factors"].data<float>().ToArray();
        for (var i = 0; i < factors.Length; i++)
            if (factors[i] != 0) Assert.AreEqual(1 / (1 - rates[i / 4]), factors[i], 1e-6);   // two branches of two images
    }

    [TestMethod]
    public void EncodeImages_ReferenceOrFast_IsTheSame()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var shape = new ClipModelShape(SwinModel.Architecture, SmallModel.Tokenizer.VocabularySize, 2, 1, 0);
        using ClipModel plain = ClipModel.Create(shape, CPU, 3, useTensorOperations: true), fast = ClipModel.Create(shape, CPU, 3);
        var images = SmallModel.Images(5);
        TinyGolden.AreClose(plain.EncodeImages(images, null), fast.EncodeImages(images, null), 0, "images");
        TinyGolden.AreClose(ones(5), fast.EncodeImages(images, null).norm(1), 1e-6, "lengths");
        TinyGolden.AreClose(fast.EncodeImages(images, null).narrow(0, 3, 1), fast.EncodeImages(images.narrow(0, 3, 1), null), 1e-6,
            "one of a batch");
    }

    [TestMethod]
    public void Weights_SwinT_AreTorchvisionsInNameAndNumber()
    {
        using var scope = NewDisposeScope();
        using var model = ClipModel.CreateUnset(new ClipModelShape(ClipArchitecture.SwinT, 49408, 2, 0, 0), new Device(DeviceType.META));
        var vision = Vision(model).ToDictionary(w => w.Key, w => w.Value.shape);
        // torchvision's swin_t without its 1,000 classes
        Assert.AreEqual(27_519_354 + 512 * 768, Vision(model).Sum(w => w.Value.numel()));
        Assert.HasCount(2 + 2 + 12 * 13 + 3 * 3 + 2 + 1, vision);
        foreach (var (name, shape) in new (string, long[])[]
        {
            ("features.0.0.weight", [96, 3, 4, 4]), ("features.0.2.bias", [96]),
                ("features.1.1.attn.relative_position_bias_table", [169, 3]),
            ("features.2.reduction.weight", [192, 384]), ("features.5.5.attn.qkv.weight", [1152, 384]),
                ("features.7.1.mlp.3.weight", [768, 3072]),
            ("norm.weight", [768]), ("head.weight", [512, 768]),
        })
            CollectionAssert.AreEqual(shape, vision[$"visual.{name}"], name);
        Assert.AreEqual(91e6, model.ParameterCount, 0.5e6);
        Assert.IsEmpty(OptionFaults.Of(ClipArchitecture.SwinT));
        Assert.IsEmpty(OptionFaults.Of(ClipArchitecture.SmallSwin));
    }

    [TestMethod]
    public void Create_ManyValues_HaveTorchvisionsDistributions()
    {
        using var scope = NewDisposeScope();
        using var model = SwinModel.Create(ClipArchitecture.SmallSwin);
        foreach (var (name, weight) in Vision(model))
        {
            double mean = weight.mean().ToDouble(), std = weight.std(unbiased: false).ToDouble(), root = Math.Sqrt(weight.numel());
            if (name.StartsWith("visual.features.0.0.", StringComparison.Ordinal))
            {
                var bound = 1 / Math.Sqrt(48);   // fan-in 3 * 4 * 4
                Assert.IsTrue(weight.abs().max().ToDouble() <= bound, name);
                Assert.AreEqual(bound / Math.Sqrt(3), std, 5 * bound / root, name);
                Assert.AreEqual(0, mean, 5 * bound / root, name);
            }
            else if (weight.dim() == 2)
            {
                Assert.AreEqual(0.02, std, 5 * 0.02 / root, name);
                Assert.AreEqual(0, mean, 5 * 0.02 / root, name);
            }
            else
            {
                Assert.AreEqual(name.EndsWith("weight", StringComparison.Ordinal) ? 1 : 0, mean, name);
                Assert.AreEqual(0, std, name);
            }
            Assert.AreEqual(weight.dim() >= 2 && !name.Contains("bias_table", StringComparison.Ordinal),
                ClipOptimizer.IsDecayed(name, weight), name);
        }
    }

    [TestMethod]
    [DataRow(0.0, 3)]
    [DataRow(0.25, 4)]
    public void SaveAndLoad_Swin_RoundTripsWithItsVersion(double stochasticDepth, int version)
    {
        using var model = new PrefixClipTransformer(new MLContext(1), Trained(SwinModel.WithDepth(stochasticDepth)));
        var saved = new SavedModel(model);
        using var loaded = (PrefixClipTransformer)saved.Load(out _);
        Assert.AreEqual(model.Architecture, loaded.Architecture);
        Assert.AreEqual(new SwinStages(2, 2) { WindowSize = 4, StochasticDepth = stochasticDepth }, loaded.Architecture.Swin);
        DrawnData.AreBitEqual(DrawnData.Weights(model), DrawnData.Weights(loaded));
        Assert.AreEqual(version, Version(saved));
        Assert.AreEqual(version == 4,
            Encoding.UTF8.GetString(saved.Part("settings.json")).Contains("StochasticDepth", StringComparison.Ordinal));
    }

    [TestMethod]
    public void Load_DamagedStages_SaysWhatIsWrong()
    {
        using var model = new PrefixClipTransformer(new MLContext(1), Trained(SwinModel.WithDepth(0.25)));
        var saved = new SavedModel(model);
        var settings = Encoding.UTF8.GetString(saved.Part("settings.json"));
        string Fault(string from, string to)
        {
            Assert.Contains(from, settings);
            return saved.WithPart("settings.json", Encoding.UTF8.GetBytes(settings.Replace(from, to, StringComparison.Ordinal))).Fault();
        }
        StringAssert.Contains(Fault("\"WindowSize\": 4", "\"WindowSize\": 4000"), "Swin.WindowSize is 4000; 1 to 32 are allowed.");
        StringAssert.Contains(Fault("\"Second\": 2", "\"Second\": -2"), "Swin has stages of 2, -2, 0, 0 blocks");
        StringAssert.Contains(Fault("\"StochasticDepth\": 0.25", "\"StochasticDepth\": 1.25"),
            "Swin.StochasticDepth is 1.25; it must be 0 or more and below 1.");
    }

    [TestMethod]
    public void Exports_Swin_SayWhatIsPossible()
    {
        using var model = new PrefixClipTransformer(new MLContext(1), Trained());
        using var folder = new ModelFolder();
        foreach (var layout in Enum.GetValues<ClipLayout>())
            Assert.AreEqual("open_clip's and Hugging Face's layouts do not support Swin vision towers; save this model with " +
                "mlContext.Model.Save.",
                Assert.ThrowsExactly<NotSupportedException>(() => model.SaveSafetensors(folder["x"], layout)).Message);
        Assert.IsFalse(Directory.Exists(folder["x"]));
        model.SaveTextEncoderAsOnnx(folder["text.onnx"]);
        Assert.IsTrue(File.Exists(folder["text.onnx"]));
    }

    private static IEnumerable<KeyValuePair<string, Tensor>> Vision(ClipModel model) =>
        model.Weights.Where(w => w.Key.StartsWith("visual.", StringComparison.Ordinal));

    private static int Version(SavedModel saved)
    {
        var header = saved.Part("Model.key");
        return BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(SavedModel.StartOfList(header)));
    }

    private static TrainedModel Trained(ClipArchitecture? architecture = null)
    {
        var options = DrawnData.Options with { Architecture = architecture ?? SwinModel.Architecture };
        return new TrainedModel(SwinModel.Create(SwinModel.Architecture), SmallModel.Tokenizer,
            ModelSettings.From(options, options.DatasetTypes, SmallModel.Tokenizer.VocabularySize), TrainingHistory.Empty);
    }
}
