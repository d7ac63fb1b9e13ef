using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The fused towers against the plain ones: the same embeddings and the same gradients on random inputs.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class FusedTowerTests
{
    // Odd sizes on purpose: heads of 5 and 12 numbers, hidden layers that no vector width divides, one-block towers.
    private static readonly ClipArchitecture Odd = new()
    {
        ImageSize = 12, PatchSize = 4, VisionWidth = 15, VisionLayers = 3, VisionHeads = 3, ContextLength = 11,
        TextWidth = 36, TextLayers = 2, TextHeads = 3, EmbeddingSize = 10, MlpRatio = 1.7, Activation = ClipActivation.QuickGelu,
    };

    private static readonly ClipArchitecture Even = new()
    {
        ImageSize = 32, PatchSize = 8, VisionWidth = 64, VisionLayers = 2, VisionHeads = 2, ContextLength = 20,
        TextWidth = 32, TextLayers = 1, TextHeads = 2, EmbeddingSize = 16,
    };

    public static IEnumerable<object[]> Shapes =>
    [
        ["odd, prefixes", new ClipModelShape(Odd, 50, 3, 2, 1)],
        ["odd, no prefixes", new ClipModelShape(Odd, 50, 2, 0, 0)],
        ["even, prefixes", new ClipModelShape(Even, 50, 2, 1, 3)],
    ];

    [TestMethod]
    [DynamicData(nameof(Shapes))]
    public void BackwardOfLoss_RandomBatch_IsThatOfThePlainWay(string name, object shape)
    {
        using var scope = NewDisposeScope();
        using var plain = ClipModel.Create((ClipModelShape)shape, CPU, 7, useTensorOperations: true);
        using var fused = ClipModel.Create((ClipModelShape)shape, CPU, 7);
        foreach (var (batch, length) in new[] { (6, 11), (6, 5), (40, 9) })
        {
            var (images, ids, types) = Batch((ClipModelShape)shape, batch, length);
            var expected = Gradients(plain, images, ids, types);
            var actual = Gradients(fused, images, ids, types);
            AreClose(expected.Images, actual.Images, $"{name}: image embeddings");
            AreClose(expected.Texts, actual.Texts, $"{name}: text embeddings");
            foreach (var (weight, gradient) in expected.Gradients) AreClose(gradient, actual.Gradients[weight],
                $"{name}: gradient of {weight}");
        }
    }

    [TestMethod]
    public void Encode_WithoutGradients_IsThatOfThePlainWay()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        foreach (var shape in Shapes.Select(s => (ClipModelShape)s[1]))
        {
            using var plain = ClipModel.Create(shape, CPU, 7, useTensorOperations: true);
            using var fused = ClipModel.Create(shape, CPU, 7).Freeze();
            foreach (var (batch, length) in new[] { (1, 3), (33, 11), (2, 6) })
            {
                var (images, ids, types) = Batch(shape, batch, length);
                AreClose(plain.EncodeImages(images, types), fused.EncodeImages(images, types), "images");
                AreClose(plain.EncodeTexts(ids, types), fused.EncodeTexts(ids, types), "texts");
                AreClose(plain.EncodeTexts(ids, null), fused.EncodeTexts(ids, null), "texts without prefix");
            }
        }
    }

    [TestMethod]
    public void Backward_Twice_AddsUp()
    {
        using var scope = NewDisposeScope();
        var shape = new ClipModelShape(Even, 50, 2, 1, 1);
        using var model = ClipModel.Create(shape, CPU, 7);
        var (images, ids, types) = Batch(shape, 5, 8);
        var once = Gradients(model, images, ids, types).Gradients;
        var twice = Gradients(model, images, ids, types, clear: false).Gradients;
        foreach (var (weight, gradient) in once) AreClose(gradient * 2, twice[weight], weight);
    }

    [TestMethod]
    public void Freeze_AfterSteps_LeavesTheWeightsAlone()
    {
        var before = LiveTensors.Count();
        using (var model = ClipModel.Create(new ClipModelShape(Even, 50, 2, 1, 1), CPU, 7))
        {
            using (NewDisposeScope())
            using (no_grad())
            {
                var (images, ids, types) = Batch(model.Shape, 5, 8);
                model.EncodeImages(images, types);
                model.EncodeTexts(ids, types);
            }
            model.Freeze();
            var untouched = LiveTensors.Count();   // the weights, and the views of them that the blocks keep
            foreach (var (_, weight) in model.Weights) weight.requires_grad = true;
            using (NewDisposeScope())
            {
                var (images, ids, types) = Batch(model.Shape, 5, 8);
                Gradients(model, images, ids, types);
                Gradients(model, images, ids, types, clear: false);
            }
            model.Freeze();
            Assert.AreEqual(untouched, LiveTensors.Count());
            foreach (var (name, weight) in model.Weights) Assert.IsNull(weight.grad, name);
        }
        Assert.AreEqual(before, LiveTensors.Count());
    }

    [TestMethod]
    public void Freeze_ThenTrainedFurther_EncodesWithTheNewWeights()
    {
        using var scope = NewDisposeScope();
        var shape = new ClipModelShape(Even, 50, 2, 1, 1);
        using ClipModel plain = ClipModel.Create(shape, CPU, 7, useTensorOperations: true), fused = ClipModel.Create(shape, CPU, 7);
        var (images, ids, types) = Batch(shape, 5, 8);
        using (no_grad()) fused.Freeze().EncodeImages(images, types);   // keeps packed weights from here on
        foreach (var (_, weight) in fused.Weights) weight.requires_grad = true;
        Gradients(fused, images, ids, types);
        using (no_grad())
            foreach (var model in new[] { plain, fused })
                foreach (var (_, weight) in model.Weights) weight.add_(weight.sin());
        using (no_grad()) AreClose(plain.EncodeImages(images, types), fused.Freeze().EncodeImages(images, types), "images");
    }

    [TestMethod]
    public void EncodeTexts_IdOutsideTheVocabulary_IsAnError()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = ClipModel.Create(new ClipModelShape(Even, 50, 2, 1, 1), CPU, 7);
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() =>
            model.EncodeTexts(tensor(new long[,] { { 1, 50 } }), null)).Message, "50");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => model.EncodeTexts(tensor(new long[,] { { -1, 49 } }), null));
    }

    internal static (Tensor Images, Tensor Ids, Tensor Types) Batch(ClipModelShape shape, int count, int length)
    {
        var random = new Random(count);
        var size = shape.Architecture.ImageSize;
        var pixels = Enumerable.Range(0, count * 3 * size * size).Select(_ => (float)(random.NextDouble() * 4 - 2)).ToArray();
        var ids = new long[count * length];
        for (var row = 0; row < count; row++)
        {
            var end = random.Next(1, length);   // start token, words, end token, padding
            for (var i = 0; i < end; i++) ids[row * length + i] = i == 0 ? shape.VocabularySize - 2
                : random.Next(1, shape.VocabularySize - 2);
            ids[row * length + end] = shape.VocabularySize - 1;
        }
        var types = Enumerable.Range(0, count).Select(_ => (long)random.Next(shape.DatasetTypes)).ToArray();
        return (tensor(pixels, [count, 3, size, size]), tensor(ids, [count, length]), tensor(types));
    }

    internal static (Tensor Images, Tensor Texts, Dictionary<string, Tensor> Gradients) Gradients(
        ClipModel model, Tensor images, Tensor ids, Tensor types, bool clear = true, Func<Tensor, Tensor, Tensor, Tensor>? loss = null)
    {
        if (clear)
            foreach (var (_, weight) in model.Weights) weight.grad = null;
        var (image, text) = (model.EncodeImages(images, types), model.EncodeTexts(ids, types));
        (loss ?? ContrastiveLoss.Clip)(image, text, model.LogitScale.exp()).backward();
        return (image.detach().clone(), text.detach().clone(),
            model.Weights.Where(w => w.Value.grad is not null).ToDictionary(w => w.Key, w => w.Value.grad!.clone()));
    }

    internal static void AreClose(Tensor expected, Tensor actual, string what)
    {
        var scale = Math.Max(1e-3, expected.abs().max().ToDouble());
        Assert.IsLessThan(2e-5 * scale, (expected - actual).abs().max().ToDouble(), what);
    }
}
