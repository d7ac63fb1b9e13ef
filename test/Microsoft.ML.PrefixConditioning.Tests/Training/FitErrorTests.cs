namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What a user reads when training cannot go on; nothing may stay behind.</summary>
[TestClass]
public sealed class FitErrorTests
{
    private static T Fails<T>(DrawnData data, PrefixClipOptions options) where T : Exception
    {
        var before = LiveTensors.Count();
        var error = Assert.ThrowsExactly<T>(() => data.Fit(options));
        Assert.AreEqual(before, LiveTensors.Count());
        return error;
    }

    [TestMethod]
    public void Fit_AbsurdLearningRate_NamesStepRateAndCure()
    {
        using var data = new DrawnData();
        var error = Fails<InvalidOperationException>(data,
            DrawnData.Options with { LearningRate = 1e18, Optimizer = new() { WarmupSteps = 0 } });
        Assert.AreEqual(
            "The loss of step 2 is NaN at learning rate 9.62e+17; training cannot go on. Lower LearningRate (now 1e+18), lengthen " +
                "Optimizer.WarmupSteps, or set Optimizer.GradientClipNorm to 1.",
            error.Message);
    }

    [TestMethod]
    public void Fit_WeightsInfiniteAfterTheLastStep_IsFound()
    {
        using var data = new DrawnData(labeled: 8, captioned: 0);
        var error = Fails<InvalidOperationException>(data,
            DrawnData.Options with { LearningRate = 1e300, Optimizer = new() { WarmupSteps = 0 }, Epochs = 1 });
        StringAssert.StartsWith(error.Message, "After the last step the weight 'visual.");
        StringAssert.Contains(error.Message, "is not finite; the model is of no use. Lower LearningRate (now 1e+300)");
    }

    [TestMethod]
    public void Fit_Cancelled_ThrowsWithTheCallersToken()
    {
        using var data = new DrawnData();
        using var cancellation = new CancellationTokenSource();
        var reports = new Reports(r => { if (r.Step == 3) cancellation.Cancel(); });
        var error = Fails<OperationCanceledException>(data,
            DrawnData.Options with { Epochs = 100, Progress = reports, CancellationToken = cancellation.Token });
        Assert.AreEqual(cancellation.Token, error.CancellationToken);
        Assert.HasCount(3, reports.All);
    }

    [TestMethod]
    public void Fit_CancelledBefore_ReadsNothing()
    {
        using var data = new DrawnData();
        Fails<OperationCanceledException>(data, DrawnData.Options with { CancellationToken = new CancellationToken(canceled: true) });
    }

    [TestMethod]
    public void Fit_CallbackThrows_ReachesTheCaller()
    {
        using var data = new DrawnData();
        var error = Fails<NotFiniteNumberException>(data,
            DrawnData.Options with { Progress = new Reports(_ => throw new NotFiniteNumberException("mine")) });
        Assert.AreEqual("mine", error.Message);
    }

    [TestMethod]
    public void Fit_FewerRowsThanABatch_NamesTypesAndRemedy()
    {
        using var data = new DrawnData(labeled: 16, captioned: 7);
        var error = Fails<ArgumentException>(data, DrawnData.Options);
        StringAssert.Contains(error.Message,
            "BatchSize is 8, but a batch holds rows of one dataset type, and their row counts are 'caption' 7, 'classification' 16.");
    }

    [TestMethod]
    public void Fit_OneClassOnly_SaysThereIsNothingToContrast()
    {
        using var data = new DrawnData(captioned: 0);
        foreach (var row in data.Rows) row.Label = row.Text = "red square";
        StringAssert.Contains(Fails<InvalidDataException>(data, DrawnData.Options).Message,
            "have the class 'red square': there is nothing to contrast.");
    }

    [TestMethod]
    public void Fit_UnknownDatasetType_NamesRowAndKnownTypes()
    {
        using var data = new DrawnData();
        data.Rows[4].DatasetType = "captions";
        StringAssert.StartsWith(Fails<InvalidDataException>(data, DrawnData.Options).Message,
            $"Row 5 ('{data.Rows[4].Image}') has the dataset type 'captions'; the known ones are");
    }

    [TestMethod]
    public void Fit_EmptyText_NamesTheRow()
    {
        using var data = new DrawnData();
        data.Rows[0].Text = " ";
        Assert.AreEqual($"Row 1 ('{data.Rows[0].Image}') has no text in column 'Text'. Give a caption or class name, or remove the row. " +
            "To leave such rows out, set BadRows to Skip.", Fails<InvalidDataException>(data, DrawnData.Options).Message);
    }

    [TestMethod]
    public void Fit_BadImage_NamesRowAndLocator()
    {
        using var data = new DrawnData();
        data.Break(20);
        StringAssert.StartsWith(Fails<InvalidDataException>(data, DrawnData.Options with { Epochs = 5 }).Message,
            $"Row 21: The image '{data.Rows[20].Image}'");
    }

    [TestMethod]
    [DataRow(BatchComposition.PerDatasetType)]
    [DataRow(BatchComposition.Mixed)]
    public void Fit_WeightMissingForATypeWithRows_SaysWhich(BatchComposition composition)
    {
        using var data = new DrawnData();
        var options = DrawnData.Options with
        {
            BatchComposition = composition,
            DatasetTypeWeights = new Dictionary<string,
            double>
            { ["caption"] = 1 }
        };
        Assert.AreEqual("DatasetTypeWeights has no weight for the dataset type 'classification', which has rows. Give every type with " +
            "rows a weight, or none.",
            Fails<ArgumentException>(data, options).Message);
    }

    [TestMethod]
    public void Fit_MoreStepsThanAnIntHolds_SaysSo()
    {
        using var data = new DrawnData();
        Assert.AreEqual("Epochs is 2147483647, which makes 8589934588 steps; at most 2147483647 are possible. Lower it, or raise " +
            "BatchSize.",
            Fails<ArgumentException>(data, DrawnData.Options with { Epochs = int.MaxValue }).Message);
    }

    [TestMethod]
    public void Fit_ValidationPrefixOfAnUnknownType_SaysSoBeforeTraining()
    {
        using var data = new DrawnData();
        var options = DrawnData.Options with
        {
            ValidationSet = data.Labeled,
            ValidationPrefix = PrefixSelection.For("video"),
            Progress = new Reports(_ => Assert.Fail("trained"))
        };
        StringAssert.Contains(Fails<ArgumentException>(data, options).Message, "not trained on the dataset type 'video'");
    }
}
