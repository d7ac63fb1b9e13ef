using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass, TestCategory(Numeric.Category)]
public sealed class ClipOptimizerTests
{
    private const double Rate = 3e-3, Beta1 = 0.9, Beta2 = 0.98, Epsilon = 1e-6, Decay = 0.2;

    /// <summary>Weights of odd sizes, one longer than a work item; names decide on the decay.</summary>
    private static KeyValuePair<string, Tensor>[] Weights()
    {
        using var generator = new Generator(11, CPU);
        Tensor New(params long[] shape) => randn(shape, generator: generator).requires_grad_();
        return
        [
            new("matrix.weight", New(3, 5)), new("long.weight", New(1, 32768 * 2 + 13)), new("odd.weight", New(17, 1)), new("bias", New(7)),
            new("prefix_embedding", New(2, 1, 9)), new("one", New(1)), new("logit_scale", tensor(2.5f).requires_grad_()),
        ];
    }

    private static Dictionary<string, Tensor> Gradients(IEnumerable<KeyValuePair<string, Tensor>> weights, ulong step)
    {
        using var generator = new Generator(1000 + step, CPU);
        return weights.ToDictionary(w => w.Key, w => randn(w.Value.shape, generator: generator) * (step + 1));
    }

    private static ClipOptimizer Create(KeyValuePair<string, Tensor>[] weights, UpdateMethod method, double? clipNorm = null) =>
        new(weights, new() { GradientClipNorm = clipNorm }) { Method = method };

    [TestMethod]
    [DataRow("Fused", null)]
    [DataRow("Tensors", null)]
    [DataRow("Fused", 1.0)]
    [DataRow("Tensors", 1.0)]
    [DataRow("Fused", 1e6)]
    public void Step_SeveralSteps_EqualsTorch(string method, double? clipNorm)
    {
        using var scope = NewDisposeScope();
        var weights = Weights();
        var references = weights.ToDictionary(w => w.Key, w => new TorchSharp.Modules.Parameter(w.Value.detach().clone()));
        using var optimizer = Create(weights, Enum.Parse<UpdateMethod>(method), clipNorm);
        string[] decayed = ["matrix.weight", "long.weight", "odd.weight"];
        using var withDecay = optim.AdamW(references.Where(r => decayed.Contains(r.Key)).Select(r => r.Value), Rate, Beta1, Beta2, Epsilon,
            Decay);
        using var withoutDecay = optim.AdamW(references.Where(r => !decayed.Contains(r.Key)).Select(r => r.Value), Rate, Beta1, Beta2,
            Epsilon, 0);
        for (var step = 0UL; step < 5; step++)
        {
            foreach (var (name, gradient) in Gradients(weights, step))
            {
                weights.Single(w => w.Key == name).Value.grad = gradient.clone();
                references[name].grad = gradient.clone();
            }
            var expectedNorm = Math.Sqrt(references.Values.Sum(r => r.grad!.pow(2).sum(ScalarType.Float64).ToDouble()));
            if (clipNorm is { } most) nn.utils.clip_grad_norm_(references.Values, most);
            withDecay.step();
            withoutDecay.step();
            var norm = optimizer.Step(Rate);
            if (clipNorm is null) Assert.IsNull(norm);
            else Assert.AreEqual(expectedNorm, norm!.Value, 1e-5 * expectedNorm);
            // 1e-6: rounding of a few fp32 operations on values near 1.
            foreach (var (name, weight) in weights) TinyGolden.AreClose(references[name], weight, 1e-6, $"{name} after step {step}");
        }
        Assert.AreEqual(5, optimizer.StepCount);
    }

    [TestMethod]
    [DataRow("Fused")]
    [DataRow("Tensors")]
    public void Step_WeightWithoutGradient_IsLeftAlone(string method)
    {
        using var scope = NewDisposeScope();
        var weights = Weights();
        var before = weights.ToDictionary(w => w.Key, w => w.Value.detach().clone());
        using var optimizer = Create(weights, Enum.Parse<UpdateMethod>(method));
        weights[0].Value.grad = ones_like(weights[0].Value);
        optimizer.Step(Rate);
        Assert.IsGreaterThan(1e-4, (before["matrix.weight"] - weights[0].Value).abs().max().ToDouble());
        foreach (var (name, weight) in weights.Skip(1)) TinyGolden.AreClose(before[name], weight, 0, name);
    }

    [TestMethod]
    public void Step_Done_LeavesGradientsOfZero()
    {
        using var scope = NewDisposeScope();
        var weights = Weights();
        using var optimizer = Create(weights, UpdateMethod.Fused);
        foreach (var (_, weight) in weights) weight.grad = ones_like(weight);
        optimizer.Step(Rate);
        foreach (var (name, weight) in weights) Assert.AreEqual(0, weight.grad!.abs().sum().ToDouble(), name);
    }

    [TestMethod]
    [DataRow("Fused", 4.6f, -1f, 4.605170185988092)]
    [DataRow("Tensors", 4.6f, -1f, 4.605170185988092)]
    [DataRow("Fused", 0.005f, 1f, 0.0)]
    [DataRow("Tensors", 0.005f, 1f, 0.0)]
    public void Step_LogitScaleBeyondItsLimits_IsClamped(string method, float start, float gradient, double expected)
    {
        using var scope = NewDisposeScope();
        var scale = tensor(start).requires_grad_();
        using var optimizer = Create([new("logit_scale", scale)], Enum.Parse<UpdateMethod>(method));
        scale.grad = tensor(gradient);
        optimizer.Step(0.1);
        Assert.AreEqual(expected, scale.ToDouble(), 1e-6);
        Assert.IsTrue(scale.exp().ToSingle() <= 100f, "the scale itself is at most 100, also when it is rounded");
    }

    [TestMethod]
    public void State_CopiedIntoAFreshOptimizer_GoesOnTheSame()
    {
        using var scope = NewDisposeScope();
        KeyValuePair<string, Tensor>[] first = Weights(), second = Weights();
        void Step(ClipOptimizer optimizer, KeyValuePair<string, Tensor>[] weights, ulong step)
        {
            foreach (var (name, gradient) in Gradients(weights, step)) weights.Single(w => w.Key == name).Value.grad = gradient;
            optimizer.Step(Rate);
        }
        using var one = Create(first, UpdateMethod.Fused);
        for (var step = 0UL; step < 6; step++) Step(one, first, step);

        using var before = Create(second, UpdateMethod.Fused);
        for (var step = 0UL; step < 3; step++) Step(before, second, step);
        using var after = Create(second, UpdateMethod.Fused);
        var saved = before.State.ToDictionary(s => s.Key, s => s.Value);
        Assert.HasCount(2 * second.Length, saved);
        Assert.IsTrue(saved.Keys.All(k =>
            k.StartsWith(ClipOptimizer.FirstMomentPrefix, StringComparison.Ordinal)
            || k.StartsWith(ClipOptimizer.SecondMomentPrefix, StringComparison.Ordinal)));
        foreach (var (name, moment) in after.State) moment.copy_(saved[name]);
        after.StepCount = before.StepCount;
        for (var step = 3UL; step < 6; step++) Step(after, second, step);
        foreach (var ((name, a), (_, b)) in first.Zip(second)) CollectionAssert.AreEqual(a.bytes.ToArray(), b.bytes.ToArray(), name);
    }

    [TestMethod]
    public void Dispose_AfterSteps_LeavesNoTensor()
    {
        using var scope = NewDisposeScope();
        var weights = Weights();
        var before = LiveTensors.Count();
        var optimizer = Create(weights, UpdateMethod.Fused, clipNorm: 1);
        for (var step = 0; step < 3; step++)
        {
            using var gradients = NewDisposeScope();
            foreach (var (_, weight) in weights) weight.grad = ones_like(weight);
            optimizer.Step(Rate);
        }
        optimizer.Dispose();
        Assert.AreEqual(before, LiveTensors.Count());
    }
}
