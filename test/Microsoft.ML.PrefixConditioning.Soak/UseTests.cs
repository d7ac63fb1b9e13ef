using System.Diagnostics;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Long and parallel use of models: the same bits, and nothing that is left behind.</summary>
[TestClass]
public sealed class UseTests : IDisposable
{
    private const int Threads = 32;
    private const long MostGrowth = 64 << 20;   // of the process, after the first rounds

    private readonly DrawnData _data = new();

    public TestContext TestContext { get; set; } = null!;

    public void Dispose() => _data.Dispose();

    private static IDataView Scored(PrefixClipTransformer model, DrawnData data) =>
        data.Context.Transforms.ZeroShotClassification(model, ["red square", "blue disc"]).Fit(data.View).Transform(data.View);

    private static float[][] Scores(IDataView scored) => [.. scored.GetColumn<float[]>("Score")];

    [TestMethod]
    public void Transform_32Threads_GivesTheBitsOfOne()
    {
        using var model = _data.Fit(DrawnData.Options with { Epochs = 1 });
        var scored = Scored(model, _data);
        var expected = Scores(scored);
        var wrong = 0;
        var rounds = Soak.Repeat(3, _ =>
        {
            var threads = Enumerable.Range(0, Threads).Select(_ => new Thread(() =>
            {
                var actual = Scores(scored);
                if (!expected.Zip(actual).All(p => p.First.SequenceEqual(p.Second))) Interlocked.Increment(ref wrong);
            })).ToArray();
            foreach (var thread in threads) thread.Start();
            foreach (var thread in threads) thread.Join();
        });
        TestContext.Say($"{rounds * Threads * expected.Length} predictions on {Threads} threads, {wrong} threads with other bits");
        Assert.AreEqual(0, wrong);
    }

    [TestMethod]
    public void Load_ScoreAndDispose_LeavesNothing()
    {
        using (var model = _data.Fit(DrawnData.Options with { Epochs = 1 }))
            _data.Context.Model.Save(model, _data.View.Schema, _data["model.zip"]);
        Repeat("load, score and dispose cycles", () =>
        {
            using var model = (PrefixClipTransformer)_data.Context.Model.Load(_data["model.zip"], out _);
            Assert.HasCount(_data.Rows.Count, Scores(Scored(model, _data)));
        });
    }

    [TestMethod]
    public void Fit_AndDispose_LeavesNothing() => Repeat("fits", () => _data.Fit(DrawnData.Options with { Epochs = 1 }).Dispose());

    private void Repeat(string what, Action cycle)
    {
        const int CyclesPerRound = 5, FirstRounds = 3;   // until pools and caches have their size
        var (tensors, bytes) = (0L, 0L);
        var rounds = Soak.Repeat(FirstRounds + 2, round =>
        {
            for (var i = 0; i < CyclesPerRound; i++) cycle();
            if (round == FirstRounds - 1) (tensors, bytes) = (LiveTensors.Count(), Resident());
        });
        var (moreTensors, growth) = (LiveTensors.Count() - tensors, Resident() - bytes);
        TestContext.Say($"{rounds * CyclesPerRound} {what}: {moreTensors} tensors more, the process grew by {growth >> 20} MiB");
        Assert.AreEqual(0, moreTensors);
        Assert.IsLessThan(MostGrowth, growth);
    }

    private static long Resident()
    {
        using var self = Process.GetCurrentProcess();
        return self.WorkingSet64;
    }
}
