using Microsoft.ML.Runtime;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Training through the public way, on drawings of 16 x 16 pixels.</summary>
[TestClass]
public sealed class FitTests
{
    public TestContext TestContext { get; set; } = null!;

    [TestCleanup]
    public void OneThread() => set_num_threads(1);

    [TestMethod]
    public void Fit_FewEpochs_LossFalls()
    {
        using var data = new DrawnData();
        using var model = data.Fit(DrawnData.Options with { Epochs = 15, LearningRate = 1e-2, Loss = LossFunction.UniCl });
        TestContext.WriteLine($"seed {DrawnData.Options.Seed}");
        var losses = model.History.Steps.Select(s => (double)s.Loss).ToArray();
        Assert.HasCount(60, losses);
        Assert.IsLessThan(losses.Take(8).Average() - 0.5, losses.TakeLast(8).Average());
        Assert.AreEqual(0, model.History.SkippedRows);
        Assert.IsTrue(model.LogitScale is >= 1 and <= 100);
    }

    [TestMethod]
    [DataRow(LossFunction.Clip, BatchComposition.PerDatasetType)]
    [DataRow(LossFunction.UniCl, BatchComposition.Mixed)]
    [DataRow(LossFunction.SigLip, BatchComposition.Mixed)]
    public void Fit_SameSeed_GivesBitEqualWeights(LossFunction loss, BatchComposition composition)
    {
        using var data = new DrawnData();
        var options = DrawnData.Options with
        {
            Loss = loss,
            BatchComposition = composition,
            ImagePrefixLength = 1,
            Augmentation = new() { HorizontalFlipProbability = 0.5 },
            Optimizer = new() { GradientClipNorm = 1 }
        };
        TestContext.WriteLine($"seed {options.Seed}");
        using var first = data.Fit(options);
        using var second = data.Fit(options);
        using var other = data.Fit(options with { Seed = 8 });
        DrawnData.AreBitEqual(DrawnData.Weights(first), DrawnData.Weights(second));
        CollectionAssert.AreEqual(first.History.Steps.ToArray(), second.History.Steps.ToArray());
        foreach (var (name, bytes) in DrawnData.Weights(first).Where(w =>
            w.Key.EndsWith("_weight", StringComparison.Ordinal) || w.Key.Contains("prefix", StringComparison.Ordinal)))
            CollectionAssert.AreNotEqual(bytes, DrawnData.Weights(other)[name], name);
    }

    // Where all rows of a class have the same sentence, the softmax over equal columns makes the two losses equal.
    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void Fit_LossFunctions_DifferOnlyWithSeveralTemplates(bool severalTemplates)
    {
        using var data = new DrawnData();
        var options = DrawnData.Options with
        {
            Epochs = 5,
            LearningRate = 1e-2,
            PromptTemplates = severalTemplates ? PromptTemplates.Of("{}", "a {} here", "see the {}") : PromptTemplates.NameOnly,
        };
        using var clip = data.Fit(options with { Loss = LossFunction.Clip });
        using var unicl = data.Fit(options with { Loss = LossFunction.UniCl });
        var differences = clip.History.Steps.Zip(unicl.History.Steps, (c, u) => Math.Abs(c.Loss - u.Loss)).ToArray();
        TestContext.WriteLine($"largest difference {differences.Max()}");
        if (severalTemplates) Assert.IsGreaterThan(1e-4f, differences.Max());
        else Assert.IsLessThan(2e-5f, differences.Max());
    }

    [TestMethod]
    public void Fit_TwoThreads_GivesBitEqualWeights()
    {
        using var data = new DrawnData();
        set_num_threads(2);
        var options = DrawnData.Options with { Epochs = 1 };
        using PrefixClipTransformer first = data.Fit(options), second = data.Fit(options);
        DrawnData.AreBitEqual(DrawnData.Weights(first), DrawnData.Weights(second));
    }

    [TestMethod]
    public void Fit_SeedOfTheContext_DecidesWhereTheOptionsHaveNone()
    {
        using var data = new DrawnData();
        var options = DrawnData.Options with { Seed = null, Epochs = 1 };
        Dictionary<string, byte[]> Weights(int seed)
        {
            using var model = new MLContext(seed).Transforms.PrefixClip(options).Fit(data.View);
            return DrawnData.Weights(model);
        }
        DrawnData.AreBitEqual(Weights(3), Weights(3));
        CollectionAssert.AreNotEqual(Weights(3)["visual.proj"], Weights(4)["visual.proj"]);
    }

    [TestMethod]
    public void Fit_NegativeSeed_Works()
    {
        using var data = new DrawnData();
        using var model = data.Fit(DrawnData.Options with { Seed = int.MinValue, Epochs = 1 });
        Assert.HasCount(4, model.History.Steps);
    }

    [TestMethod]
    public void Fit_EstimatorTwice_GivesTheSameModel()
    {
        using var data = new DrawnData();
        var estimator = data.Context.Transforms.PrefixClip(DrawnData.Options with { Seed = null, Epochs = 1 });
        using PrefixClipTransformer first = estimator.Fit(data.View), second = estimator.Fit(data.View);
        DrawnData.AreBitEqual(DrawnData.Weights(first), DrawnData.Weights(second));
    }

    [TestMethod]
    public void Fit_PrefixesOfBothTypes_AreLearned()
    {
        using var data = new DrawnData();
        using var model = data.Fit(DrawnData.Options with { Epochs = 3 });
        using var initial = ClipModel.Create(model.Trained.Settings.Shape, CPU, SeededRandom.Derive(7, 5).NextUInt64());
        // 16 floats of each type
        var before = initial.Weights.Single(w => w.Key == "prefix_embedding").Value.bytes.ToArray().Chunk(64).ToArray();
        var after = DrawnData.Weights(model)["prefix_embedding"].Chunk(64).ToArray();
        for (var type = 0; type < 2; type++) CollectionAssert.AreNotEqual(before[type], after[type], $"type {type}");
    }

    [TestMethod]
    public void Fit_NoPrefix_HasNoPrefixWeights()
    {
        using var data = new DrawnData();
        using var model = data.Fit(DrawnData.Options with { PrefixLength = 0, Epochs = 1 });
        Assert.IsEmpty(DrawnData.Weights(model).Keys.Where(n => n.Contains("prefix", StringComparison.Ordinal)));
    }

    [TestMethod]
    [DataRow(LearningRateSchedule.Cosine, 3, 3)]
    [DataRow(LearningRateSchedule.Constant, null, 1)]
    public void Fit_Progress_ReportsEveryStep(LearningRateSchedule schedule, int? warmupSteps, int warmup)
    {
        using var data = new DrawnData(labeled: 16, captioned: 8);
        var reports = new Reports();
        using var model = data.Fit(DrawnData.Options with
        {
            Epochs = 4,
            Optimizer = new() { Schedule = schedule, WarmupSteps = warmupSteps },
            Progress = reports
        });
        Assert.HasCount(12, reports.All);
        for (var i = 0; i < 12; i++)
        {
            var report = reports.All[i];
            Assert.AreEqual((i + 1, 12, i / 3 + 1, 4), (report.Step, report.TotalSteps, report.Epoch, report.TotalEpochs));
            Assert.AreEqual(LearningRate.At(schedule, i, 2e-3, warmup, 12), report.LearningRate);
            Assert.AreEqual(new TrainingStep((float)report.Loss, (float)report.LearningRate), model.History.Steps[i]);
            Assert.IsGreaterThan(0, report.ImagesPerSecond);
            Assert.IsGreaterThanOrEqualTo(TimeSpan.Zero, report.TimeLeft);
            Assert.IsNull(report.ValidationAccuracy);
        }
        Assert.AreEqual(TimeSpan.Zero, reports.All[^1].TimeLeft);
        Assert.IsEmpty(model.History.Validations);
    }

    [TestMethod]
    public void Fit_ValidationSet_AccuracyOfEveryEpochIsRecorded()
    {
        using var data = new DrawnData();
        var reports = new Reports();
        using var model = data.Fit(DrawnData.Options with
        {
            Epochs = 3,
            ValidationSet = data.Labeled,
            ValidationPrefix = PrefixSelection.For("classification"),
            Progress = reports
        });
        DataTestRows.Equal<int>([1, 2, 3], model.History.Validations.Select(v => v.Epoch));
        foreach (var (epoch, accuracy) in model.History.Validations)
        {
            Assert.AreEqual(accuracy, reports.All[4 * epoch - 1].ValidationAccuracy);
            Assert.AreEqual(0, accuracy * 16 % 1, 1e-9, "a share of 16 images");
        }
        Assert.HasCount(3, reports.All.Where(r => r.ValidationAccuracy is not null));
    }

    [TestMethod]
    public void Fit_Log_HasLinesForStartAndEpochs()
    {
        using var data = new DrawnData();
        data.Break(3);
        var lines = new List<LoggingEventArgs>();
        data.Context.Log += (_, line) => lines.Add(line);
        using var model = data.Fit(DrawnData.Options with { BadRows = BadRowPolicy.Skip, Epochs = 3 });
        var texts = lines.Where(l => l.Source.Contains(nameof(PrefixClipEstimator), StringComparison.Ordinal)).Select(l =>
            l.Message).ToArray();
        Assert.ContainsSingle(t =>
            t.Contains("parameters on 32 rows ('caption' 16, 'classification' 16), 12 steps of 8 rows, seed 7, on cpu.",
            StringComparison.Ordinal), texts);
        foreach (var epoch in new[] { 1, 2, 3 })
            Assert.ContainsSingle(t => t.Contains($"Step {4 * epoch}/12, epoch {epoch}/3: loss ", StringComparison.Ordinal), texts);
        Assert.ContainsSingle(l => l.Kind == ChannelMessageKind.Warning && l.Message.Contains(
            "1 of 32 rows have images that cannot be read. The first fault: Row 4: The image '", StringComparison.Ordinal), lines);
        Assert.AreEqual(1, model.History.SkippedRows);
    }

    [TestMethod]
    public void Fit_EmptyCaptionAndPolicySkip_TrainsOnTheOthersAndLogsAnExample()
    {
        using var data = new DrawnData();
        (data.Rows[20].Text, data.Rows[21].Text) = ("", " ");
        var warnings = new List<string>();
        data.Context.Log += (_, line) => { if (line.Kind == ChannelMessageKind.Warning) warnings.Add(line.RawMessage); };
        using var model = data.Fit(DrawnData.Options with { BadRows = BadRowPolicy.Skip });
        Assert.AreEqual($"2 of 32 rows cannot be used. The first fault: Row 21 ('{data.Rows[20].Image}') has no text in column " +
            "'Text'. Give a caption or class name, or remove the row.", warnings.Single());
        Assert.AreEqual(2, model.History.SkippedRows);

        data.Rows.RemoveRange(20, 2);
        using var without = data.Fit(DrawnData.Options);
        DrawnData.AreBitEqual(DrawnData.Weights(without), DrawnData.Weights(model));
    }

    [TestMethod]
    public void Fit_BatchSizeNotSet_IsThatOfTheSmallestTypeAndLogged()
    {
        using var data = new DrawnData(labeled: 16, captioned: 5);
        var lines = new List<string>();
        data.Context.Log += (_, line) => lines.Add(line.RawMessage);
        using var model = data.Fit(DrawnData.Options with { BatchSize = null });
        Assert.HasCount(8, model.History.Steps);   // 21 / 5 steps, 2 epochs
        Assert.ContainsSingle(l =>
            l == "BatchSize is not set. A batch has 5 rows instead of 128, because the dataset types have these numbers " +
            "of rows: 'caption' 5, 'classification' 16.", lines);
        using var same = data.Fit(DrawnData.Options with { BatchSize = 5 });
        DrawnData.AreBitEqual(DrawnData.Weights(same), DrawnData.Weights(model));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void Fit_InsideNoGradOrInferenceMode_TrainsAsOutside(bool reference)
    {
        using var data = new DrawnData();
        var options = DrawnData.Options with { UseTensorOperations = reference, ValidationSet = data.Labeled };
        using var model = data.Fit(options);
        var expected = DrawnData.Weights(model);
        foreach (var enter in new Func<IDisposable>[] { () => no_grad(), () => inference_mode(), () => enable_grad() })
        {
            using var mode = enter();
            var (gradients, inference) = (is_grad_enabled(), is_inference_mode_enabled());
            using var inside = data.Fit(options);
            DrawnData.AreBitEqual(expected, DrawnData.Weights(inside));
            Assert.AreEqual((gradients, inference), (is_grad_enabled(), is_inference_mode_enabled()));
        }
        Assert.AreEqual((true, false), (is_grad_enabled(), is_inference_mode_enabled()));
    }

    [TestMethod]
    public void Fit_DatasetTypeWeights_DecideWhichTypesAreDrawn()
    {
        using var data = new DrawnData();
        data.Break([.. Enumerable.Range(0, 16)]);   // a batch of labeled rows would fail
        using var model = data.Fit(DrawnData.Options with
        {
            DatasetTypeWeights = new Dictionary<string,
            double>
            { ["caption"] = 1e9, ["classification"] = 1 }
        });
        Assert.HasCount(8, model.History.Steps);
        Assert.ThrowsExactly<InvalidDataException>(() => data.Fit(DrawnData.Options with { Epochs = 10 }));
    }

    [TestMethod]
    public void Fit_500Steps_MemoryStaysFlatAndNothingLeaks()
    {
        using var data = new DrawnData(labeled: 8, captioned: 8);
        var before = LiveTensors.Count();
        var counts = new Dictionary<int, long>();
        var reports = new Reports(r => counts[r.Step] = Tensor.TotalCount);
        var options = DrawnData.Options with
        {
            BatchSize = 4,
            Epochs = 125,
            Progress = reports,
            ImagePrefixLength = 1,
            Optimizer = new() { GradientClipNorm = 1 },
            Checkpoints = new() { Folder = data["run"], Steps = 100 },
            Architecture = SmallModel.Architecture with { VisionWidth = 4, TextWidth = 4, EmbeddingSize = 4 },
        };
        using (data.Fit(options)) Assert.AreEqual(500, counts.Count);
        Assert.AreEqual(counts[50], counts[500]);
        Assert.AreEqual(before, LiveTensors.Count());
    }
}
