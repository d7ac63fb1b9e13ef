using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Every saving against the plain way: the same loss, the same gradients.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class FastPathTests
{
    private static readonly ClipModelShape Shape = new(SmallModel.Architecture, 60, 2, 2, 1);

    public static IEnumerable<object[]> Paths => Enum.GetValues<FastPaths>().SelectMany(p => new object[][] { [p], [FastPaths.All & ~p] }).DistinctBy(p => p[0]);

    [TestMethod]
    [DynamicData(nameof(Paths))]
    public void Backward_AnyFastPaths_IsThatOfThePlainWay(FastPaths fastPaths) => AreTheSame(FastPaths.None, null, fastPaths, null);

    [TestMethod]
    [DataRow(1)]
    [DataRow(5)]
    [DataRow(11)]
    [DataRow(12)]
    [DataRow(100)]
    public void Backward_InChunks_IsThatOfTheWholeBatch(int chunkSize)
    {
        AreTheSame(FastPaths.All, null, FastPaths.All, chunkSize);
        AreTheSame(FastPaths.None, null, FastPaths.None, chunkSize);
    }

    [TestMethod]
    [DataRow(LossFunction.Clip)]
    [DataRow(LossFunction.UniCl)]
    public void Fit_PlainWayAndInChunks_TrainsTheSame(LossFunction loss)
    {
        using var data = new DrawnData();
        var options = DrawnData.Options with { Loss = loss, GradientClipNorm = 1, ImagePrefixLength = 1, Epochs = 3 };
        using var fast = data.Fit(options);
        using var plain = data.Fit(options with { FastPaths = FastPaths.None });
        using var chunked = data.Fit(options with { ChunkSize = 3 });
        for (var step = 0; step < fast.History.Steps.Count; step++)
        {
            var expected = plain.History.Steps[step].Loss;
            Assert.AreEqual(expected, fast.History.Steps[step].Loss, 1e-4 * expected, $"step {step}");
            Assert.AreEqual(expected, chunked.History.Steps[step].Loss, 1e-4 * expected, $"step {step} in chunks");
        }
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(-3)]
    public void Validate_ChunkSizeBelowOne_IsAnError(int chunkSize) => StringAssert.Contains(
        Assert.ThrowsExactly<ArgumentException>(() => new PrefixClipOptions { ChunkSize = chunkSize }.Validate()).Message, $"ChunkSize is {chunkSize}");

    [TestMethod]
    public void Validate_UnknownFastPath_IsAnError() => StringAssert.Contains(
        Assert.ThrowsExactly<ArgumentException>(() => new PrefixClipOptions { FastPaths = (FastPaths)64 }.Validate()).Message, "FastPaths is 64");

    private static void AreTheSame(FastPaths expectedPaths, int? expectedChunk, FastPaths actualPaths, int? actualChunk, ClipModelShape? shape = null)
    {
        using var scope = NewDisposeScope();
        var (expectedLoss, expected) = Gradients(expectedPaths, expectedChunk, shape ?? Shape);
        var (actualLoss, actual) = Gradients(actualPaths, actualChunk, shape ?? Shape);
        Assert.AreEqual(expectedLoss, actualLoss, 1e-5 * expectedLoss);
        CollectionAssert.AreEquivalent(expected.Keys, actual.Keys);
        foreach (var (name, gradient) in expected)
            Assert.IsLessThan(3e-5 * Math.Max(1e-3, gradient.abs().max().ToDouble()), (gradient - actual[name]).abs().max().ToDouble(), name);
    }

    private static (double Loss, Dictionary<string, Tensor> Gradients) Gradients(
        FastPaths fastPaths, int? chunkSize, ClipModelShape shape)
    {
        var options = new PrefixClipOptions
        {
            Architecture = shape.Architecture, PrefixLength = shape.PrefixLength, ImagePrefixLength = shape.ImagePrefixLength, FastPaths = fastPaths, ChunkSize = chunkSize,
        };
        using var model = ClipModel.Create(shape, CPU, 3, fastPaths);
        using var optimizer = new ClipOptimizer(model.Weights, 0.9, 0.98, 1e-6, 0.2, null, fastPaths: fastPaths);
        var loss = new ContrastiveStep(model, optimizer, options).Backward(Batch(fastPaths));
        return (loss, model.Weights.Where(w => w.Value.grad is not null).ToDictionary(w => w.Key, w => w.Value.grad!.detach().clone()));
    }

    /// <summary>Twelve rows of five texts, two of which differ in their dataset type only.</summary>
    private static TrainingBatch Batch(FastPaths fastPaths)
    {
        const int Rows = 12;
        int[][] texts = [[58, 3, 4, 59], [58, 5, 59], [58, 6, 7, 8, 9, 59], [58, 5, 59], [58, 59]];
        long[] types = [0, 1, 0, 0, 1];
        var textOfRow = Enumerable.Range(0, Rows).Select(r => r * r % 5 == 4 && r > 6 ? 3L : r % 5).ToArray();
        if (!fastPaths.HasFlag(FastPaths.DistinctTexts))
            (texts, types, textOfRow) = ([.. textOfRow.Select(t => texts[t])], [.. textOfRow.Select(t => types[t])], [.. Enumerable.Range(0, Rows).Select(r => (long)r)]);
        var random = new Random(5);
        var size = Shape.Architecture.ImageSize;
        return new TrainingBatch([.. Enumerable.Range(0, Rows)], [.. Enumerable.Range(0, Rows * 3 * size * size).Select(_ => (float)random.NextDouble())],
            new BatchTexts(TokenBatch.Pad(texts, fastPaths.HasFlag(FastPaths.TrimmedTexts) ? 0 : Shape.Architecture.ContextLength), types, textOfRow),
            new long[Rows], [.. Enumerable.Range(0, Rows).Select(r => (long)(r % 2))]);
    }
}
