using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class LossAdviceTests
{
    private static readonly Dictionary<string, (PrefixClipOptions Options, string Advice)> Causes = new(StringComparer.Ordinal)
    {
        ["nothing unusual"] = (new(),
            "Lower LearningRate (now 0.0005), lengthen Optimizer.WarmupSteps, or set Optimizer.GradientClipNorm to 1."),
        ["clipped already"] = (new() { Optimizer = new() { GradientClipNorm = 1 } },
            "Lower LearningRate (now 0.0005), or lengthen Optimizer.WarmupSteps."),
        ["weight decay"] = (new() { Optimizer = new() { WeightDecay = 5000 } }, "Lower Optimizer.WeightDecay (now 5e+03)."),
        ["epsilon"] = (new() { Optimizer = new() { Epsilon = 1e-30 } }, "Raise Optimizer.Epsilon (now 1e-30) to 1e-6."),
        ["loose clipping"] = (new() { Optimizer = new() { GradientClipNorm = 1e6 } },
            "Lower Optimizer.GradientClipNorm (now 1e+06) to 1."),
        ["decay and rate"] = (new() { LearningRate = 1, Optimizer = new() { WeightDecay = 10 } },
            "Lower Optimizer.WeightDecay (now 10), or lower LearningRate (now 1)."),
    };

    public static IEnumerable<string> Names => Causes.Keys;

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Diverged_Options_NamesTheUnusual(string name) =>
        Assert.AreEqual($"It failed. {Causes[name].Advice}", LossAdvice.Diverged(Causes[name].Options, "It failed.").Message);

    [TestMethod]
    public void Fit_HugeWeightDecay_AdvisesOnIt()
    {
        using var data = new DrawnData();
        var message = Assert.ThrowsExactly<InvalidOperationException>(() => data.Fit(DrawnData.Options with
        {
            Epochs = 20,
            Optimizer = new() { WeightDecay = 1e9, WarmupSteps = 0 },
        })).Message;
        StringAssert.EndsWith(message, " Lower Optimizer.WeightDecay (now 1e+09).");
    }

    [TestMethod]
    [DataRow(2.08, 300, true)]
    [DataRow(2.09, 300, true)]
    [DataRow(2.08, 250, false, DisplayName = "before the first step that counts")]
    [DataRow(2.08, 310, false, DisplayName = "between two windows")]
    [DataRow(2.0, 300, false)]
    [DataRow(2.3, 300, false)]
    public void AtChance_Losses_WarnsNearTheLogarithmOfTheBatch(double loss, int steps, bool warns)
    {
        List<TrainingStep> all = [.. Enumerable.Repeat(new TrainingStep((float)loss, 1e-3f), steps)];
        Assert.AreEqual(warns, LossAdvice.AtChance(new(), all, firstStep: 300, batchSize: 8) is not null);
    }

    // At chance one of eight texts belongs to an image: eight times the entropy of that, 3.0137.
    [TestMethod]
    [DataRow(3.014, true)]
    [DataRow(2.079, false)]
    [DataRow(10.0, false, DisplayName = "the first loss of a new model")]
    public void AtChance_SigmoidLoss_WarnsNearItsOwnChance(double loss, bool warns)
    {
        List<TrainingStep> all = [.. Enumerable.Repeat(new TrainingStep((float)loss, 1e-3f), 300)];
        var warning = LossAdvice.AtChance(new() { Loss = LossFunction.SigLip }, all, firstStep: 300, batchSize: 8);
        Assert.AreEqual(warns, warning is not null, warning);
        if (warns) StringAssert.Contains(warning, "(ln 8 + 7 ln(8/7) = 3.014)");
    }

    [TestMethod]
    [DataRow(1.0, 1, DisplayName = "a learning rate at which all collapses")]
    [DataRow(2e-3, 0)]
    public void Fit_LossThatStaysAtChance_IsWarnedOfOnce(double learningRate, int expected)
    {
        using var data = new DrawnData();
        var warnings = new List<string>();
        data.Context.Log += (_, e) => { if (e.Kind == ChannelMessageKind.Warning) warnings.Add(e.RawMessage); };
        using var model = data.Fit(DrawnData.Options with
        {
            LearningRate = learningRate,
            Epochs = 130,
            Optimizer = new() { WarmupSteps = 0, Schedule = LearningRateSchedule.Constant },
        });
        Assert.HasCount(expected, warnings, $"{string.Join('\n', warnings)} {model.History.Steps[^1].Loss}");
        if (expected > 0) StringAssert.Contains(warnings[0], "that of guessing among 8 rows (ln 8 = 2.079)");
    }
}
