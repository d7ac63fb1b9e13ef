using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The fused towers at the edges: smallest and largest sizes, numbers that are none, inputs that do not fit, careless
/// callers.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class FusedTowerEdgeTests
{
    private static readonly ClipArchitecture Small = new()
    {
        ImageSize = 8, PatchSize = 4, VisionWidth = 8, VisionLayers = 2, VisionHeads = 2, ContextLength = 6,
        TextWidth = 8, TextLayers = 2, TextHeads = 2, EmbeddingSize = 8,
    };

    private static readonly Dictionary<string, ClipArchitecture> Sizes = new()
    {
        ["heads of one number"] = Small with { VisionWidth = 3, VisionHeads = 3, TextWidth = 5, TextHeads = 5 },
        ["one patch, one head"] = Small with { ImageSize = 4, VisionHeads = 1, TextHeads = 1, ContextLength = 3 },
        ["one pixel to a patch"] = Small with
        {
            ImageSize = 3,
            PatchSize = 1,
            VisionWidth = 9,
            VisionHeads = 1,
            TextWidth = 9,
            TextHeads = 1
        },
    };

    public static IEnumerable<string> SizeNames => Sizes.Keys;

    [TestMethod]
    [DynamicData(nameof(SizeNames))]
    public void BackwardOfLoss_SmallestSizes_IsThatOfThePlainWay(string size)
    {
        using var scope = NewDisposeScope();
        foreach (var prefixes in new[] { 0, 1 })
        {
            var shape = new ClipModelShape(Sizes[size], 20, 2, prefixes, prefixes);
            using ClipModel plain = ClipModel.Create(shape, CPU, 7, useTensorOperations: true), fused = ClipModel.Create(shape, CPU, 7);
            foreach (var count in new[] { 2, 5 })
            {
                var (images, ids, types) = FusedTowerTests.Batch(shape, count, Sizes[size].ContextLength);
                ids[0, 0] = 19;   // a text that is its end token alone
                var (expected, actual) = (FusedTowerTests.Gradients(plain, images, ids, types),
                    FusedTowerTests.Gradients(fused, images, ids, types));
                FusedTowerTests.AreClose(expected.Images, actual.Images, "images");
                FusedTowerTests.AreClose(expected.Texts, actual.Texts, "texts");
                foreach (var (weight, gradient) in expected.Gradients) FusedTowerTests.AreClose(gradient, actual.Gradients[weight], weight);
            }
        }
    }

    [TestMethod]
    [DataRow(float.NaN)]
    [DataRow(float.PositiveInfinity)]
    [DataRow(float.NegativeInfinity)]
    public void Encode_NoNumberAmongThePixels_SpoilsThatImageAlone(float value)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var shape = new ClipModelShape(Small, 20, 2, 1, 1);
        using ClipModel plain = ClipModel.Create(shape, CPU, 7, useTensorOperations: true), fused = ClipModel.Create(shape, CPU, 7);
        var (images, _, types) = FusedTowerTests.Batch(shape, 3, 6);
        images[1, 0, 5, 5] = value;   // in the last patch
        Tensor expected = plain.EncodeImages(images, types), actual = fused.EncodeImages(images, types);
        Assert.IsTrue(actual[1].isnan().all().ToBoolean() && expected[1].isnan().all().ToBoolean());
        foreach (var row in new[] { 0, 2 }) FusedTowerTests.AreClose(expected[row], actual[row], $"image {row}");
    }

    [TestMethod]
    public void Loss_WeightThatIsNoNumber_IsNoNumber()
    {
        using var scope = NewDisposeScope();
        foreach (var name in new[] { "visual.transformer.resblocks.0.mlp.c_fc.bias", "transformer.resblocks.0.attn.in_proj_bias",
            "transformer.resblocks.1.ln_2.weight" })
        {
            using var model = ClipModel.Create(new ClipModelShape(Small, 20, 2, 1, 1), CPU, 7);
            using (no_grad()) model.Weights.Single(w => w.Key == name).Value[^1] = float.NaN;
            var (images, ids, types) = FusedTowerTests.Batch(model.Shape, 3, 6);
            var (image, text) = (model.EncodeImages(images, types), model.EncodeTexts(ids, types));
            Assert.IsTrue(double.IsNaN(ContrastiveLoss.Clip(image, text, model.LogitScale.exp()).ToDouble()), name);
        }
    }

    [TestMethod]
    public void Encode_SequenceThatIsTooLong_IsLeftToLibtorch()
    {
        using var scope = NewDisposeScope();
        var architecture = Small with { PatchSize = 1, VisionWidth = 2, VisionHeads = 1, VisionLayers = 1 };
        foreach (var (size, fits) in new[] { (90, true), (91, false) })   // 8,101 and 8,282 tokens
        {
            using var model = ClipModel.Create(new ClipModelShape(architecture with { ImageSize = size }, 20, 2, 0, 0), CPU, 7);
            Assert.AreEqual(fits, model.Vision.Stack!.IsFused(size * size + 1));
            DataTestRows.Equal<long>([1, 8], model.EncodeImages(zeros(1, 3, size, size), null).shape);
        }
    }

    [TestMethod]
    public void Encode_InputThatDoesNotFit_IsAnError()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = ClipModel.Create(new ClipModelShape(Small, 20, 2, 1, 1), CPU, 7);
        var types = tensor(new long[] { 0 });
        foreach (var images in new[] { zeros(1, 3, 12, 12), zeros(1, 3, 8, 4), zeros(1, 3, 4, 8), zeros(1, 1, 8, 8) })
            StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => model.EncodeImages(images, types)).Message,
                $"Images are [{string.Join(", ", images.shape)}]; this model takes [N, 3, 8, 8].");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() =>
            model.EncodeTexts(tensor(new long[,] { { 1, 2, 3, 4, 5, 6, 19 } }), types)).Message,
            "A text has 7 tokens; this model takes at most 6.");
        foreach (var type in new long[] { -1, 2 })
        {
            var message = $"A dataset type is {type}; this model has 2, counted from 0.";
            StringAssert.Contains(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() =>
                model.EncodeImages(zeros(1, 3, 8, 8), tensor(new[] { type }))).Message, message);
            StringAssert.Contains(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() =>
                model.EncodeTexts(tensor(new long[,] { { 1, 19 } }), tensor(new[] { type }))).Message, message);
        }
    }

    [TestMethod]
    public void Encode_NoImages_GivesNoEmbeddings()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = ClipModel.Create(new ClipModelShape(Small, 20, 2, 0, 0), CPU, 7);
        DataTestRows.Equal<long>([0, 8], model.EncodeImages(zeros(0, 3, 8, 8), null).shape);
        Assert.AreEqual(1, model.EncodeImages(zeros(1, 3, 8, 8), null).shape[0], "memory of no image serves one");
    }

    [TestMethod]
    public void Backward_OfOneForwardPassTwice_IsAnErrorAndSpoilsNoOther()
    {
        using var scope = NewDisposeScope();
        var shape = new ClipModelShape(Small, 20, 2, 0, 0);
        using var model = ClipModel.Create(shape, CPU, 7);
        var (images, _, _) = FusedTowerTests.Batch(shape, 4, 6);
        var weight = model.Weights.Single(w => w.Key == "visual.conv1.weight").Value;
        model.Backward(model.EncodeImages(images, null), ones(4, 8));
        var expected = weight.grad!.clone();
        weight.grad = null;

        var careless = model.EncodeImages(images, null);
        careless.backward([ones(4, 8)], retain_graph: true);
        weight.grad = null;
        Tensor first = model.EncodeImages(images, null), second = model.EncodeImages(images * 2 + 1, null);
        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => model.Backward(careless, ones(4, 8))).Message,
            "Encode the batch again.");
        weight.grad = null;
        model.Backward(first, ones(4, 8));

        FusedTowerTests.AreClose(expected, weight.grad!, "gradient of the first");
        model.Backward(second, ones(4, 8));
    }

    [TestMethod]
    public void Backward_FrozenInputOrBlocks_ReachesWhatIsTrained()
    {
        using var scope = NewDisposeScope();
        var shape = new ClipModelShape(Small, 20, 2, 1, 1);
        using ClipModel plain = ClipModel.Create(shape, CPU, 7, useTensorOperations: true), fused = ClipModel.Create(shape, CPU, 7);
        var (images, ids, types) = FusedTowerTests.Batch(shape, 4, 6);
        foreach (var isTrained in new Func<string, bool>[]
        {
            n => n.Contains("resblocks.1", StringComparison.Ordinal), n => !n.Contains("resblocks", StringComparison.Ordinal),
            n => n.Contains("prefix", StringComparison.Ordinal), n => n == "logit_scale", n =>
                n.Contains("ln_final", StringComparison.Ordinal),
        })
        {
            foreach (var model in new[] { plain, fused })
                foreach (var (name, weight) in model.Weights) weight.requires_grad = isTrained(name) || name == "logit_scale";
            var (expected, actual) = (FusedTowerTests.Gradients(plain, images, ids, types),
                FusedTowerTests.Gradients(fused, images, ids, types));
            CollectionAssert.AreEquivalent(expected.Gradients.Keys, actual.Gradients.Keys);
            foreach (var (weight, gradient) in expected.Gradients) FusedTowerTests.AreClose(gradient, actual.Gradients[weight], weight);
        }
    }

    [TestMethod]
    public void Encode_ManyThreads_IsAsOneByOne()
    {
        using var scope = NewDisposeScope();
        using var model = ClipModel.Create(new ClipModelShape(Small, 20, 2, 1, 1), CPU, 7);
        float[] Encode(int count)
        {
            using var inner = NewDisposeScope();
            using var noGrad = no_grad();
            var (images, ids, types) = FusedTowerTests.Batch(model.Shape, count, 6);
            return cat([model.EncodeImages(images, types), model.EncodeTexts(ids, types)], 1).data<float>().ToArray();
        }
        var expected = Enumerable.Range(1, 16).Select(Encode).ToArray();
        var actual = new float[16][];
        var threads = Enumerable.Range(0, 16).Select(i => new Thread(() => actual[i] = Encode(i + 1))).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        for (var i = 0; i < 16; i++) TinyGolden.AreClose(tensor(expected[i]), tensor(actual[i]), 1e-6, $"{i + 1} rows");
    }
}
