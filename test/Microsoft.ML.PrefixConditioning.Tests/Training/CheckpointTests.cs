using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class CheckpointTests
{
    private static readonly PrefixClipOptions Options = DrawnData.Options with
    {
        Epochs = 3,
        BadRows = BadRowPolicy.Skip,
        Optimizer = new() { GradientClipNorm = 1 }
    };

    public TestContext TestContext { get; set; } = null!;

    /// <summary>Trains until a step and stops there as a user would.</summary>
    private static void Interrupt(DrawnData data, PrefixClipOptions options, int step)
    {
        using var cancellation = new CancellationTokenSource();
        Assert.ThrowsExactly<OperationCanceledException>(
            () => data.Fit(options with
            {
                Progress = new Reports(r => { if (r.Step == step) cancellation.Cancel(); }),
                CancellationToken = cancellation.Token
            }));
    }

    private static string FileOf(PrefixClipOptions options, int step) =>
        Path.Combine(options.Checkpoints.Folder!, CheckpointFolder.FileName(step));

    private static void HasFiles(DrawnData data, params int[] steps) => DataTestRows.Equal(
        [.. steps.Select(CheckpointFolder.FileName)],
        Directory.GetFiles(data["run"]).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal));

    [TestMethod]
    [DataRow(1, 7)]
    [DataRow(5, 7)]
    [DataRow(8, null)]
    public void Fit_InterruptedAndGoneOn_GivesBitEqualWeights(int step, int? seed)
    {
        using var data = new DrawnData();
        data.Break(2, 11, 25);
        var options = Options with { Seed = seed, ValidationSet = Readable(data) };
        using var whole = data.Fit(options);
        TestContext.WriteLine($"seed {seed}");
        var withFolder = options with { Checkpoints = new() { Folder = data["run"] } };
        Interrupt(data, withFolder, step);
        var reports = new Reports();
        using var resumed = data.Fit(withFolder with { Progress = reports });
        Assert.AreEqual(step + 1, reports.All[0].Step);
        Assert.HasCount(12 - step, reports.All);
        if (seed is not null)
        {
            DrawnData.AreBitEqual(DrawnData.Weights(whole), DrawnData.Weights(resumed));
            CollectionAssert.AreEqual(whole.History.Steps.ToArray(), resumed.History.Steps.ToArray());
            CollectionAssert.AreEqual(whole.History.Validations.ToArray(), resumed.History.Validations.ToArray());
        }
        Assert.HasCount(12, resumed.History.Steps);
        Assert.HasCount(3, resumed.History.Validations);
        Assert.AreEqual(3, resumed.History.SkippedRows);
    }

    [TestMethod]
    public void Fit_CrashAfterACheckpoint_GoesOnFromThereWithItsSeed()
    {
        using var data = new DrawnData();
        var options = Options with { Seed = null, Checkpoints = new() { Folder = data["run"], Steps = 3 } };
        var context = new MLContext();   // no seed: every run would draw another
        Assert.ThrowsExactly<NotFiniteNumberException>(() => context.Transforms.PrefixClip(
            options with { Progress = new Reports(r => { if (r.Step == 8) throw new NotFiniteNumberException(); }) }).Fit(data.View));
        var copy = data["copy"];
        Directory.CreateDirectory(copy);
        File.Copy(FileOf(options, 6), Path.Combine(copy, CheckpointFolder.FileName(6)));
        var reports = new Reports();
        using var first = new MLContext().Transforms.PrefixClip(options with { Progress = reports }).Fit(data.View);
        Assert.AreEqual(7, reports.All[0].Step);
        using var second = new MLContext().Transforms.PrefixClip(options with { Checkpoints = new() { Folder = copy } }).Fit(data.View);
        DrawnData.AreBitEqual(DrawnData.Weights(first), DrawnData.Weights(second));
    }

    [TestMethod]
    [DataRow(null, 8)]
    [DataRow(5, 10, DisplayName = "steps that the run's 12 are no multiple of")]
    public void Fit_FinishedRun_GivesItsModelWithoutTraining(int? checkpointSteps, int before)
    {
        using var data = new DrawnData();
        var options = Options with { Checkpoints = new() { Folder = data["run"], Steps = checkpointSteps } };
        using var first = data.Fit(options);
        using var second = data.Fit(options with { Progress = new Reports(_ => Assert.Fail("trained")) });
        DrawnData.AreBitEqual(DrawnData.Weights(first), DrawnData.Weights(second));
        Assert.HasCount(12, second.History.Steps);
        HasFiles(data, before, 12);
    }

    [TestMethod]
    public void Fit_OtherOptionsOrData_IsRefused()
    {
        using var data = new DrawnData();
        var options = Options with { Checkpoints = new() { Folder = data["run"] } };
        Interrupt(data, options, 2);
        void Refused(PrefixClipOptions changed) => Assert.AreEqual(
            $"The checkpoint '{FileOf(options, 2)}' belongs to a run with other options or other data. Images count by path, size and " +
                "time, or by their content with Checkpoints.HashImages. Set Checkpoints.Folder to an empty folder, or delete its files " +
                "to start anew.",
            Assert.ThrowsExactly<InvalidDataException>(() => data.Fit(changed)).Message);
        Refused(options with { LearningRate = 3e-3 });
        Refused(options with { Seed = 8 });
        data.Rows[1].Text = "something else";
        Refused(options);
    }

    [TestMethod]
    public void Fit_DamagedCheckpoint_IsRefused()
    {
        using var data = new DrawnData();
        var options = Options with { Checkpoints = new() { Folder = data["run"], Keep = 1 } };
        Interrupt(data, options, 5);
        var path = FileOf(options, 5);
        var good = File.ReadAllBytes(path);
        void Refused(byte[] bytes, string fault)
        {
            File.WriteAllBytes(path, bytes);
            var before = LiveTensors.Count();
            var error = Assert.ThrowsExactly<InvalidDataException>(() => data.Fit(options));
            StringAssert.StartsWith(error.Message, $"The checkpoint '{path}' is damaged: {fault}");
            StringAssert.EndsWith(error.Message, "Restore it from a copy, or delete it to start anew.");
            Assert.AreEqual(before, LiveTensors.Count());
        }
        byte[] Changed(int at)
        {
            var bytes = good.ToArray();
            bytes[at] ^= 1;
            return bytes;
        }
        Refused([], "The safetensors data end inside the header's length");
        Refused(good[..^1], "The tensors need ");
        Refused([.. good, 0], "The tensors need ");
        Refused(Changed(good.Length - 1), "its SHA-256 is not the one it was saved with.");
        Refused(Changed(good.Length / 2), "its SHA-256 is not the one it was saved with.");
        Refused(Changed(3), "The safetensors header claims ");
        var header = System.Text.Encoding.Latin1.GetString(good);
        byte[] Replaced(string from, string to)
        {
            Assert.AreEqual(from.Length, to.Length);
            Assert.AreNotEqual(header, header.Replace(from, to, StringComparison.Ordinal));
            return System.Text.Encoding.Latin1.GetBytes(header.Replace(from, to, StringComparison.Ordinal));
        }
        Refused(Replaced("\"step\":\"5\"", "\"step\":\"4\""), "its SHA-256 is not the one it was saved with.");
        Refused(Replaced("\"step\":\"5\"", "\"step\":\"x\""), "its seed is '7' and its step 'x' of 12.");
        Refused(Replaced("\"seed\":\"7\"", "\"seed\":\"-\""), "its seed is '-' and its step '5' of 12.");
        Refused(Replaced("\"fingerprint\"", "\"fingerproof\""), "it names no run.");
        Refused(Replaced("\"visual.proj\"", "\"visual.prop\""), "its SHA-256 is not the one it was saved with.");

        File.WriteAllBytes(path, good);
        using var model = data.Fit(options);
        Assert.HasCount(12, model.History.Steps);
    }

    [TestMethod]
    public void Fit_CheckpointOfAnotherShapeWithAValidHash_IsRefused()
    {
        using var data = new DrawnData();
        var options = Options with { Checkpoints = new() { Folder = data["run"] } };
        Interrupt(data, options, 2);
        // The same run as far as the fingerprint says, but with a weight less.
        using var scope = NewDisposeScope();
        using var log = new TrainingLog(
            ((Microsoft.ML.Runtime.IHostEnvironment)data.Context).Register("test"), TestSetup.Of(options), 4, 12);
        log.Steps.AddRange([new(1, 1), new(1, 1)]);
        var rows = data.Tagged(options);
        using var model = SmallModel.Create();
        using var optimizer = new ClipOptimizer([.. model.Weights.Skip(1)], new());
        var tokenizer = ClipTokenizer.Learn(["unused"], 520);
        var fingerprint = RunFingerprint.Of(rows, tokenizer, TestSetup.Of(options));
        using var folder = new CheckpointFolder(data["other"], keep: 1);
        folder.Write(2, null, stream =>
            Checkpoint.Write(stream, fingerprint, 7, model, optimizer, log, new TrainingImages(rows, TestSetup.Of(options), 7)));
        using var checkpoint = folder.Newest(fingerprint, 12, _ => { }, Assert.Fail, CancellationToken.None)!;
        Assert.AreEqual((7UL, 2), (checkpoint.Seed, checkpoint.Step));
        using var whole = new ClipOptimizer(model.Weights, new());
        var error = Assert.ThrowsExactly<InvalidDataException>(() =>
            checkpoint.Restore(model, whole, log, new TrainingImages(rows, TestSetup.Of(options), 7)));
        StringAssert.Contains(error.Message, "is damaged: it has no fitting tensor 'adamw.first.visual.class_embedding'.");
    }

    [TestMethod]
    [DataRow("labeled0.png/run", DisplayName = "below a file")]
    [DataRow("labeled0.png", DisplayName = "a file")]
    public void Fit_UnwritableFolder_SaysSoBeforeTraining(string name)
    {
        using var data = new DrawnData();
        var folder = data[name];
        var error = Assert.ThrowsExactly<IOException>(() =>
            data.Fit(Options with { Checkpoints = new() { Folder = folder }, Progress = new Reports(_ => Assert.Fail("trained")) }));
        StringAssert.StartsWith(error.Message, $"The checkpoint folder '{folder}' cannot be written to: ");
        StringAssert.EndsWith(error.Message, "Set Checkpoints.Folder to a folder that can.");
    }

    [TestMethod]
    public void Fit_FolderVanishesWhileTraining_SaysWhatCannotBeWritten()
    {
        using var data = new DrawnData();
        var options = Options with
        {
            Checkpoints = new() { Folder = data["run"] },
            Progress = new Reports(r => { if (r.Step == 2) Directory.Delete(data["run"], recursive: true); })
        };
        var error = Assert.ThrowsExactly<IOException>(() => data.Fit(options));
        StringAssert.StartsWith(error.Message, $"The checkpoint '{FileOf(options, 4)}' cannot be written: ");
    }

    [TestMethod]
    public void Fit_RestOfAKilledProcess_IsRemoved()
    {
        using var data = new DrawnData();
        var options = Options with { Checkpoints = new() { Folder = data["run"] }, Epochs = 1 };
        Directory.CreateDirectory(data["run"]);
        File.WriteAllText(FileOf(options, 2) + ".tmp-1", "half a checkpoint");
        File.WriteAllText(data["run/.lock"], "process 1 on another machine");
        using var model = data.Fit(options);
        HasFiles(data, 4);
    }

    private static IDataView Readable(DrawnData data)
    {
        var rows = data.Rows.Where((r, i) => r.Label is not null && i is not (2 or 11)).ToArray();
        return data.Context.Data.LoadFromEnumerable(rows);
    }
}
