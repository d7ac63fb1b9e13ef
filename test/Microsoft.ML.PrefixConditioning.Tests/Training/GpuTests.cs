using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A GPU against the processor. Without a GPU these tests are reported as inconclusive, by name.</summary>
[TestClass]
public sealed class GpuTests
{
    [TestInitialize]
    public void NeedsAGpu()
    {
        TorchLibrary.EnsureLoaded();
        if (!cuda.is_available()) Assert.Inconclusive("There is no CUDA GPU.");
    }

    [TestMethod]
    [DataRow(LossFunction.Clip, null, 1)]
    [DataRow(LossFunction.UniCl, 3, 0)]
    public void Fit_OnAGpu_HasTheProcessorsLosses(LossFunction loss, int? chunkSize, int imagePrefixLength)
    {
        using var data = new DrawnData();
        var options = DrawnData.Options with
        {
            Loss = loss,
            ChunkSize = chunkSize,
            ImagePrefixLength = imagePrefixLength,
            Epochs = 3,
            Optimizer = new() { GradientClipNorm = 1 },
        };
        using var expected = data.Fit(options);
        using var actual = data.Fit(options with { Device = ComputeDevice.Cuda });
        for (var step = 0; step < expected.History.Steps.Count; step++)
            Assert.AreEqual(expected.History.Steps[step].Loss, actual.History.Steps[step].Loss, 1e-4 * expected.History.Steps[step].Loss,
                $"step {step}");
        var image = ScoringModel.Encoded(1);
        float[] ofProcessor = expected.EncodeImages([image])[0], ofGpu = actual.EncodeImages([image])[0];
        for (var i = 0; i < ofGpu.Length; i++) Assert.AreEqual(ofProcessor[i], ofGpu[i], 1e-3f);
    }

    [TestMethod]
    public void Fit_BFloat16OnAGpu_TrainsLikeSinglePrecision()
    {
        using var data = new DrawnData();
        var options = DrawnData.Options with { ImagePrefixLength = 1, Epochs = 3, Device = ComputeDevice.Cuda };
        using var exact = data.Fit(options);
        using var rounded = data.Fit(options with { Precision = Precision.BFloat16 });
        for (var step = 0; step < exact.History.Steps.Count; step++)
            Assert.AreEqual(exact.History.Steps[step].Loss, rounded.History.Steps[step].Loss, 0.03 * exact.History.Steps[step].Loss,
                $"step {step}");
        Assert.AreNotEqual(exact.History.Steps[^1].Loss, rounded.History.Steps[^1].Loss, "Nothing was rounded.");
        using var automatic = data.Fit(options with { Precision = Precision.Auto, Epochs = 1 });
        using var loaded = (PrefixClipTransformer)new SavedModel(rounded).Load(out _);
        loaded.Trained.Lend(network =>
        {
            Assert.AreEqual(DeviceType.CUDA, network.Device.type);
            Assert.AreEqual(ScalarType.BFloat16, network.Weights.First(w => w.Key == "text_projection").Value.dtype);
        });
        CollectionAssert.AreEqual(rounded.EncodeTexts(["a red square"])[0], loaded.EncodeTexts(["a red square"])[0]);
    }

    [TestMethod]
    [DataRow("Swin")]
    [DataRow("ViT")]
    public void Gradients_OnAGpu_AreTheProcessors(string tower)
    {
        using var scope = NewDisposeScope();
        var isSwin = tower == "Swin";
        var shape = new ClipModelShape(isSwin ? SwinModel.Architecture : SmallModel.Architecture, 30, 2, 1, isSwin ? 0 : 1);
        using var onProcessor = ClipModel.Create(shape, CPU, 7);
        using var onGpu = ClipModel.Create(shape, new Device(DeviceType.CUDA, 0), 7);
        var (images, ids, types) = FusedTowerTests.Batch(shape, 6, 9);
        var expected = FusedTowerTests.Gradients(onProcessor, images, ids, types);
        var actual = FusedTowerTests.Gradients(onGpu, images.cuda(), ids, types);
        foreach (var (name, gradient) in expected.Gradients)
        {
            var error = (actual.Gradients[name].cpu() - gradient).abs().max().ToDouble();
            Assert.IsLessThan(1e-4 * Math.Max(1e-2, gradient.abs().max().ToDouble()), error, name);
        }
    }
}
