using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Matrix products in bfloat16: near single precision, the same on both ways to compute, the same after saving.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class PrecisionTests
{
    private const double Rounding = 1 / 256.0;   // of one number to bfloat16, which has 8 bits

    private static readonly ClipArchitecture ViT = new()
    {
        ImageSize = 16, PatchSize = 8, VisionWidth = 48, VisionLayers = 3, VisionHeads = 3,
        ContextLength = 12, TextWidth = 32, TextLayers = 3, TextHeads = 2, EmbeddingSize = 24,
    };

    private static IEnumerable<(ClipArchitecture Architecture, bool UseTensorOperations)> Ways =>
        [(ViT, false), (ViT, true), (SwinModel.Architecture, false)];

    [TestMethod]
    [DynamicData(nameof(Ways))]
    public void Gradients_BFloat16_AreNearSinglePrecision(ClipArchitecture architecture, bool useTensorOperations)
    {
        using var scope = NewDisposeScope();
        var shape = new ClipModelShape(architecture, 30, 2, 1, architecture.Swin is null ? 1 : 0);
        using var exact = ClipModel.Create(shape, CPU, 7, useTensorOperations);
        using var rounded = ClipModel.Create(shape, CPU, 7, useTensorOperations, ScalarType.BFloat16);
        var (images, ids, types) = FusedTowerTests.Batch(shape, 6, 9);
        var expected = FusedTowerTests.Gradients(exact, images, ids, types);
        var actual = FusedTowerTests.Gradients(rounded, images, ids, types);
        CollectionAssert.AreEquivalent(expected.Gradients.Keys, actual.Gradients.Keys);
        double error = 0, size = 0;
        foreach (var (name, gradient) in expected.Gradients)
        {
            Assert.AreEqual(ScalarType.Float32, actual.Gradients[name].dtype, name);
            error += (actual.Gradients[name] - gradient).square().sum().ToDouble();
            size += gradient.square().sum().ToDouble();
        }
        Assert.IsGreaterThan(0, error, "Nothing was rounded.");
        Assert.IsLessThan(10 * Rounding, Math.Sqrt(error / size));
    }

    [TestMethod]
    public void Embeddings_BFloat16_AreThoseOfTheReferencePath()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var shape = new ClipModelShape(ViT, 30, 2, 1, 1);
        using var plain = ClipModel.Create(shape, CPU, 7, useTensorOperations: true, ScalarType.BFloat16);
        using var fused = ClipModel.Create(shape, CPU, 7, products: ScalarType.BFloat16);
        using var exact = ClipModel.Create(shape, CPU, 7);
        var (images, ids, types) = FusedTowerTests.Batch(shape, 6, 9);
        double Error(Func<ClipModel, Tensor> encode, ClipModel model) => (encode(model) - encode(exact)).norm().ToDouble();
        foreach (var encode in new Func<ClipModel, Tensor>[] { m => m.EncodeImages(images, types), m => m.EncodeTexts(ids, types) })
        {
            var (ofPlain, ofFused) = (Error(encode, plain), Error(encode, fused));
            Assert.IsGreaterThan(0, ofFused, "Nothing was rounded.");
            Assert.IsLessThan(2 * ofPlain, ofFused, "The fused path rounds more than the reference path.");
        }
    }

    [TestMethod]
    public void Fit_BFloat16_TrainsLikeSinglePrecision()
    {
        using var data = new DrawnData();
        var options = DrawnData.Options with { Optimizer = new() { GradientClipNorm = 1 }, ImagePrefixLength = 1, Epochs = 3 };
        using var exact = data.Fit(options);
        using var rounded = data.Fit(options with { Precision = Precision.BFloat16 });
        Assert.AreEqual(Precision.BFloat16, rounded.Trained.Settings.Precision);
        for (var step = 0; step < exact.History.Steps.Count; step++)
        {
            var expected = exact.History.Steps[step].Loss;
            Assert.AreEqual(expected, rounded.History.Steps[step].Loss, 0.03 * expected, $"step {step}");
        }
        rounded.Trained.Lend(network => Assert.IsTrue(network.Weights.All(w => w.Value.dtype == ScalarType.Float32)));
    }

    [TestMethod]
    public void SaveAndLoad_BFloat16_KeepsScoresAndWritesSinglePrecision()
    {
        using var data = new DrawnData();
        using var trained = data.Fit(DrawnData.Options with { Epochs = 1, Precision = Precision.BFloat16 });
        var saved = new SavedModel(trained);
        using var loaded = (PrefixClipTransformer)saved.Load(out _);
        loaded.Trained.Lend(network => Assert.AreEqual(ScalarType.BFloat16,
            network.Weights.First(w => w.Key == "token_embedding.weight").Value.dtype));
        CollectionAssert.AreEqual(trained.EncodeTexts(["a red square"])[0], loaded.EncodeTexts(["a red square"])[0]);
        var image = ScoringModel.Encoded(3);
        CollectionAssert.AreEqual(trained.EncodeImages([image])[0], loaded.EncodeImages([image])[0]);

        using var again = (PrefixClipTransformer)new SavedModel(loaded).Load(out _);
        CollectionAssert.AreEqual(trained.EncodeTexts(["a red square"])[0], again.EncodeTexts(["a red square"])[0]);
        using var weights = new MemoryStream(saved.Part("weights.safetensors"));
        Assert.IsTrue(Safetensors.ReadHeader(weights, out _).TrueForAll(e => e.Type == ScalarType.Float32));
    }

    [TestMethod]
    public void Gradients_ThroughStoredWeightsInBFloat16_AreNearSinglePrecision()
    {
        using var exact = ScoringModel.Transformer();
        using var rounded = exact.WithPrecision(Precision.BFloat16);
        float[] Gradient(PrefixClipTransformer model)
        {
            float[] gradient = [];
            model.Trained.Lend(network =>
            {
                using var scope = NewDisposeScope();
                using var generator = new Generator(3, CPU);
                var size = model.Trained.Settings.Architecture.ImageSize;
                var pixels = rand([2, 3, size, size], generator: generator).requires_grad_();
                network.EncodeImages(pixels, null).select(1, 0).sum().backward();   // of unit length: not all of them
                gradient = [.. pixels.grad!.data<float>()];
            });
            return gradient;
        }
        float[] expected = Gradient(exact), actual = Gradient(rounded);
        var error = (double)expected.Zip(actual, (x, y) => (x - y) * (x - y)).Sum() / expected.Sum(x => x * x);
        Assert.IsTrue(error is > 0 and < 100 * Rounding * Rounding, $"{error}");
    }

    [TestMethod]
    public void WithPrecision_ThereAndBack_IsACopyOfItsOwn()
    {
        var exact = ScoringModel.Transformer();
        using var rounded = exact.WithPrecision(Precision.BFloat16);
        var image = ScoringModel.Encoded(1);
        float[] expected = exact.EncodeImages([image])[0], actual = rounded.EncodeImages([image])[0];
        exact.Dispose();
        CollectionAssert.AreEqual(actual, rounded.EncodeImages([image])[0]);
        CollectionAssert.AreNotEqual(expected, actual);
        Assert.IsGreaterThan(0.999, expected.Zip(actual, (a, b) => a * b).Sum());
        using var back = rounded.WithPrecision(Precision.Float32);
        Assert.IsGreaterThan(0.999, back.EncodeImages([image])[0].Zip(expected, (a, b) => a * b).Sum());
        Assert.ThrowsExactly<ObjectDisposedException>(() => exact.WithPrecision(Precision.BFloat16));
        Assert.AreEqual("The precision is 9; use a member of Precision. (Parameter 'precision')",
            Assert.ThrowsExactly<ArgumentException>(() => back.WithPrecision((Precision)9)).Message);
    }

    [TestMethod]
    public void Auto_OnAProcessor_SaysWhatItChose()
    {
        var context = new MLContext(1);
        var messages = new List<string>();
        context.Log += (_, e) => messages.Add(e.Message);
        using var exact = ScoringModel.Transformer();
        using var model = new PrefixClipTransformer(context, ScoringModel.Create()).WithPrecision(Precision.Auto);
        Assert.IsTrue(messages.Exists(m => m.Contains("Matrix products are in", StringComparison.Ordinal)), string.Join('\n', messages));
        using var same = (PrefixClipTransformer)new SavedModel(model).Load(out _);
        Assert.AreEqual(Precision.Auto, same.Trained.Settings.Precision);
    }
}
