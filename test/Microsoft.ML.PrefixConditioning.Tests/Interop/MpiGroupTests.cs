using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Training as processes under the installed MPIs. Without one of them, its tests are reported as skipped.</summary>
[TestClass]
public sealed class MpiGroupTests
{
    private const string OpenMpi = "mpirun.openmpi", Mpich = "mpirun.mpich";

    [TestMethod]
    [Timeout(180_000)]
    [DataRow(OpenMpi, 2)]
    [DataRow(OpenMpi, 3)]
    [DataRow(OpenMpi, 4)]
    [DataRow(Mpich, 2)]
    [DataRow(Mpich, 3)]
    [DataRow(Mpich, 4)]
    public void Fit_Processes_HaveTheLossesOfOneProcess(string launcher, int ranks)
    {
        using var data = new DrawnData();
        data.Break(5);
        var output = TestProgram.Wait(MpiProcess.Start(launcher, ranks, data, epochs: 13));
        for (var rank = 0; rank < ranks; rank++) Assert.MatchesRegex($@"rank {rank} process \d+ local rank {rank}\b", output);
        AreThoseOfOneProcess(data, ranks, epochs: 13);
    }

    [TestMethod]
    [Timeout(180_000)]
    [DataRow(OpenMpi)]
    [DataRow(Mpich)]
    public void Fit_LinkedNetworks_HaveTheLossesOfOneProcess(string launcher)
    {
        using var data = new DrawnData();
        using var networks = new LinkedNetworks(data["agent"]);
        var job = MpiProcess.Start(launcher, 2, data, epochs: 13, networks);
        // MPICH over TCP at times cannot end after all work is done (docs/scaling.md); its launcher then reports a failure.
        var output = TestProgram.Wait(job, excuse: launcher == Mpich ? "has finished, but MPI does not end" : null);
        foreach (var rank in new[] { 0, 1 }) Assert.MatchesRegex($@"rank {rank} process \d+ local rank 0\b", output);
        AreThoseOfOneProcess(data, ranks: 2, epochs: 13);
    }

    [TestMethod]
    [Timeout(180_000)]
    [DataRow(OpenMpi, "lost communication with a remote daemon")]
    [DataRow(Mpich, "has heard nothing from rank 1 for 8 seconds")]
    public void Fit_LinkGoesDown_EndsTheJobWithAMessage(string launcher, string message)
    {
        using var data = new DrawnData();
        using var networks = new LinkedNetworks(data["agent"]);
        var commandLine = "";
        var output = EndsWithin(seconds: 15, MpiProcess.Start(launcher, 2, data, epochs: 1_000_000, networks), rank1 =>
        {
            commandLine = $"/proc/{rank1}/cmdline";
            networks.Cut();
        });
        StringAssert.Contains(output, message);
        Assert.IsTrue(SpinWait.SpinUntil(() => !File.Exists(commandLine) || File.ReadAllText(commandLine).Length == 0,
            TimeSpan.FromSeconds(10)), "Rank 1 goes on behind the link.");
    }

    private static void AreThoseOfOneProcess(DrawnData data, int ranks, int epochs)
    {
        using var one = data.Fit(MpiProcess.Options(epochs));
        var results = Enumerable.Range(0, ranks).Select(rank => File.ReadAllLines(data[$"rank{rank}"])).ToArray();
        foreach (var other in results) CollectionAssert.AreEqual(results[0], other);
        var losses = results[0][1..].Select(l => float.Parse(l, CultureInfo.InvariantCulture)).ToArray();
        Assert.HasCount(one.History.Steps.Count, losses);
        foreach (var (expected, actual) in one.History.Steps.Zip(losses)) Assert.AreEqual(expected.Loss, actual, 1e-5 * expected.Loss);
    }

    [TestMethod]
    [Timeout(180_000)]
    [DataRow(OpenMpi)]
    [DataRow(Mpich)]
    public void Fit_KilledRank_EndsTheJobAndOtherRanksGoOn(string launcher)
    {
        using var data = new DrawnData();
        data.Break(5);
        EndsWithin(seconds: 10, MpiProcess.Start(launcher, 3, data, epochs: 16), rank1 => Signal("KILL", rank1));
        var output = TestProgram.Wait(MpiProcess.Start(launcher, 2, data, epochs: 16));
        Assert.DoesNotContain("step 1\n", output, "resumed");
        AreThoseOfOneProcess(data, ranks: 2, epochs: 16);
    }

    [TestMethod]
    [Timeout(180_000)]
    [DataRow(OpenMpi)]
    [DataRow(Mpich)]
    public void Fit_SilentRank_EndsTheJobWithAMessage(string launcher)
    {
        using var data = new DrawnData();
        var output = EndsWithin(seconds: 15, MpiProcess.Start(launcher, 3, data, epochs: 1_000_000), rank1 => Signal("STOP", rank1));
        StringAssert.Contains(output, "has heard nothing from rank 1 for 8 seconds");
    }

    [TestMethod]
    [Timeout(180_000)]
    [DataRow(OpenMpi)]
    [DataRow(Mpich)]
    public void Fit_RankThatLeft_EndsTheJobWithAMessage(string launcher)
    {
        using var data = new DrawnData();
        using var job = MpiProcess.Start(launcher, 3, data, epochs: 0);
        var error = job.StandardError.ReadToEndAsync();
        var output = job.StandardOutput.ReadToEnd() + error.Result;
        job.WaitForExit();
        Assert.AreNotEqual(0, job.ExitCode);
        StringAssert.Contains(output, "NotSupportedException: Rank 1 does not train.");
        StringAssert.Contains(output, "Rank 2 waits for the other ranks, but rank 1 has left the group");
    }

    [TestMethod]
    public void Load_NoLibrary_NamesThePackages()
    {
        var message = Assert.ThrowsExactly<DllNotFoundException>(() => MpiLibrary.Load(["libno-mpi.so.1", "libno-mpi.so.2"])).Message;
        foreach (var part in new[] { "libno-mpi.so.1, libno-mpi.so.2", "Debian", "openmpi-bin", "Red Hat", "module load", "msmpisetup" })
            StringAssert.Contains(message, part);
    }

    [TestMethod]
    [DataRow("OMPI_COMM_WORLD_SIZE", "libmpi.so.40")]
    [DataRow("PMI_SIZE", "libmpich.so.12")]
    [DataRow("none", "libmpi.so.40")]
    [OSCondition(OperatingSystems.Linux)]
    public void Names_Launcher_DecidesTheOrder(string variable, string first)
    {
        string? Value(string name) => name == variable ? "4" : null;
        Assert.AreEqual(first, MpiLibrary.Names(Value)[0]);
        Assert.HasCount(3, MpiLibrary.Names(Value));
        Assert.AreEqual(variable == "none" ? null : 4, MpiLibrary.LaunchedCount(Value));
    }

    private static void Signal(string signal, string process)
    {
        using var kill = Process.Start("kill", [$"-{signal}", process]);
        kill.WaitForExit();
    }

    /// <summary>Does harm in the middle of training, and waits until the job fails.</summary>
    /// <param name="seconds">In which it must fail.</param>
    /// <param name="job">The job.</param>
    /// <param name="harm">Gets the id of rank 1's process.</param>
    /// <returns>What the job wrote.</returns>
    private static string EndsWithin(int seconds, Process job, Action<string> harm)
    {
        using (job)
            try
            {
                var error = job.StandardError.ReadToEndAsync();
                var (output, rank1) = ("", "");
                while (rank1.Length == 0 || !output.Contains("step 20\n", StringComparison.Ordinal))
                {
                    output += (job.StandardOutput.ReadLine() ?? throw new AssertFailedException(output + error.Result)) + "\n";
                    rank1 = Regex.Match(output, @"rank 1 process (\d+)").Groups[1].Value;
                }
                var rest = job.StandardOutput.ReadToEndAsync();
                harm(rank1);
                Assert.IsTrue(job.WaitForExit(TimeSpan.FromSeconds(seconds)), $"The job did not end within {seconds} s.");
                Assert.AreNotEqual(0, job.ExitCode);
                return rest.Result + error.Result;
            }
            finally
            {
                if (!job.HasExited) job.Kill(entireProcessTree: true);
            }
    }
}
