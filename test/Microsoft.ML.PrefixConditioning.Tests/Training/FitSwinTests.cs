using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Training with a Swin as the vision tower, on drawings of 16 x 16 pixels.</summary>
[TestClass]
public sealed class FitSwinTests
{
    private static readonly PrefixClipOptions Options = DrawnData.Options with { Architecture = SwinModel.Architecture };

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void Fit_Swin_LossFallsAndTheModelTellsClassesApart()
    {
        using var data = new DrawnData();
        TestContext.WriteLine($"seed {Options.Seed}");
        using var model = data.Fit(Options with { Epochs = 40, LearningRate = 1e-2, Loss = LossFunction.UniCl });
        var losses = model.History.Steps.Select(s => (double)s.Loss).ToArray();
        Assert.IsLessThan(losses.Take(8).Average() - 0.5, losses.TakeLast(8).Average());
        var scored = data.Context.Transforms.ZeroShotClassification(model,
            [.. data.Rows.Select(r => r.Label).OfType<string>().Distinct()]).Fit(data.Labeled).Transform(data.Labeled);
        Assert.IsGreaterThan(0.3, data.Context.MulticlassClassification.Evaluate(scored).MicroAccuracy, "8 classes");
    }

    [TestMethod]
    public void Fit_SameSeed_GivesBitEqualWeights()
    {
        using var data = new DrawnData();
        using PrefixClipTransformer first = data.Fit(Options), second = data.Fit(Options);
        DrawnData.AreBitEqual(DrawnData.Weights(first), DrawnData.Weights(second));
    }

    [TestMethod]
    public void Fit_FrozenLayers_StayAsTheyAre()
    {
        using var data = new DrawnData(labeled: 8, captioned: 8);
        using var trained = data.Fit(Options with
        {
            Epochs = 1,
            Optimizer = new() { WarmupSteps = 0 },
            FineTuning = new() { FrozenVisionLayers = 2 }
        });
        using var initial = ClipModel.Create(trained.Trained.Settings.Shape, CPU, SeededRandom.Derive(7, 5).NextUInt64());
        var last = DrawnData.Weights(trained);
        foreach (var (name, weight) in initial.Weights.Where(w => w.Key.StartsWith("visual.", StringComparison.Ordinal)))
        {
            // The patches, both blocks of the first stage, and what merges patches after it.
            var frozen = Enumerable.Range(0, 3).Any(i => name.StartsWith($"visual.features.{i}.", StringComparison.Ordinal));
            Assert.AreEqual(frozen, weight.bytes.ToArray().AsSpan().SequenceEqual(last[name]), name);
        }
    }

    [TestMethod]
    public void Fit_StoppedAndGoneOn_IsAsIfNotStopped()
    {
        using var data = new DrawnData();
        var options = Options with { Checkpoints = new() { Folder = data["run"], Steps = 1 } };
        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => data.Fit(options with
        {
            CancellationToken = stop.Token,
            Progress = new Reports(r =>
            {
                if (r.Step == 3) stop.Cancel();
            }),
        }));
        using PrefixClipTransformer resumed = data.Fit(options), whole = data.Fit(Options);
        DrawnData.AreBitEqual(DrawnData.Weights(whole), DrawnData.Weights(resumed));
    }

    [TestMethod]
    [DataRow("visual.features.0.0.weight", TrainableParts.Vision, 1.0 / 32)]
    [DataRow("visual.features.1.0.attn.qkv.bias", TrainableParts.Vision, 1.0 / 16)]
    [DataRow("visual.features.1.1.norm1.weight", TrainableParts.Vision, 1.0 / 8)]
    [DataRow("visual.features.2.reduction.weight", TrainableParts.Vision, 1.0 / 8)]
    [DataRow("visual.features.3.1.attn.relative_position_bias_table", TrainableParts.Vision, 1.0 / 2)]
    [DataRow("visual.norm.bias", TrainableParts.Vision, 1.0)]
    [DataRow("visual.head.weight", TrainableParts.Projections, 1.0)]
    public void RateFactor_HalfPerLayer_CountsBlocksThroughAllStages(string name, TrainableParts part, double expected)
    {
        using var model = SwinModel.Create(SwinModel.Architecture);
        Assert.AreEqual(part, model.PlaceOf(name).Part);
        Assert.AreEqual(expected, TrainingPlan.RateFactor(model.PlaceOf(name), Options.Architecture!, new() { LayerDecay = 0.5 }));
    }

    [TestMethod]
    public void Fit_ImagePrefix_IsRefused()
    {
        using var data = new DrawnData();
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => data.Fit(Options with { ImagePrefixLength = 1 })).Message,
            "ImagePrefixLength is 1; a Swin takes no prefix, so it must be 0.");
    }
}
