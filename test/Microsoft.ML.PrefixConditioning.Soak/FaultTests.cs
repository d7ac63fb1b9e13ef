using System.Globalization;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What goes wrong around a run: signals, other processes, disks, damaged checkpoints, images that change.</summary>
[TestClass]
public sealed class FaultTests : IDisposable
{
    private const ulong Purpose = 81;

    private static readonly PrefixClipOptions Options = DrawnData.Options with { Epochs = 3, ImageCacheMegabytes = 0 };

    private readonly DrawnData _data = new();

    public TestContext TestContext { get; set; } = null!;

    public void Dispose() => _data.Dispose();

    private PrefixClipOptions Saved => Options with { Checkpoints = new() { Folder = _data["run"] } };

    /// <summary>Runs a process to its end and the rest of its run here, for one more step.</summary>
    private int GoOn()
    {
        using var cancellation = new CancellationTokenSource();
        var reports = new Reports(_ => cancellation.Cancel());
        var error = Assert.ThrowsExactly<OperationCanceledException>(() => _data.Fit(
            RunProcess.Options(_data) with { Progress = reports, CancellationToken = cancellation.Token }));
        Assert.AreEqual(cancellation.Token, error.CancellationToken);
        return reports.All[0].Step;
    }

    /// <summary>Trains to a step and cancels.</summary>
    private T Stop<T>(PrefixClipOptions options, int step) where T : Exception
    {
        using var cancellation = new CancellationTokenSource();
        return Assert.ThrowsExactly<T>(() => _data.Fit(options with
        {
            Progress = new Reports(r => { if (r.Step == step) cancellation.Cancel(); }),
            CancellationToken = cancellation.Token,
        }));
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux | OperatingSystems.OSX)]
    [DataRow("TERM")]
    [DataRow("INT")]
    [Timeout(120_000)]
    public void Fit_Signal_SavesAfterTheStepAndSaysWhere(string signal)
    {
        var process = RunProcess.Start(_data);
        Assert.IsTrue(process.HasReached(15));
        var last = RunProcess.End(process, signal);
        StringAssert.Matches(last, new("^Training was canceled after step [0-9]+ of 4000000. The run is saved in '.*run'; Fit with the " +
            "same options and data resumes it.$"));
        Assert.AreEqual(int.Parse(last.Split(' ')[5], CultureInfo.InvariantCulture) + 1, GoOn());
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux | OperatingSystems.OSX)]
    [Timeout(120_000)]
    public void Fit_FolderOfARunningProcess_IsRefusedUntilItIsKilled()
    {
        var process = RunProcess.Start(_data);
        Assert.IsTrue(process.HasReached(15));
        var error = Assert.ThrowsExactly<IOException>(() => _data.Fit(RunProcess.Options(_data)));
        Assert.AreEqual($"The checkpoint folder '{_data["run"]}' is in use by another process, which its file '{_data["run/.lock"]}' " +
            "names. Wait until that process has ended, or set Checkpoints.Folder to another folder.", error.Message);
        RunProcess.End(process, "KILL");
        StringAssert.StartsWith(File.ReadAllText(_data["run/.lock"]), "process ");
        Assert.AreEqual(1, GoOn() % 10, "resumed after a checkpoint");
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public void Fit_CanceledWhileTheDiskIsFull_SaysWhatCannotBeWritten() => TestSystem.OnSmallDisk(_data["run"], "rw", () =>
    {
        var message = Stop<IOException>(Saved, 2).Message;
        StringAssert.StartsWith(message, $"The checkpoint '{_data[$"run/{CheckpointFolder.FileName(2)}"]}' cannot be written: ");
        StringAssert.EndsWith(message, "Free space there, or set Checkpoints.Folder to another folder.");
        Assert.IsEmpty(Directory.GetFiles(_data["run"]));
    });

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public void Fit_ReadOnlyFolder_IsRefusedBeforeTheFirstStep() => TestSystem.OnSmallDisk(_data["run"], "ro", () =>
    {
        var reports = new Reports();
        var message = Assert.ThrowsExactly<IOException>(() => _data.Fit(Saved with { Progress = reports })).Message;
        StringAssert.StartsWith(message, $"The checkpoint folder '{_data["run"]}' cannot be written to: ");
        Assert.IsEmpty(reports.All);
    });

    [TestMethod]
    [OSCondition(OperatingSystems.Linux | OperatingSystems.OSX)]
    public void Fit_FolderIsRemoved_SaysWhatCannotBeWritten()
    {
        var options = Saved with { Progress = new Reports(r => { if (r.Step == 2) Directory.Delete(_data["run"], recursive: true); }) };
        var message = Assert.ThrowsExactly<IOException>(() => _data.Fit(options)).Message;
        StringAssert.StartsWith(message, $"The checkpoint '{_data[$"run/{CheckpointFolder.FileName(4)}"]}' cannot be written: ");
    }

    [TestMethod]
    public void Fit_FlippedBitInTheNewestCheckpoint_EndsWithTheSameWeights()
    {
        using var whole = _data.Fit(Options);
        var expected = DrawnData.Weights(whole);
        var flips = Soak.Repeat(3, round =>
        {
            Stop<OperationCanceledException>(Saved, 6);
            Flip(_data[$"run/{CheckpointFolder.FileName(6)}"], SeededRandom.Derive((ulong)round, Purpose));
            using (var resumed = _data.Fit(Saved)) DrawnData.AreBitEqual(expected, DrawnData.Weights(resumed));
            Directory.Delete(_data["run"], recursive: true);
        });
        TestContext.Say($"{flips} checkpoints with a flipped bit; all weights are bit-equal");
    }

    private static void Flip(string path, SeededRandom random)
    {
        using var file = File.Open(path, FileMode.Open);
        file.Position = random.NextInt32((int)file.Length);
        var value = file.ReadByte();
        file.Position--;
        file.WriteByte((byte)(value ^ (1 << random.NextInt32(8))));
    }

    [TestMethod]
    [DataRow(BadRowPolicy.Fail)]
    [DataRow(BadRowPolicy.Skip)]
    public void Fit_ImagesAreDeletedAndReplaced_ObeysThePolicy(BadRowPolicy policy)
    {
        var options = Options with
        {
            Epochs = 10,
            BadRows = policy,
            MaxBadRowFraction = 0.2,
            Progress = new Reports(r =>
            {
                if (r.Step != 3) return;
                File.Delete(_data.Rows[0].Image);
                _data.Break(20);
                File.Copy(_data.Rows[2].Image, _data.Rows[3].Image, overwrite: true);
            }),
        };
        if (policy == BadRowPolicy.Fail) Assert.ThrowsExactly<InvalidDataException>(() => _data.Fit(options));
        else
            using (var model = _data.Fit(options))
                Assert.AreEqual(2, model.History.SkippedRows);
    }
}
