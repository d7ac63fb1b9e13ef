using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Searches on drawings.</summary>
[TestClass]
public sealed class TuneTests : IDisposable
{
    private static readonly TuningOptions Tuning = new() { Trials = 5, Halving = 2, Seed = 3 };

    private readonly DrawnData _data = new();
    private readonly PrefixClipOptions _options;

    public TuneTests() => _options = DrawnData.Options with { Epochs = 4, ValidationSet = _data.Labeled };

    public void Dispose() => _data.Dispose();

    private TuningResult Tune(TuningOptions tuning, PrefixClipOptions? options = null) =>
        _data.Context.Transforms.PrefixClip(options ?? _options).Tune(_data.View, tuning);

    private static (int, int, int, double?)[] Key(IEnumerable<TuningTrial> trials) =>
        [.. trials.Select(t => (t.Number, t.Round, t.Epochs, t.Accuracy))];

    [TestMethod]
    public void Tune_SuccessiveHalving_GivesTheBestOfTheLastRound()
    {
        var before = LiveTensors.Count();
        var reported = new List<TuningTrial>();
        using (var result = Tune(Tuning with { Progress = new Reports<TuningTrial>(reported.Add) }))
        {
            var rounds = result.Trials.GroupBy(t => t.Epochs, (epochs, trials) => $"{trials.Count()} of {epochs}");
            Assert.AreEqual("5 of 1, 3 of 2, 2 of 4", string.Join(", ", rounds));
            var first = result.Trials.Where(t => t.Round == 0).OrderByDescending(t => t.Accuracy).ThenBy(t => t.Number).Take(3);
            CollectionAssert.AreEqual(first.Select(t => t.Number).ToArray(),
                result.Trials.Where(t => t.Round == 1).Select(t => t.Number).ToArray());
            Assert.AreEqual(result.Trials.Where(t => t.Round == 2).Max(t => t.Accuracy), result.Best.Accuracy);
            Assert.AreEqual(result.Best.Accuracy, result.Model.History.Validations[^1].Accuracy);
            CollectionAssert.AreEqual(result.Trials.ToArray(), reported);
            using var again = _data.Fit(result.Options);
            DrawnData.AreBitEqual(DrawnData.Weights(result.Model), DrawnData.Weights(again));
            StringAssert.Contains(result.ToString(), $"\n{result.Best.Number,5}      2       4  ");
        }
        Assert.AreEqual(before, LiveTensors.Count());
    }

    [TestMethod]
    public void Tune_InterruptedAnywhere_GoesOnToTheSameResult()
    {
        using var whole = Tune(Tuning);
        foreach (var count in new[] { 1, 6, whole.Trials.Count })
        {
            var folder = _data[$"search{count}"];
            using var source = new CancellationTokenSource();
            var seen = 0;
            var tuning = Tuning with { Folder = folder };
            var interrupted = tuning with
            {
                Progress = new Reports<TuningTrial>(_ => { if (++seen == count) source.Cancel(); }),
            };
            if (count < whole.Trials.Count)
                Assert.Throws<OperationCanceledException>(() => Tune(interrupted, _options with { CancellationToken = source.Token }));
            else Tune(interrupted).Dispose();
            File.AppendAllText(Path.Combine(folder, "trials.jsonl"), "{\"Number\":1,\"Rou");   // as a killed process leaves it
            using var resumed = Tune(tuning);
            CollectionAssert.AreEqual(Key(whole.Trials), Key(resumed.Trials));
            Assert.AreEqual(whole.Best.Number, resumed.Best.Number);
            DrawnData.AreBitEqual(DrawnData.Weights(whole.Model), DrawnData.Weights(resumed.Model));
            Assert.IsEmpty(Directory.GetDirectories(folder));
        }
    }

    [TestMethod]
    public void Tune_FolderOfAnotherSearch_IsRefused()
    {
        var tuning = Tuning with { Trials = 1, Folder = _data["search"] };
        Tune(tuning).Dispose();
        foreach (var (options, other) in new[]
        {
            (_options with { Epochs = 3 }, tuning), (_options, tuning with { Trials = 2 }), (_options, tuning with { Seed = 4 }),
        })
            StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => Tune(other, options)).Message,
                "has the trials of another search");
        File.AppendAllText(Path.Combine(_data["search"], "trials.jsonl"), "no JSON\n");
        StringAssert.StartsWith(Assert.ThrowsExactly<InvalidDataException>(() => Tune(tuning)).Message, "Line 3 of '");
    }

    [TestMethod]
    public void Tune_TwoSearchesInOneFolder_SecondIsRefused()
    {
        var tuning = Tuning with { Trials = 1, Folder = _data["search"] };
        var message = "";
        var nested = tuning with
        {
            Progress = new Reports<TuningTrial>(_ => message = Assert.ThrowsExactly<IOException>(() => Tune(tuning)).Message),
        };
        Tune(nested).Dispose();
        StringAssert.Contains(message, "a folder that this process can write to and no other search uses.");
    }

    [TestMethod]
    public void Run_TrialsThatFail_AreListedAndNotChosen()
    {
        TuningResult Run(Func<int, bool> fails)
        {
            var number = -1;
            var host = ((IHostEnvironment)_data.Context).Register("test");
            return new TuningRun(host, _options, Tuning with { Halving = 1, Trials = 3 }, 1, options => fails(++number)
                ? throw new InvalidOperationException("The loss is NaN.") : _data.Fit(options)).Run(null);
        }
        using var result = Run(number => number == 0);
        Assert.AreEqual("The loss is NaN.", result.Trials[0].Fault);
        Assert.IsNull(result.Trials[0].Accuracy);
        Assert.AreNotEqual(0, result.Best.Number);
        StringAssert.EndsWith(result.ToString(), "  failed      0.0  The loss is NaN.\n");
        Assert.AreEqual("Training failed in all 3 trials. The first: The loss is NaN.",
            Assert.ThrowsExactly<InvalidOperationException>(() => Run(_ => true)).Message);
    }

    [TestMethod]
    public void Tune_NoTime_SaysSo() => StringAssert.StartsWith(Assert.ThrowsExactly<TimeoutException>(
        () => Tune(Tuning with { Minutes = 1e-9 })).Message, "No trial ended within Minutes (1E-09).");

    [TestMethod]
    public void Tune_WhatCannotBeSearched_IsRefused()
    {
        Assert.AreEqual("Tuning compares accuracies: set ValidationSet.",
            Assert.ThrowsExactly<ArgumentException>(() => Tune(Tuning, _options with { ValidationSet = null })).Message);
        var group = ThreadGroup.Run(1, group => group)[0].Result;
        Assert.AreEqual("Tuning runs in one process: set ProcessGroup to null.",
            Assert.ThrowsExactly<ArgumentException>(() => Tune(Tuning, _options with { ProcessGroup = group })).Message);
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => Tune(new() { Trials = 0, Folder = "a\0b" })).Message,
            "TuningOptions has 2 fault(s):");
    }
}
