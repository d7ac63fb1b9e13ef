using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using TorchSharp;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A job of processes that train one model over MPI; each rank says on its standard output how it goes.</summary>
internal static class MpiProcess
{
    private const string DataVariable = "MPI_TEST_DATA";
    private const string EpochsVariable = "MPI_TEST_EPOCHS";

    public static bool IsThis => Environment.GetEnvironmentVariable(DataVariable) is not null;

    /// <summary>Options of the job, without its group.</summary>
    public static PrefixClipOptions Options(int epochs) => DrawnData.Options with { Epochs = epochs, BadRows = BadRowPolicy.Skip };

    /// <summary>Starts a job. Where the launcher is not installed, the test is skipped.</summary>
    /// <param name="launcher">As installed by Debian: mpirun.openmpi or mpirun.mpich.</param>
    /// <param name="ranks">Number of processes.</param>
    /// <param name="data">What to train on.</param>
    /// <param name="epochs">Of 4 steps.</param>
    /// <param name="networks">The networks that the ranks are spread over; null for this machine's.</param>
    public static Process Start(string launcher, int ranks, DrawnData data, int epochs, LinkedNetworks? networks = null)
    {
        var path = Environment.GetEnvironmentVariable("PATH") ?? "";
        if (!path.Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, launcher))))
            Assert.Inconclusive($"{launcher} is not installed.");
        string[] asRoot = launcher == "mpirun.openmpi" ? ["--oversubscribe", "--allow-run-as-root"] : [];
        return TestProgram.Start(
            [.. networks?.Enter ?? [], launcher, .. asRoot, .. networks?.Spread(launcher) ?? [],
                "-n", ranks.ToString(CultureInfo.InvariantCulture)],
            [
                (DataVariable, data[""]), (EpochsVariable, epochs.ToString(CultureInfo.InvariantCulture)), ("OMP_NUM_THREADS", "1"),
                ("OMPI_MCA_btl_vader_single_copy_mechanism", "none"),   // containers do not allow it
                .. networks is null ? [] : LinkedNetworks.OverTcp,
            ]);
    }

    /// <summary>The work of one rank. It writes "rank R process ID local rank L" and, on rank 0, "step N"; at the end a file "rankR" with
    /// a hash of the weights and the losses. With 0 epochs, rank 1 fails before training.</summary>
    public static void Work()
    {
        try
        {
            TorchLibrary.EnsureLoaded();
            torch.set_num_threads(1);
            using var group = ProcessGroup.Mpi();
            Say($"rank {group.Rank} process {Environment.ProcessId} local rank {group.LocalRank}");
            using var data = new DrawnData(drawn: Environment.GetEnvironmentVariable(DataVariable));
            var epochs = int.Parse(Environment.GetEnvironmentVariable(EpochsVariable)!, CultureInfo.InvariantCulture);
            if (epochs == 0 && group.Rank == 1) throw new NotSupportedException("Rank 1 does not train.");
            using var model = data.Fit(Options(Math.Max(1, epochs)) with
            {
                ProcessGroup = group,
                Checkpoints = new() { Folder = data["run"], Steps = 10 },
                Progress = new Reports(r => Say($"step {r.Step}")),
            });
            var weights = DrawnData.Weights(model).OrderBy(w => w.Key, StringComparer.Ordinal).SelectMany(w => w.Value).ToArray();
            var losses = model.History.Steps.Select(s => s.Loss.ToString("r", CultureInfo.InvariantCulture));
            File.WriteAllLines(data[$"rank{group.Rank}"], [Convert.ToHexString(SHA256.HashData(weights)), .. losses]);
        }
        catch (Exception e)
        {
            Console.Error.WriteLine(e);
            Environment.Exit(1);
        }
    }

    private static void Say(string line)
    {
        Console.Write(line + "\n");   // in one piece: the launcher mixes the ranks' outputs
        Console.Out.Flush();
    }
}
