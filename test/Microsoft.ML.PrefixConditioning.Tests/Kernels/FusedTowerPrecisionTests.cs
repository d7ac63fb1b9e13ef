using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>
/// Sizes so small that gradients are differences of nearly equal numbers: with one hidden unit or embeddings of two numbers both ways
/// differ from each other by up to 1e-4 of a gradient. They are compared with double precision here.
/// </summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class FusedTowerPrecisionTests
{
    private const int Seeds = 6;           // every error of these is looked at
    private const int ComparedSeeds = 40;  // the ratio of both ways' errors: with six, one hard seed makes it 0.5 or 2 by chance

    // Of the largest gradient, in whose size every one is computed. The plain way is off by up to 4e-6; a fault would be off by far more.
    private const double Rounding = 1e-5;

    [TestMethod]
    [DataRow(0.125, 2, 8, DisplayName = "one hidden unit, embeddings of two numbers")]
    [DataRow(0.125, 8, 8, DisplayName = "one hidden unit")]
    [DataRow(4, 2, 8, DisplayName = "embeddings of two numbers")]
    [DataRow(0.1, 2, 15, DisplayName = "one hidden unit, odd width")]
    public void BackwardOfLoss_HardlyAnyUnits_IsAsNearToDoublePrecisionAsThePlainWay(double ratio, int embedding, int width)
    {
        using var scope = NewDisposeScope();
        var architecture = new ClipArchitecture
        {
            ImageSize = 8, PatchSize = 4, VisionWidth = width, VisionLayers = 2, VisionHeads = width % 2 == 0 ? 2 : 3, ContextLength = 6,
            TextWidth = width, TextLayers = 2, TextHeads = width % 2 == 0 ? 2 : 3, EmbeddingSize = embedding, MlpRatio = ratio,
        };
        var shape = new ClipModelShape(architecture, 20, 2, 0, 0);
        double plainErrors = 0, fusedErrors = 0;
        foreach (var count in new[] { 2, 5 })
            for (ulong seed = 1; seed <= ComparedSeeds; seed++)
            {
                using var plain = ClipModel.Create(shape, CPU, seed, useTensorOperations: true);
                using var fused = ClipModel.Create(shape, CPU, seed);
                var (images, ids, types) = FusedTowerTests.Batch(shape, count, 6);
                var truth = new DoubleTowers(plain).Gradients(images, ids);
                // At least 1: logits may lie 28 apart here, and single precision knows a probability near 1 to 6e-8 only.
                var largest = Math.Max(1, truth.Max(t => t.Value.abs().max().ToDouble()));
                foreach (var (model, isFused) in new[] { (plain, false), (fused, true) })
                {
                    var gradients = FusedTowerTests.Gradients(model, images, ids, types).Gradients;
                    Assert.HasCount(truth.Count, gradients);
                    foreach (var (name, gradient) in gradients)
                    {
                        var error = (gradient - truth[name]).abs().max().ToDouble() / largest;
                        if (seed <= Seeds) Assert.IsLessThan(Rounding, error,
                            $"seed {seed}, {count} rows, {(isFused ? "fused" : "plain")}: {name}");
                        if (isFused) fusedErrors += error * error;
                        else plainErrors += error * error;
                    }
                }
            }
        Assert.IsLessThan(2, Math.Sqrt(fusedErrors / plainErrors), "The fused way is less precise than the plain one.");
    }

    [TestMethod]
    [DataRow(ClipActivation.Gelu)]
    [DataRow(ClipActivation.QuickGelu)]
    public void Backward_EveryWidthFrom3To33OneTo3Rows_IsThatOfDoublePrecision(ClipActivation activation)
    {
        for (var width = 3; width <= 33; width++)
        {
            using var scope = NewDisposeScope();
            var heads = width % 3 == 0 ? 3 : width % 2 == 0 ? 2 : 1;
            var shape = new ClipModelShape(new ClipArchitecture
            {
                ImageSize = 6, PatchSize = 3, VisionWidth = width, VisionLayers = 2, VisionHeads = heads, ContextLength = 6,
                TextWidth = width, TextLayers = 2, TextHeads = heads, EmbeddingSize = width + 1, MlpRatio = 1.5, Activation = activation,
            }, 20, 2, 0, 0);
            using var fused = ClipModel.Create(shape, CPU, (ulong)width);
            for (var count = 1; count <= 3; count++)
            {
                var (images, ids, types) = FusedTowerTests.Batch(shape, count, 6);
                var truth = new DoubleTowers(fused).Gradients(images, ids, WeightedSum);
                var largest = Math.Max(1, truth.Max(t => t.Value.abs().max().ToDouble()));
                var gradients = FusedTowerTests.Gradients(fused, images, ids, types, loss: WeightedSum).Gradients;
                Assert.HasCount(truth.Count, gradients);
                foreach (var (name, gradient) in gradients)
                    Assert.IsLessThan(Rounding, (gradient - truth[name]).abs().max().ToDouble() / largest,
                        $"width {width}, {count} rows: {name}");
            }
        }
    }

    /// <summary>A loss that a single row has too.</summary>
    private static Tensor WeightedSum(Tensor images, Tensor texts, Tensor logitScale)
    {
        var factors = (arange(images.numel(), ScalarType.Float32) * 0.7).sin().to_type(images.dtype).view(images.shape);
        return logitScale * ((images * factors).sum() + (texts * factors).cos().sum());
    }
}
