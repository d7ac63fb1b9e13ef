using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The fast path against the reference path: the same loss, the same gradients.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class FastPathTests
{
    private static readonly ClipModelShape Shape = new(SmallModel.Architecture, 60, 2, 2, 1);

    [TestMethod]
    public void Backward_Fast_IsThatOfTheReferencePath()
    {
        foreach (var plainTexts in new[] { true, false }) AreTheSame(true, null, true, false, null, plainTexts);
        AreTheSame(true, null, true, true, null, plainTexts: false);   // each distinct text once
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(5)]
    [DataRow(11)]
    [DataRow(12)]
    [DataRow(100)]
    public void Backward_InChunks_IsThatOfTheWholeBatch(int chunkSize)
    {
        foreach (var reference in new[] { false, true }) AreTheSame(reference, null, false, reference, chunkSize, false);
    }

    [TestMethod]
    [DynamicData(nameof(EveryTowerTests.Losses), typeof(EveryTowerTests))]
    public void Fit_PlainWayAndInChunks_TrainsTheSame(LossFunction loss)
    {
        using var data = new DrawnData();
        var options = DrawnData.Options with { Loss = loss, Optimizer = new() { GradientClipNorm = 1 }, ImagePrefixLength = 1, Epochs = 3 };
        using var fast = data.Fit(options);
        using var plain = data.Fit(options with { UseTensorOperations = true });
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
        Assert.ThrowsExactly<ArgumentException>(() => new PrefixClipOptions { ChunkSize = chunkSize }.Validate()).Message,
            $"ChunkSize is {chunkSize}");

    /// <param name="expectedReference">Whether libtorch's operations compute what is expected.</param>
    /// <param name="expectedChunk">Rows of a chunk.</param>
    /// <param name="expectedPlain">Whether every row's text is encoded, padded to the context length.</param>
    /// <param name="actualReference">The same of what is compared.</param>
    /// <param name="actualChunk">The same of what is compared.</param>
    /// <param name="plainTexts">The same of what is compared.</param>
    private static void AreTheSame(
        bool expectedReference, int? expectedChunk, bool expectedPlain, bool actualReference, int? actualChunk, bool plainTexts)
    {
        using var scope = NewDisposeScope();
        var (expectedLoss, expected) = Gradients(expectedReference, expectedChunk, expectedPlain);
        var (actualLoss, actual) = Gradients(actualReference, actualChunk, plainTexts);
        Assert.AreEqual(expectedLoss, actualLoss, 1e-5 * expectedLoss);
        CollectionAssert.AreEquivalent(expected.Keys, actual.Keys);
        foreach (var (name, gradient) in expected)
            Assert.IsLessThan(3e-5 * Math.Max(1e-3, gradient.abs().max().ToDouble()), (gradient - actual[name]).abs().max().ToDouble(),
                name);
    }

    [TestMethod]
    public void Backward_LossThatNothingComputes_SaysWhereToAddIt()
    {
        using var model = ClipModel.Create(Shape, CPU, 3);
        using var optimizer = new ClipOptimizer(model.Weights, new());
        var step = new ContrastiveStep(model, optimizer, new PrefixClipOptions { Loss = (LossFunction)99 });
        Assert.AreEqual("Nothing computes the loss 99: add it to ContrastiveStep.",
            Assert.ThrowsExactly<NotSupportedException>(() => step.Backward(Batch(plainTexts: false))).Message);
    }

    private static (double Loss, Dictionary<string, Tensor> Gradients) Gradients(bool reference, int? chunkSize, bool plainTexts)
    {
        var options = new PrefixClipOptions
        {
            Architecture = Shape.Architecture, PrefixLength = Shape.PrefixLength, ImagePrefixLength = Shape.ImagePrefixLength,
            UseTensorOperations = reference,
            ChunkSize = chunkSize,
        };
        using var model = ClipModel.Create(Shape, CPU, 3, reference);
        using var optimizer = new ClipOptimizer(model.Weights, new(), useTensorOperations: reference);
        var loss = new ContrastiveStep(model, optimizer, options).Backward(Batch(plainTexts));
        return (loss, model.Weights.Where(w => w.Value.grad is not null).ToDictionary(w => w.Key, w => w.Value.grad!.detach().clone()));
    }

    /// <summary>Twelve rows of five texts, two of which differ in their dataset type only.</summary>
    private static TrainingBatch Batch(bool plainTexts)
    {
        const int Rows = 12;
        int[][] texts = [[58, 3, 4, 59], [58, 5, 59], [58, 6, 7, 8, 9, 59], [58, 5, 59], [58, 59]];
        long[] types = [0, 1, 0, 0, 1];
        var textOfRow = Enumerable.Range(0, Rows).Select(r => r * r % 5 == 4 && r > 6 ? 3L : r % 5).ToArray();
        var tokens = TokenBatch.Pad(texts);
        if (plainTexts)
        {
            var length = Shape.Architecture.ContextLength;
            long[] ids = [.. textOfRow.SelectMany(t => texts[t].Select(id => (long)id).Concat(new long[length - texts[t].Length]))];
            (tokens, types, textOfRow) = (
                new TokenBatch(ids, Rows, length), [.. textOfRow.Select(t => types[t])],
                    [.. Enumerable.Range(0, Rows).Select(r => (long)r)]);
        }
        var random = new Random(5);
        var size = Shape.Architecture.ImageSize;
        return new TrainingBatch(
            [.. Enumerable.Range(0, Rows)], [.. Enumerable.Range(0, Rows * 3 * size * size).Select(_ => (float)random.NextDouble())],
            new BatchTexts(tokens, types, textOfRow), new long[Rows], [.. Enumerable.Range(0, Rows).Select(r => (long)(r % 2))]);
    }
}
