namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Training on several ranks, which are threads here, against training in one process.</summary>
[TestClass]
public sealed class DistributedFitTests
{
    private static readonly PrefixClipOptions Options = DrawnData.Options with { Epochs = 6 };   // 24 steps

    // 52 steps at the default learning rate: at a higher one the drawings are known by heart, and the last digits decide the loss.
    private static readonly PrefixClipOptions Long = Options with { Epochs = 13, LearningRate = 5e-4 };

    private static readonly Dictionary<string, PrefixClipOptions> Variants = new(StringComparer.Ordinal)
    {
        ["clip"] = Long,
        ["unicl, mixed"] = Long with { Loss = LossFunction.UniCl, BatchComposition = BatchComposition.Mixed },
        ["siglip"] = Long with { Loss = LossFunction.SigLip },
        ["chunks, clipped"] = Long with { ChunkSize = 2, Optimizer = new() { GradientClipNorm = 0.5 } },
        ["image prefixes, flips"] = Long with { ImagePrefixLength = 1, Augmentation = new() { HorizontalFlipProbability = 0.5 } },
        ["frozen tower"] = Long with
        {
            FineTuning = new() { TrainableParts = TrainableParts.Text | TrainableParts.Prefixes | TrainableParts.Projections },
        },
        ["frozen scale, tensors"] = Long with
        {
            UseTensorOperations = true,
            FineTuning = new() { TrainableParts = TrainableParts.Vision | TrainableParts.Text },
        },
        ["repeated texts"] = Long with { PromptTemplates = PromptTemplates.NameOnly, BatchSize = 2, Epochs = 4 },
        ["swin, dropped branches"] = Long with { Architecture = SwinModel.WithDepth(0.3) },
    };

    public static IEnumerable<string> Cases => Variants.Keys;

    [TestMethod]
    [DynamicData(nameof(Cases))]
    public void Fit_Ranks_HaveTheLossesOfOneProcess(string variant)
    {
        using var data = new DrawnData();
        var options = Variants[variant];
        using var one = data.Fit(options);
        foreach (var ranks in new[] { 2, 3, 4 }) AreEqual(one, Fit(data, options, ranks));
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void Fit_BadImages_AreReplacedAlike(int ranks)
    {
        using var data = new DrawnData();
        data.Break(2, 3, 11, 25);
        var options = Options with { BadRows = BadRowPolicy.Skip, MaxBadRowFraction = 0.2 };
        using var one = data.Fit(options);
        Assert.AreEqual(4, one.History.SkippedRows);
        AreEqual(one, Fit(data, options, ranks));
    }

    [TestMethod]
    public void Fit_BadImage_EndsAllRanks()
    {
        using var data = new DrawnData();
        data.Break(5);
        var faults = Faults(Fit(data, Options, 3));
        foreach (var fault in faults) Assert.IsInstanceOfType<InvalidDataException>(fault);
        Assert.HasCount(2, faults.Where(f => f.Message.StartsWith("Rank ", StringComparison.Ordinal)).ToArray());
        foreach (var fault in faults) StringAssert.Contains(fault.Message, "Row 6: ");
    }

    [TestMethod]
    public void Fit_TooManyBadImages_EndAllRanks()
    {
        using var data = new DrawnData();
        data.Break(1, 4, 9, 20, 26);
        var options = Options with { BadRows = BadRowPolicy.Skip };   // at most 3
        foreach (var fault in Faults(Fit(data, options, 2))) Assert.Contains("rows cannot be used, more than", fault.Message);
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    public void Fit_CanceledRank_EndsAllAndGoesOnWithOtherRanks(int canceled)
    {
        using var data = new DrawnData();
        data.Break(7);
        var options = Options with
        {
            BadRows = BadRowPolicy.Skip,
            ValidationSet = data.Context.Data.LoadFromEnumerable(data.Rows.Where(r => r.Label is not null && r != data.Rows[7])),
        };
        using var whole = data.Fit(options);
        options = options with { Checkpoints = new() { Folder = data["run"] } };

        using var cancellation = new CancellationTokenSource();
        var results = Fit(data, options, 2, (o, rank) => o with
        {
            Progress = new Reports(r => { if (r.Step == 9) cancellation.Cancel(); }),
            CancellationToken = rank == canceled ? cancellation.Token : default,
            Checkpoints = rank == 0 ? o.Checkpoints : new() { Folder = data["nowhere"] },
        });
        foreach (var fault in Faults(results)) Assert.IsInstanceOfType<OperationCanceledException>(fault);
        Assert.IsFalse(Directory.Exists(data["nowhere"]), "only rank 0 writes checkpoints");

        var reports = new Reports();
        AreEqual(whole, Fit(data, options, 3, (o, _) => o with { Progress = reports }));
        var resumed = reports.All[0].Step;
        Assert.IsTrue(resumed is 10 or 11, $"resumed with step {resumed}");   // another rank may be in its next step already
        Assert.HasCount(25 - resumed, reports.All, "rank 0 alone reports");
        Assert.HasCount(4, reports.All.Where(r => r.ValidationAccuracy is not null).ToArray());
    }

    [TestMethod]
    public void Fit_FaultOnOneRank_ReachesAll()
    {
        using var data = new DrawnData();
        var results = Fit(data, Options, 3, (o, _) => o with
        {
            Progress = new Reports(r => { if (r.Step == 5) throw new NotFiniteNumberException("no number"); }),
        });
        var faults = Faults(results);
        Assert.IsInstanceOfType<NotFiniteNumberException>(faults[0]);
        foreach (var fault in faults[1..])
            Assert.AreEqual("Rank 0: NotFiniteNumberException: no number", ((InvalidOperationException)fault).Message);
    }

    [TestMethod]
    public void Fit_FaultBeforeTheFirstStep_ReachesAll()
    {
        using var data = new DrawnData();
        var faults = Faults(Fit(data, Options, 2, (o, rank) => rank == 0 ? o : o with { VocabularyPath = data["missing"] }));
        Assert.StartsWith("Rank 1: FileNotFoundException: ", faults[0].Message);
        Assert.IsInstanceOfType<FileNotFoundException>(faults[1]);
    }

    [TestMethod]
    public void Fit_OtherRuns_AreNamed()
    {
        using var data = new DrawnData();
        void Differs(Func<PrefixClipOptions, int, PrefixClipOptions> change, params string[] expected)
        {
            foreach (var fault in Faults(Fit(data, Options, 3, change)))
                Assert.AreEqual($"All ranks must train the same run, but these differ: {string.Join(", ", expected)}.",
                    ((InvalidOperationException)fault).Message);
        }
        Differs((o, rank) => rank == 2 ? o with { LearningRate = 0.5 } : o, "LearningRate (0.002 on rank 0, 0.5 on rank 2)");
        Differs((o, rank) => rank == 1 ? o with { BadRows = BadRowPolicy.Skip, BatchSize = 4 } : o,
            "BatchSize (8 on rank 0, 4 on rank 1)", "BadRows (0 on rank 0, 1 on rank 1)");
        Differs((o, rank) => rank == 1 ? o with { Seed = 8 } : o,
            "Seed (7 on rank 0, 8 on rank 1)", "the initial weights (rank 0 and rank 1)");
    }

    [TestMethod]
    public void Fit_OtherRows_AreNamed()
    {
        using var data = new DrawnData();
        foreach (var fault in Faults(Fit(data, Options, 2, rows: rank => data.Rows.Skip(rank))))
            Assert.EndsWith("but these differ: the rows (rank 0 and rank 1).", fault.Message);
    }

    private static (PrefixClipTransformer? Result, Exception? Fault)[] Fit(
        DrawnData data, PrefixClipOptions options, int ranks, Func<PrefixClipOptions, int, PrefixClipOptions>? change = null,
        Func<int, IEnumerable<DrawnData.Row>>? rows = null) => ThreadGroup.Run(ranks, group =>
        {
            var context = new MLContext(seed: 1);
            var own = (change?.Invoke(options, group.Rank) ?? options) with { ProcessGroup = group };
            return context.Transforms.PrefixClip(own).Fit(context.Data.LoadFromEnumerable(rows?.Invoke(group.Rank) ?? data.Rows));
        });

    private static Exception[] Faults((PrefixClipTransformer? Result, Exception? Fault)[] results)
    {
        foreach (var (model, _) in results) Assert.IsNull(model);
        return [.. results.Select(r => r.Fault!)];
    }

    private static void AreEqual(PrefixClipTransformer one, (PrefixClipTransformer? Result, Exception? Fault)[] results)
    {
        foreach (var (_, fault) in results) Assert.IsNull(fault, fault?.ToString());
        var models = results.Select(r => r.Result!).ToArray();
        foreach (var model in models)
        {
            DrawnData.AreBitEqual(DrawnData.Weights(models[0]), DrawnData.Weights(model));
            Assert.AreEqual(one.History.SkippedRows, model.History.SkippedRows);
            CollectionAssert.AreEqual(one.History.Validations.ToArray(), model.History.Validations.ToArray());
            Assert.HasCount(one.History.Steps.Count, model.History.Steps);
            foreach (var (expected, actual) in models[0].Trained.Summaries!.Zip(model.Trained.Summaries!))
                CollectionAssert.AreEqual(expected.Mean, actual.Mean);
            CollectionAssert.AreEqual(models[0].History.Steps.ToArray(), model.History.Steps.ToArray());
            foreach (var (expected, actual) in one.History.Steps.Zip(model.History.Steps))
            {
                Assert.AreEqual(expected.Loss, actual.Loss, 1e-5 * expected.Loss, $"{results.Length} ranks");
                Assert.AreEqual(expected.LearningRate, actual.LearningRate);
            }
        }
        foreach (var model in models) model.Dispose();
    }
}
