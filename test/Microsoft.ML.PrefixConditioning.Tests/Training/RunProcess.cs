using System.Diagnostics;
using TorchSharp;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A process that trains with checkpoints until a signal stops it. It writes "step N", and at the end how it ended.</summary>
internal static class RunProcess
{
    private const string DataVariable = "RUN_TEST_DATA";

    public static bool IsThis => Environment.GetEnvironmentVariable(DataVariable) is not null;

    /// <summary>Options of the run, which takes longer than any test.</summary>
    public static PrefixClipOptions Options(DrawnData data) => DrawnData.Options with
    {
        Epochs = 1_000_000,
        Checkpoints = new() { Folder = data["run"], Steps = 10, StopOnSignal = true },
    };

    /// <summary>Starts the process and waits until it has trained some steps.</summary>
    public static Process Start(DrawnData data)
    {
        var process = TestProgram.Start((DataVariable, data[""]), ("OMP_NUM_THREADS", "1"));
        while (process.StandardOutput.ReadLine() is { } line)
            if (line == "step 15") return process;
        throw new AssertFailedException(process.StandardError.ReadToEnd());
    }

    /// <summary>Sends a signal; the process must end within 10 seconds.</summary>
    /// <returns>Its last line.</returns>
    public static string End(Process process, string signal)
    {
        using (process)
            try
            {
                var output = process.StandardOutput.ReadToEndAsync();
                using (var kill = Process.Start("kill", [$"-{signal}", $"{process.Id}"])) kill.WaitForExit();
                Assert.IsTrue(process.WaitForExit(TimeSpan.FromSeconds(10)), "The process did not end within 10 s.");
                return output.Result.TrimEnd().Split('\n')[^1];
            }
            finally
            {
                if (!process.HasExited) process.Kill();
            }
    }

    /// <summary>The work of the started process.</summary>
    public static void Work()
    {
        try
        {
            TorchLibrary.EnsureLoaded();
            torch.set_num_threads(1);
            using var data = new DrawnData(drawn: Environment.GetEnvironmentVariable(DataVariable));
            using var model = data.Fit(Options(data) with { Progress = new Reports(r => Say($"step {r.Step}")) });
        }
        catch (OperationCanceledException e)
        {
            Say(e.Message);
        }
    }

    private static void Say(string line)
    {
        Console.WriteLine(line);
        Console.Out.Flush();
    }
}
