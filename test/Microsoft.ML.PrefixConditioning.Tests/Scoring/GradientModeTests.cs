using Microsoft.ML.Data;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Scoring gives the same numbers whatever gradient mode the caller is in, and leaves that mode as it was.</summary>
[TestClass]
public sealed class GradientModeTests : ScoringTests
{
    private static readonly Dictionary<string, Func<IDisposable>> Modes = new()
    {
        ["none"] = NewDisposeScope, ["no_grad"] = () => no_grad(), ["inference_mode"] = () => inference_mode(), ["enable_grad"] = () =>
            enable_grad(),
    };

    public static IEnumerable<object[]> Pairs =>
        from first in Modes.Keys from second in Modes.Keys select new object[] { first, second };

    [TestMethod]
    [DynamicData(nameof(Pairs))]
    public void Score_InOneModeAndThenAnother_GivesTheSameNumbers(string first, string second)
    {
        var expected = Scores(_model);
        using var fresh = ScoringModel.Transformer();   // without anything kept from an earlier pass
        foreach (var mode in new[] { first, second })
        {
            using var entered = Modes[mode]();
            var before = (is_grad_enabled(), is_inference_mode_enabled());
            CollectionAssert.AreEqual(expected, Scores(fresh), mode);
            Assert.AreEqual(before, (is_grad_enabled(), is_inference_mode_enabled()), mode);
        }
    }

    [TestMethod]
    [DynamicData(nameof(Pairs))]
    public void Load_InOneMode_ScoresAndSavesInAnother(string loading, string scoring)
    {
        using var stream = new MemoryStream();
        _mlContext.Model.Save(_model, AllTypesRow.View(_mlContext).Schema, stream);
        PrefixClipTransformer loaded;
        using (Modes[loading]()) loaded = (PrefixClipTransformer)_mlContext.Model.Load(stream, out _);
        using (loaded)
        using (Modes[scoring]())
        {
            CollectionAssert.AreEqual(Scores(_model), Scores(loaded));
            using var again = new MemoryStream();
            _mlContext.Model.Save(loaded, AllTypesRow.View(_mlContext).Schema, again);
            Assert.AreEqual(stream.Length, again.Length);
        }
    }

    [TestMethod]
    public void Score_ThreadsInDifferentModes_KeepTheirModes()
    {
        var expected = Scores(_model);
        var faults = new List<string>();
        var threads = Modes.Concat(Modes).Select(mode => new Thread(() =>
        {
            using var entered = mode.Value();
            var before = (is_grad_enabled(), is_inference_mode_enabled());
            var scores = Scores(_model);
            if (!scores.SequenceEqual(expected) || before != (is_grad_enabled(), is_inference_mode_enabled()))
                lock (faults) faults.Add(mode.Key);
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        Assert.IsEmpty(faults, string.Join(", ", faults));
    }

    private float[] Scores(PrefixClipTransformer model)
    {
        var view = _mlContext.Data.TakeRows(AllTypesRow.View(_mlContext), 7);
        var classifier = _mlContext.Transforms.ZeroShotClassification(model, ["red", "blue"]).Fit(view);
        return [.. classifier.Transform(view).GetColumn<float[]>("Score").SelectMany(s => s),
            .. model.Transform(view).GetColumn<float[]>("TextEmbedding").SelectMany(e => e)];
    }
}
