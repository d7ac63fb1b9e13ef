using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class CheckpointFolderTests
{
    private static readonly PrefixClipOptions Options = DrawnData.Options with { Epochs = 3 };

    private static string[] Names(string folder) =>
        [.. Directory.GetFiles(folder).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    private static void Interrupt(DrawnData data, PrefixClipOptions options, int step)
    {
        using var cancellation = new CancellationTokenSource();
        Assert.ThrowsExactly<OperationCanceledException>(() => data.Fit(options with
        {
            Progress = new Reports(r => { if (r.Step == step) cancellation.Cancel(); }),
            CancellationToken = cancellation.Token,
        }));
    }

    private static void Damage(string path)
    {
        var bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 1;
        File.WriteAllBytes(path, bytes);
    }

    [TestMethod]
    public void Write_SeveralSteps_KeepsTheLastAndTheBest()
    {
        using var data = new DrawnData();
        using var folder = new CheckpointFolder(data["run"], keep: 2);
        foreach (var (step, best) in new (int, int?)[] { (3, null), (4, 4), (6, 4), (8, 4), (9, 4), (12, 12) })
        {
            folder.Write(step, best, stream => stream.WriteByte(1));
            if (step == 9) HasFiles(4, 8, 9);
        }
        HasFiles(9, 12);
        void HasFiles(params int[] steps) =>
            DataTestRows.Equal([".lock", .. steps.Select(CheckpointFolder.FileName)], Names(data["run"]));
    }

    [TestMethod]
    public void Fit_DamagedNewest_FallsBackToTheOneBefore()
    {
        using var data = new DrawnData();
        using var whole = data.Fit(Options);
        var options = Options with { Checkpoints = new() { Folder = data["run"] } };
        Interrupt(data, options, 6);
        string before = data[$"run/{CheckpointFolder.FileName(4)}"], newest = data[$"run/{CheckpointFolder.FileName(6)}"];
        Damage(newest);
        var (warnings, reports) = (new List<string>(), new Reports());
        data.Context.Log += (_, e) => { if (e.Kind == ChannelMessageKind.Warning) warnings.Add(e.RawMessage); };
        using var resumed = data.Fit(options with { Progress = reports });
        Assert.AreEqual(5, reports.All[0].Step);
        DataTestRows.Equal(
            [$"The checkpoint '{newest}' is damaged: its SHA-256 is not the one it was saved with. The run goes on from '{before}'."],
            warnings);
        DrawnData.AreBitEqual(DrawnData.Weights(whole), DrawnData.Weights(resumed));
        DataTestRows.Equal([CheckpointFolder.FileName(8), CheckpointFolder.FileName(12)], Names(data["run"]));
    }

    [TestMethod]
    public void Fit_NoneIsWhole_NamesAll()
    {
        using var data = new DrawnData();
        var options = Options with { Checkpoints = new() { Folder = data["run"] } };
        Interrupt(data, options, 6);
        string before = data[$"run/{CheckpointFolder.FileName(4)}"], newest = data[$"run/{CheckpointFolder.FileName(6)}"];
        Damage(newest);
        File.WriteAllText(before, "");
        var message = Assert.ThrowsExactly<InvalidDataException>(() => data.Fit(options)).Message;
        StringAssert.StartsWith(message, $"The checkpoint '{newest}' is damaged: its SHA-256 is not the one it was saved with. The " +
            $"checkpoint '{before}' is damaged: The safetensors data end inside the header's length");
        StringAssert.EndsWith(message, "Restore one of them from a copy, or delete them to start anew.");
    }

    [TestMethod]
    public void Fit_UnreadableCheckpoint_SaysSo()
    {
        using var data = new DrawnData();
        var options = Options with { Checkpoints = new() { Folder = data["run"] } };
        Interrupt(data, options, 2);
        var path = data[$"run/{CheckpointFolder.FileName(2)}"];
        using var held = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);   // root may read any file
        var message = Assert.ThrowsExactly<IOException>(() => data.Fit(options)).Message;
        StringAssert.StartsWith(message, $"The checkpoint '{path}' cannot be read: ");
        StringAssert.EndsWith(message, "Make it readable for this process, or set Checkpoints.Folder to another folder.");
    }

    [TestMethod]
    public void Newest_Canceled_Throws()
    {
        using var data = new DrawnData();
        Interrupt(data, Options with { Checkpoints = new() { Folder = data["run"] } }, 2);
        using var folder = new CheckpointFolder(data["run"], keep: 1);
        Assert.ThrowsExactly<OperationCanceledException>(
            () => folder.Newest("", 12, _ => { }, Assert.Fail, new CancellationToken(canceled: true)));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    public void Fit_Minutes_SavesInAdditionToEpochs(int ranks)
    {
        using var data = new DrawnData();
        var options = Options with { Checkpoints = new() { Folder = data["run"], Minutes = 1e-9, Keep = 100 } };
        var results = ThreadGroup.Run(ranks, group => new MLContext(seed: 1).Transforms.PrefixClip(
            ranks == 1 ? options : options with { ProcessGroup = group }).Fit(data.View));
        foreach (var (model, fault) in results)
        {
            Assert.IsNull(fault, fault?.ToString());
            model!.Dispose();
        }
        DataTestRows.Equal([.. Enumerable.Range(1, 12).Select(CheckpointFolder.FileName)], Names(data["run"]));
    }
}
