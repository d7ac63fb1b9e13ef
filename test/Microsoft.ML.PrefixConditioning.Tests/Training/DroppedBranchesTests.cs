using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Stochastic depth of the Swin tower.</summary>
[TestClass]
public sealed class DroppedBranchesTests
{
    private const int Branches = 8;   // of SwinModel's four blocks

    private static readonly double[] Rates = SwinModel.WithDepth(0.6).Swin!.BranchRates();

    [TestMethod]
    public void Factors_NothingToLeaveOut_IsNull()
    {
        Assert.IsNull(new DroppedBranches([], 7).Factors(0, 0, 4, CPU), "another tower");
        Assert.IsNull(new DroppedBranches(SwinModel.Architecture.Swin!.BranchRates(), 7).Factors(0, 0, 4, CPU), "rate 0");
    }

    [TestMethod]
    public void Factors_ManyImages_HaveEachBranchsRateAndTheMeanOne()
    {
        using var scope = NewDisposeScope();
        const int Count = 20_000;
        var factors = new DroppedBranches(Rates, 7).Factors(3, 0, Count, CPU)!;
        DataTestRows.Equal<long>([Branches, Count], factors.shape);
        var rows = factors.data<float>().ToArray().Chunk(Count).ToArray();
        for (var branch = 0; branch < Branches; branch++)
        {
            var rate = 0.6 * (branch / 2) / 3;
            var spread = 5 * Math.Sqrt(rate * (1 - rate) / Count);
            var kept = (float)(1 / (1 - rate));
            Assert.IsTrue(rows[branch].All(f => f == 0 || f == kept), $"branch {branch}");
            Assert.AreEqual(rate, rows[branch].Count(f => f == 0) / (double)Count, spread, $"branch {branch}");
            Assert.AreEqual(1, rows[branch].Average(f => (double)f), spread * kept, $"branch {branch}");
        }
        // Branches are drawn for themselves: both of the last block are left out as often as chance has it.
        var both = rows[6].Zip(rows[7]).Count(f => f is (0, 0)) / (double)Count;
        Assert.AreEqual(0.36, both, 5 * Math.Sqrt(0.36 * 0.64 / Count));
    }

    [TestMethod]
    public void Factors_SeedStepAndPlace_DecideAlone()
    {
        using var scope = NewDisposeScope();
        float[] Of(ulong seed, int step, int first, int count) =>
            new DroppedBranches(Rates, seed).Factors(step, first, count, CPU)!.data<float>().ToArray();
        var whole = Of(7, 2, 0, 64);
        CollectionAssert.AreEqual(whole, Of(7, 2, 0, 64));
        CollectionAssert.AreEqual(whole.Chunk(64).SelectMany(branch => branch[10..30]).ToArray(), Of(7, 2, 10, 20), "a chunk");
        CollectionAssert.AreNotEqual(whole, Of(8, 2, 0, 64), "another seed");
        CollectionAssert.AreNotEqual(whole, Of(7, 3, 0, 64), "another step");
        CollectionAssert.AreNotEqual(whole, Of(7, 2, 64, 64), "other places");
    }

    [TestMethod]
    public void Forward_FactorsOfOneBranch_ActAsIfItsLastLayerWereScaled()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = Large();
        var tower = (SwinTower)model.Vision;
        var images = SmallModel.Images(4);
        var plain = tower.Forward(images, null);
        TinyGolden.AreClose(plain, tower.Forward(images, null, ones(Branches, 4)), 0, "factors of 1");
        for (var branch = 0; branch < Branches; branch++)
            foreach (var factor in new[] { 0f, 2.5f })
            {
                var factors = ones(Branches, 4);
                factors[branch, 1] = factor;
                factors[branch, 3] = factor;
                var actual = tower.Forward(images, null, factors);
                // The first stage's blocks have the weight names 1.0 and 1.1, the second's 3.0 and 3.1.
                var layer = $"visual.features.{branch / 4 * 2 + 1}.{branch / 2 % 2}.{(branch % 2 == 0 ? "attn.proj" : "mlp.3")}";
                using var scaled = Large();
                foreach (var (_, weight) in scaled.Weights.Where(w =>
                    w.Key.StartsWith($"{layer}.", StringComparison.Ordinal))) weight.mul_(factor);
                var expected = scaled.Vision.Forward(images, null);
                foreach (var row in new[] { 1, 3 }) TinyGolden.AreRelativelyClose(expected[row], actual[row], 1e-5,
                    $"branch {branch}, row {row}");
                foreach (var row in new[] { 0, 2 }) TinyGolden.AreRelativelyClose(plain[row], actual[row], 1e-6,
                    $"branch {branch}, row {row}");
                Assert.IsGreaterThan(1e-3, (plain[1] - actual[1]).abs().max().ToDouble(), $"branch {branch} must matter");
            }
    }

    [TestMethod]
    public void Forward_ManyDraws_HaveTheFullBranchAsTheirMean()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        const int Count = 4000;
        using var generator = new Generator(5, CPU);
        using var weights = ModelWeights.Initialized(CPU, 3);
        var block = new SwinBlock(
            weights.Of(TrainableParts.Vision, layer: 1), "block", width: 8, heads: 2, window: 2, shifted: false, mlpRatio: 2);
        foreach (var (name, weight) in weights.Named)
            if (name.Contains("mlp.3", StringComparison.Ordinal)) weight.zero_();   // the MLP's branch is not linear in the attention's
            else weight.mul_(20);
        var image = randn([1, 2, 2, 8], generator: generator);
        var (windows, positions) = (new SwinWindows(2, 2), tensor(SwinWindows.RelativePositions(2)));
        var full = block.Forward(image, windows, positions, mask: null);
        var factors = new DroppedBranches(Rates, 11).Factors(0, 0, Count, CPU)!.narrow(0, 6, 2);   // rate 0.6
        var drawn = block.Forward(image.expand(Count, 2, 2, 8), windows, positions, mask: null, factors);
        var branch = (full - image).abs().max().ToDouble();
        Assert.IsGreaterThan(0.1, branch);
        var deviation = Math.Sqrt(0.6 / 0.4 / Count);   // of a factor's mean
        TinyGolden.AreClose(full[0], drawn.mean([0]), 5 * deviation * branch, "mean");
        Assert.IsGreaterThan(0.5 * branch, (drawn[0] - drawn).abs().max().ToDouble(), "draws differ");
    }

    [TestMethod]
    public void EncodeImages_OutsideTraining_LeavesNothingOut()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using ClipModel plain = SwinModel.Create(SwinModel.Architecture), deep = SwinModel.Create(SwinModel.WithDepth(0.9));
        TinyGolden.AreClose(plain.EncodeImages(SmallModel.Images(5), null), deep.EncodeImages(SmallModel.Images(5), null), 0, "images");
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(5)]
    [DataRow(12)]
    public void Backward_InChunks_IsThatOfTheWholeBatch(int chunkSize)
    {
        using var scope = NewDisposeScope();
        var (wholeLoss, whole) = Gradients(null, seed: 7);
        var (chunkedLoss, chunked) = Gradients(chunkSize, seed: 7);
        Assert.AreEqual(wholeLoss, chunkedLoss, 1e-5 * wholeLoss);
        CollectionAssert.AreEquivalent(whole.Keys, chunked.Keys);
        foreach (var (name, gradient) in whole) TinyGolden.AreClose(gradient, chunked[name],
            3e-5 * Math.Max(1e-3, gradient.abs().max().ToDouble()), name);
        Assert.AreNotEqual(wholeLoss, Gradients(null, seed: 8).Loss, 1e-4, "the draws must matter");
    }

    [TestMethod]
    public void Fit_StochasticDepth_DiffersFromNoneAndIsReproducible()
    {
        using var data = new DrawnData();
        var options = DrawnData.Options with { Architecture = SwinModel.WithDepth(0.5), LearningRate = 1e-2 };
        var live = new Dictionary<int, long>();
        using (data.Fit(options with { Progress = new Reports(r => live[r.Step] = Tensor.TotalCount) })) Assert.AreEqual(live[3], live[8],
            "nothing leaks");
        using PrefixClipTransformer first = data.Fit(options), second = data.Fit(options with { ChunkSize = 3 }), third = data.Fit(options);
        using var none = data.Fit(options with { Architecture = SwinModel.Architecture });
        DrawnData.AreBitEqual(DrawnData.Weights(first), DrawnData.Weights(third));
        for (var step = 0; step < first.History.Steps.Count; step++)
            Assert.AreEqual(first.History.Steps[step].Loss, second.History.Steps[step].Loss, 1e-4 * first.History.Steps[step].Loss,
                $"step {step} in chunks");
        CollectionAssert.AreNotEqual(none.History.Steps.ToArray(), first.History.Steps.ToArray());
    }

    [TestMethod]
    public void Fit_StoppedAndGoneOn_IsAsIfNotStopped()
    {
        using var data = new DrawnData();
        var whole = DrawnData.Options with { Architecture = SwinModel.WithDepth(0.5) };
        var options = whole with { Checkpoints = new() { Folder = data["run"] } };
        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => data.Fit(options with
        {
            CancellationToken = stop.Token,
            Progress = new Reports(r =>
            {
                if (r.Step == 3) stop.Cancel();
            }),
        }));
        using PrefixClipTransformer resumed = data.Fit(options), uninterrupted = data.Fit(whole);
        DrawnData.AreBitEqual(DrawnData.Weights(uninterrupted), DrawnData.Weights(resumed));
        CollectionAssert.AreEqual(uninterrupted.History.Steps.ToArray(), resumed.History.Steps.ToArray());
    }

    /// <summary>A model whose branches are as large as what they are added to.</summary>
    private static ClipModel Large(ClipArchitecture? architecture = null)
    {
        var model = SwinModel.Create(architecture ?? SwinModel.Architecture);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        foreach (var (name, weight) in model.Weights)
            if (name.StartsWith("visual.features.", StringComparison.Ordinal) && weight.dim() == 2) weight.mul_(10);
        return model;
    }

    private static (double Loss, Dictionary<string, Tensor> Gradients) Gradients(int? chunkSize, ulong seed)
    {
        const int Rows = 12;
        var options = DrawnData.Options with { Architecture = SwinModel.WithDepth(0.6), ChunkSize = chunkSize };
        using var model = Large(options.Architecture!);
        using var optimizer = new ClipOptimizer(model.Weights, new());
        var texts = new BatchTexts(TokenBatch.Pad([.. Enumerable.Range(0, Rows).Select(i => new[] { 518, i + 1, 519 })]), new long[Rows],
            [.. Enumerable.Range(0, Rows)]);
        using var images = SmallModel.Images(Rows);
        var batch = new TrainingBatch([.. Enumerable.Range(0, Rows)], images.data<float>().ToArray(), texts, new long[Rows],
            new long[Rows]);
        var loss = new ContrastiveStep(model, optimizer, options, seed).Backward(batch);
        return (loss, model.Weights.Where(w => w.Value.grad is not null).ToDictionary(w => w.Key, w => w.Value.grad!.detach().clone()));
    }
}
