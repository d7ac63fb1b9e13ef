using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass, TestCategory(Numeric.Category)]
public sealed class VisionPrefixTests
{
    [TestMethod]
    public void Forward_WithPrefix_HasTheShapeAndDependsOnTheType()
    {
        using var scope = NewDisposeScope();
        using var model = SmallModel.CreateWithLargePrefixes(prefixLength: 0, imagePrefixLength: 3);
        var images = SmallModel.Images(4);
        var first = model.Vision.Forward(images, zeros([4], ScalarType.Int64));
        DataTestRows.Equal<long>([4, 8], first.shape);
        Assert.IsGreaterThan(1e-3, (first - model.Vision.Forward(images, ones([4], ScalarType.Int64))).abs().max().ToDouble());
        var mixed = model.Vision.Forward(images, tensor(new long[] { 0, 1, 1, 0 }));
        TinyGolden.AreClose(first.narrow(0, 3, 1), mixed.narrow(0, 3, 1), 1e-6, "a row's type is its own");
    }

    [TestMethod]
    public void Forward_PrefixModelWithoutTypes_EqualsAPlainModel()
    {
        using var scope = NewDisposeScope();
        using var plain = SmallModel.Create(prefixLength: 0);
        using var prefixed = SmallModel.Create(prefixLength: 0, imagePrefixLength: 2);
        using (no_grad())
            foreach (var (name, weight) in plain.Weights) prefixed.Weights.Single(w => w.Key == name).Value.copy_(weight);
        TinyGolden.AreClose(plain.Vision.Forward(SmallModel.Images(2), null), prefixed.Vision.Forward(SmallModel.Images(2), null), 1e-7,
            "no prefix");
    }

    [TestMethod]
    public void Forward_NeutralPrefix_PoolsAtTheClassToken()
    {
        using var scope = NewDisposeScope();
        using var model = SmallModel.Create(prefixLength: 0, imagePrefixLength: 2);
        var weights = model.Weights.ToDictionary(w => w.Key, w => w.Value);
        using (no_grad())
            // Without attention a position depends on itself alone: the result shows which one is pooled.
            foreach (var name in new[] { "attn.out_proj.weight",
                "attn.out_proj.bias" }) weights[$"visual.transformer.resblocks.0.{name}"].zero_();
        var images = SmallModel.Images(2);
        TinyGolden.AreClose(model.Vision.Forward(images, null), model.Vision.Forward(images, tensor(new long[] { 0, 1 })), 1e-6,
            "pooled position");
    }

    [TestMethod]
    public void Backward_OneTypeUsed_ReachesItsRowsOnly()
    {
        using var scope = NewDisposeScope();
        using var model = SmallModel.Create(prefixLength: 2, imagePrefixLength: 2);
        var types = ones([3], ScalarType.Int64);
        var ids = TokenBatch.Pad([SmallModel.Tokenizer.Encode("red", 16), SmallModel.Tokenizer.Encode("a blue disc", 16),
            SmallModel.Tokenizer.Encode("disc", 16)]).ToTensor(CPU);
        ContrastiveLoss.Clip(model.EncodeImages(SmallModel.Images(3), types), model.EncodeTexts(ids, types),
            model.LogitScale.exp()).backward();
        foreach (var name in new[] { "visual.prefix_embedding", "prefix_embedding" })
        {
            var gradient = model.Weights.Single(w => w.Key == name).Value.grad!;
            Assert.AreEqual(0, gradient[0].abs().max().ToDouble(), $"{name}: the unused type");
            Assert.IsGreaterThan(0, gradient[1][0].abs().max().ToDouble(), $"{name}: the used type's first token");
            Assert.IsGreaterThan(0, gradient[1][1].abs().max().ToDouble(), $"{name}: the used type's second token");
        }
    }
}
