using Microsoft.ML.Data;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Training with a text projection for every dataset type.</summary>
[TestClass]
public sealed class FitTextProjectionsTests
{
    private static readonly PrefixClipOptions Options = DrawnData.Options with { SeparateTextProjections = true, PrefixLength = 0 };

    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    public void Fit_SeparateProjections_StartsLikeASharedOneAndThenDiffers(int prefixLength)
    {
        using var data = new DrawnData();
        var live = new Dictionary<int, long>();
        using var separate = data.Fit(Options with { PrefixLength = prefixLength, Progress = new Reports(r => live[r.Step] = Tensor.TotalCount) });
        Assert.AreEqual(live[3], live[8], "nothing leaks");
        using var shared = data.Fit(Options with { PrefixLength = prefixLength, SeparateTextProjections = false });
        Assert.AreEqual(shared.History.Steps[0].Loss, separate.History.Steps[0].Loss, 1e-5);
        var matrices = DrawnData.Weights(separate)["text_projections"].Chunk(16 * 8 * sizeof(float)).ToArray();
        Assert.HasCount(2, matrices);
        CollectionAssert.AreNotEqual(matrices[0], matrices[1]);
        string[] texts = ["a red square"];
        CollectionAssert.AreNotEqual(separate.EncodeText(texts, PrefixSelection.For("classification"))[0], separate.EncodeText(texts)[0]);
        if (prefixLength == 0) CollectionAssert.AreEqual(shared.EncodeText(texts, PrefixSelection.For("classification"))[0], shared.EncodeText(texts)[0]);
    }

    [TestMethod]
    [DataRow(FastPaths.All)]
    [DataRow(FastPaths.None)]
    public void Fit_BatchesOfOneTypeOnly_OtherTypesMatrixStaysAsItIs(FastPaths fastPaths)
    {
        using var data = new DrawnData();
        using var model = data.Fit(Options with
        {
            DatasetTypeWeights = new Dictionary<string, double> { ["caption"] = 1e9, ["classification"] = 1 },
            WeightDecay = 0,
            FastPaths = fastPaths,
        });
        using var initial = ClipModel.Create(model.Model.Settings.Shape, CPU, SeededRandom.Derive(7, 5).NextUInt64());
        var before = initial.Weights.Single(w => w.Key == "text_projections").Value.bytes.ToArray().Chunk(16 * 8 * sizeof(float)).ToArray();
        var after = DrawnData.Weights(model)["text_projections"].Chunk(16 * 8 * sizeof(float)).ToArray();
        CollectionAssert.AreNotEqual(before[0], after[0], "caption");
        CollectionAssert.AreEqual(before[1], after[1], "classification");
    }

    [TestMethod]
    [DataRow(LossFunction.UniCl, BatchComposition.Mixed)]
    [DataRow(LossFunction.Clip, BatchComposition.PerDatasetType)]
    public void Fit_PlainWayAndInChunks_TrainsTheSame(LossFunction loss, BatchComposition composition)
    {
        using var data = new DrawnData();
        var options = Options with { Loss = loss, BatchComposition = composition, LayerDecay = 0.8, GradientClipNorm = 1 };
        using PrefixClipTransformer fast = data.Fit(options), plain = data.Fit(options with { FastPaths = FastPaths.None }), chunked = data.Fit(options with { ChunkSize = 3 });
        for (var step = 0; step < fast.History.Steps.Count; step++)
        {
            var expected = plain.History.Steps[step].Loss;
            Assert.AreEqual(expected, fast.History.Steps[step].Loss, 1e-4 * expected, $"step {step}");
            Assert.AreEqual(expected, chunked.History.Steps[step].Loss, 1e-4 * expected, $"step {step} in chunks");
        }
    }

    [TestMethod]
    public void Fit_StoppedAndGoneOn_IsAsIfNotStopped()
    {
        using var data = new DrawnData();
        var options = Options with { CheckpointFolder = data["run"], PrefixLength = 1 };
        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => data.Fit(options with
        {
            CancellationToken = stop.Token,
            Progress = new Reports(r =>
            {
                if (r.Step == 3) stop.Cancel();
            }),
        }));
        using PrefixClipTransformer resumed = data.Fit(options), whole = data.Fit(options with { CheckpointFolder = null });
        DrawnData.AreBitEqual(DrawnData.Weights(whole), DrawnData.Weights(resumed));
    }

    [TestMethod]
    public void Fit_ProjectionsFrozen_TheyStayAsTheyAre()
    {
        using var data = new DrawnData();
        using var model = data.Fit(Options with { TrainableParts = TrainableParts.All & ~TrainableParts.Projections, Epochs = 1 });
        using var initial = ClipModel.Create(model.Model.Settings.Shape, CPU, SeededRandom.Derive(7, 5).NextUInt64());
        foreach (var (name, weight) in initial.Weights)
            Assert.AreEqual(TrainingPlan.PartOf(name) == TrainableParts.Projections, weight.bytes.ToArray().AsSpan().SequenceEqual(DrawnData.Weights(model)[name]), name);
    }

    [TestMethod]
    [DataRow(ClipLayout.OpenClip)]
    [DataRow(ClipLayout.HuggingFace)]
    public void Fit_InitialWeights_EveryTypeStartsFromTheFilesMatrix(ClipLayout layout)
    {
        using var data = new DrawnData();
        using var folder = new ModelFolder();
        using var published = new PrefixClipTransformer(data.Context, SmallModel.Trained(SmallModel.Create(prefixLength: 0)));
        published.SaveSafetensors(folder.Path, layout);
        using var model = data.Fit(Options with { Architecture = null, InitialWeights = folder.Path, TrainableParts = TrainableParts.Vision, Epochs = 1 });
        var matrix = DrawnData.Weights(published)["text_projection"];
        var matrices = DrawnData.Weights(model)["text_projections"];
        CollectionAssert.AreEqual(matrix.Concat(matrix).ToArray(), matrices);
        Assert.AreEqual(2 * matrix.Length, matrices.Length);
    }

    [TestMethod]
    public void ZeroShotClassification_NoPrefixTokens_TypesCanBeSelected()
    {
        using var data = new DrawnData();
        using var model = data.Fit(Options with { Epochs = 4 });
        string[] names = ["red square", "blue square", "green square", "yellow square"];
        float[] Scores(PrefixSelection prefix)
        {
            using var classifier = data.Context.Transforms.ZeroShotClassification(model, names, prefix).Fit(data.Labelled);
            return [.. classifier.Transform(data.Labelled).GetColumn<float[]>("Score").First()];
        }
        var caption = Scores(PrefixSelection.For("caption"));
        Assert.IsGreaterThan(1e-4f, OnnxModels.Difference(caption, Scores(PrefixSelection.For("classification"))));
        Assert.IsGreaterThan(1e-5f, OnnxModels.Difference(caption, Scores(PrefixSelection.None)));
        var comparison = data.Context.MulticlassClassification.ComparePrefixes(data.Labelled, model, [.. data.Rows.Select(r => r.Label).OfType<string>().Distinct()]);
        DataTestRows.Equal<string>(["caption", "classification", "none"], comparison.Prefixes.Select(p => p.Prefix.ToString()));
    }
}
