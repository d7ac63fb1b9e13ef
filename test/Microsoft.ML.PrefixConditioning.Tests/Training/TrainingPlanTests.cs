using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class TrainingPlanTests
{
    // 3 blocks in each tower
    private static readonly PrefixClipOptions Options = new()
    {
        Architecture = TinyGolden.Architecture(ClipActivation.Gelu),
        ImagePrefixLength = 1
    };

    private static WeightPlace PlaceOf(string name)
    {
        using var model = ClipModel.CreateUnset(new ClipModelShape(Options.Architecture!, 520, 2, 1, 1), new Device(DeviceType.META));
        return model.PlaceOf(name);
    }

    [TestMethod]
    [DataRow("visual.conv1.weight", TrainableParts.Vision)]
    [DataRow("visual.ln_post.bias", TrainableParts.Vision)]
    [DataRow("visual.proj", TrainableParts.Projections)]
    [DataRow("text_projection", TrainableParts.Projections)]
    [DataRow("prefix_embedding", TrainableParts.Prefixes)]
    [DataRow("visual.prefix_embedding", TrainableParts.Prefixes)]
    [DataRow("logit_scale", TrainableParts.LogitScale)]
    [DataRow("token_embedding.weight", TrainableParts.Text)]
    [DataRow("transformer.resblocks.2.ln_1.weight", TrainableParts.Text)]
    public void PartOf_Name_IsItsPart(string name, TrainableParts expected) => Assert.AreEqual(expected, PlaceOf(name).Part);

    [TestMethod]
    public void IsTrained_PartsAndLayers_FreezeWhatTheySay()
    {
        using var model = ClipModel.CreateUnset(new ClipModelShape(Options.Architecture!, 520, 2, 1, 1), new Device(DeviceType.META));
        string[] Frozen(FineTuningOptions options) =>
            [.. model.Weights.Select(w => w.Key).Where(n => !TrainingPlan.IsTrained(model.PlaceOf(n), options))];
        Assert.IsEmpty(Frozen(new()));
        var onlyPrefixes = Frozen(new() { TrainableParts = TrainableParts.Prefixes });
        CollectionAssert.AreEquivalent((string[])["prefix_embedding", "visual.prefix_embedding"], model.Weights.Select(w => w.Key).Except(
            onlyPrefixes).ToArray());
        var one = Frozen(new() { FrozenVisionLayers = 1 });
        Assert.IsTrue(one.All(n =>
            n is "visual.conv1.weight" or "visual.class_embedding" or "visual.positional_embedding"
                or "visual.ln_pre.weight" or "visual.ln_pre.bias"
            || n.StartsWith("visual.transformer.resblocks.0.", StringComparison.Ordinal)));
        Assert.HasCount(17, one);
        var text = Frozen(new() { FrozenTextLayers = 3 });
        Assert.HasCount(2 + 3 * 12, text);
        Assert.DoesNotContain("ln_final.weight", text);
    }

    [TestMethod]
    [DataRow("visual.class_embedding", 0.0625)]
    [DataRow("visual.transformer.resblocks.0.ln_1.bias", 0.125)]
    [DataRow("visual.transformer.resblocks.2.ln_1.bias", 0.5)]
    [DataRow("visual.ln_post.weight", 1.0)]
    [DataRow("token_embedding.weight", 0.0625)]
    [DataRow("transformer.resblocks.1.mlp.c_fc.weight", 0.25)]
    [DataRow("ln_final.weight", 1.0)]
    [DataRow("text_projection", 1.0)]
    [DataRow("logit_scale", 1.0)]
    [DataRow("prefix_embedding", 10.0)]
    public void RateFactor_HalfPerLayer_FollowsTheFormula(string name, double expected) =>
        Assert.AreEqual(expected,
            TrainingPlan.RateFactor(PlaceOf(name), Options.Architecture!, new() { LayerDecay = 0.5, PrefixLearningRateFactor = 10 }));

    [TestMethod]
    public void Apply_NothingLeft_SaysWhatToChange()
    {
        using var model = SmallModel.Create(prefixLength: 0);
        var error = Assert.ThrowsExactly<ArgumentException>(
            () => TrainingPlan.Apply(model, new() { TrainableParts = TrainableParts.Prefixes }));
        Assert.AreEqual("FineTuning leaves nothing to train: TrainableParts is Prefixes, FrozenVisionLayers 0 and FrozenTextLayers 0. " +
            "Name more parts, or freeze fewer layers.", error.Message);
    }

    [TestMethod]
    [DataRow("Fused")]
    [DataRow("Tensors")]
    public void Step_RateFactor_EqualsAnotherLearningRate(string method)
    {
        using var scope = NewDisposeScope();
        Tensor[] weights = [.. Enumerable.Range(0, 2).Select(_ => arange(12, ScalarType.Float32).view(3, 4).clone().requires_grad_())];
        using var factor = new ClipOptimizer([new("w", weights[0])], new(), _ =>
            0.25)
        { Method = Enum.Parse<UpdateMethod>(method) };
        using var plain = new ClipOptimizer([new("w", weights[1])], new())
        {
            Method = Enum.Parse<UpdateMethod>(
            method)
        };
        for (var step = 0; step < 3; step++)
        {
            foreach (var weight in weights) weight.grad = full_like(weight, step + 1f);
            factor.Step(0.04);
            plain.Step(0.01);
        }
        TinyGolden.AreClose(weights[1], weights[0], 0, "weights");
    }
}
