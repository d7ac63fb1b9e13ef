using System.Reflection;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>How a run ends before its last step: by signals, by ML.NET's environment, by early stopping.</summary>
[TestClass]
public sealed class StoppedRunTests
{
    [TestMethod]
    public void Fit_EnvironmentIsCanceled_Ends()
    {
        using var data = new DrawnData();
        var context = new MLContext(seed: 1);
        var options = DrawnData.Options with
        {
            Epochs = 1_000_000,
            Progress = new Reports(r => { if (r.Step == 3) Cancel(context); }),
        };
        var error = Assert.ThrowsExactly<OperationCanceledException>(() => context.Transforms.PrefixClip(options).Fit(data.View));
        StringAssert.EndsWith(error.Message, " of 4000000. Nothing is saved, because Checkpoints.Folder is not set.");
    }

    [TestMethod]
    public void FitZeroShot_EnvironmentIsCanceled_Ends()
    {
        using var data = new DrawnData();
        using var model = data.Fit(DrawnData.Options with { Epochs = 1 });
        var context = new MLContext(seed: 1);
        var classes = context.Transforms.ZeroShotClassification(model, ["red square", "blue disc"]);
        Cancel(context);
        Assert.ThrowsExactly<OperationCanceledException>(() => classes.Fit(data.View));
    }

    /// <summary>As AutoML cancels an experiment; internal there.</summary>
    private static void Cancel(MLContext context) =>
        typeof(MLContext).GetMethod("CancelExecution", BindingFlags.Instance | BindingFlags.NonPublic)!.Invoke(context, null);

    [TestMethod]
    public void Fit_CanceledWhileAStepWaitsForItsValidation_ValidatesItWhenResumed()
    {
        using var data = new DrawnData();
        var options = DrawnData.Options with { Checkpoints = new() { Folder = data["run"] } };
        var validated = options with { ValidationSet = data.Labeled };
        using var whole = data.Fit(validated with { Checkpoints = new() });
        using var cancellation = new CancellationTokenSource();
        // What is on disk after a cancellation during the validation of step 4: the step, but not its accuracy.
        Assert.ThrowsExactly<OperationCanceledException>(() => data.Fit(options with
        {
            Progress = new Reports(r => { if (r.Step == 4) cancellation.Cancel(); }),
            CancellationToken = cancellation.Token,
        }));
        var reports = new Reports();
        using var resumed = data.Fit(validated with { Progress = reports });
        Assert.AreEqual(4, reports.All[0].Step);
        CollectionAssert.AreEqual(whole.History.Validations.ToArray(), resumed.History.Validations.ToArray());
        DrawnData.AreBitEqual(DrawnData.Weights(whole), DrawnData.Weights(resumed));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    public void Fit_Patience_EndsWithTheBestWeights(int ranks)
    {
        using var data = new DrawnData();
        // So slow that accuracy stays what it is: the first epoch is the best.
        var options = DrawnData.Options with { LearningRate = 1e-6, Epochs = 50, ValidationSet = data.Labeled, Patience = 3 };
        using var first = data.Fit(options with { Checkpoints = new() { Folder = data["whole"], Keep = 1 } });
        var best = first.History.Validations.MaxBy(v => v.Accuracy).Epoch;
        Assert.HasCount(best + 3, first.History.Validations);
        Assert.HasCount(4 * (best + 3), first.History.Steps);
        DataTestRows.Equal(
            [CheckpointFolder.FileName(4 * best), CheckpointFolder.FileName(4 * (best + 3))],
            Directory.GetFiles(data["whole"]).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal));
        using (var saved = Checkpoint.Read(Path.Combine(data["whole"], CheckpointFolder.FileName(4 * best)), 200, CancellationToken.None))
            AreThose(saved, first);

        // Interrupted after the best epoch, and complete already.
        options = options with { Checkpoints = new() { Folder = data["run"], Keep = 1 } };
        using var cancellation = new CancellationTokenSource();
        PrefixClipTransformer[] Fit(PrefixClipOptions fit)
        {
            var results = ThreadGroup.Run(ranks, group => new MLContext(seed: 1).Transforms.PrefixClip(fit with
            {
                ProcessGroup = ranks == 1 ? null : group,
                ValidationSet = group.Rank == 0 ? fit.ValidationSet : null,
            }).Fit(data.View));
            foreach (var (_, fault) in results)
                if (fault is not null) throw fault;
            return [.. results.Select(r => r.Result!)];
        }
        Assert.ThrowsExactly<OperationCanceledException>(() => Fit(options with
        {
            Progress = new Reports(r => { if (r.Step == 4 * best + 5) cancellation.Cancel(); }),
            CancellationToken = cancellation.Token,
        }));
        for (var again = 0; again < 2; again++)
            foreach (var model in Fit(options))
            {
                Assert.HasCount(first.History.Steps.Count, model.History.Steps);
                using var saved = Checkpoint.Read(
                    Path.Combine(data["run"], CheckpointFolder.FileName(4 * best)), 200, CancellationToken.None);
                AreThose(saved, model);
                model.Dispose();
            }
    }

    [TestMethod]
    public void Fit_BestCheckpointIsGone_GoesOnWithAWarning()
    {
        using var data = new DrawnData();
        var options = DrawnData.Options with
        {
            LearningRate = 1e-12,   // all validations are equal, and the first is the best
            Epochs = 4,
            ValidationSet = data.Labeled,
            Patience = 4,
            Checkpoints = new() { Folder = data["run"], Keep = 1 },
        };
        using var whole = data.Fit(options);
        var best = 4 * whole.History.Validations.MaxBy(v => v.Accuracy).Epoch;
        Assert.AreEqual(4, best);
        File.Delete(data[$"run/{CheckpointFolder.FileName(best)}"]);
        var warnings = new List<string>();
        data.Context.Log += (_, e) => { if (e.Kind == Microsoft.ML.Runtime.ChannelMessageKind.Warning) warnings.Add(e.RawMessage); };
        using var resumed = data.Fit(options);
        StringAssert.StartsWith(warnings.Single(), $"The weights of the best validation so far, after step {best}, are lost. Unless a " +
            "later one is better, the model gets those of step 16. The checkpoint '");
        using var last = Checkpoint.Read(data[$"run/{CheckpointFolder.FileName(16)}"], 16, CancellationToken.None);
        AreThose(last, resumed);
    }

    private static void AreThose(Checkpoint saved, PrefixClipTransformer model) => model.Trained.Lend(network =>
    {
        foreach (var ((name, expected), (_, actual)) in saved.WeightsFor(network).Zip(network.Weights))
            Assert.IsTrue(expected.bytes.SequenceEqual(actual.bytes), name);
    });
}
