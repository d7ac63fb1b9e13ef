using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A process that trains with checkpoints until it is stopped or complete. It writes "step N", and at the end how it
/// ended.</summary>
internal static class RunProcess
{
    private const string DataVariable = "SOAK_RUN", EpochsVariable = "SOAK_RUN_EPOCHS";
    private const int Endless = 1_000_000;

    public static bool IsThis => Environment.GetEnvironmentVariable(DataVariable) is not null;

    /// <summary>Options of the run.</summary>
    /// <param name="data">The rows, and below their folder the checkpoints.</param>
    /// <param name="epochs">By default so many that the run takes longer than any test.</param>
    public static PrefixClipOptions Options(DrawnData data, int epochs = Endless) => DrawnData.Options with
    {
        Epochs = epochs,
        BadRows = BadRowPolicy.Skip,
        MaxBadRowFraction = 0.2,
        Checkpoints = new() { Folder = data["run"], Steps = epochs == Endless ? 10 : 1, StopOnSignal = true },
    };

    /// <summary>Starts the process.</summary>
    public static Process Start(DrawnData data, int epochs = Endless) => TestProgram.Start(
        (DataVariable, data[""]), (EpochsVariable, epochs.ToString(CultureInfo.InvariantCulture)), ("OMP_NUM_THREADS", "1"));

    /// <summary>Reads what the process writes until it has trained to a step.</summary>
    /// <returns>False if it ended before.</returns>
    public static bool HasReached(this Process process, int step)
    {
        while (process.StandardOutput.ReadLine() is { } line)
            if (line.StartsWith("step ", StringComparison.Ordinal) && int.Parse(line.AsSpan(5), CultureInfo.InvariantCulture) >= step)
                return true;
        return false;
    }

    /// <summary>Sends a signal; the process must end within 10 seconds.</summary>
    /// <returns>Its last line.</returns>
    public static string End(Process process, string signal)
    {
        using (process)
            try
            {
                var output = process.StandardOutput.ReadToEndAsync();
                TestSystem.Run("kill", $"-{signal}", $"{process.Id}");
                Assert.IsTrue(process.WaitForExit(TimeSpan.FromSeconds(10)), "The process did not end within 10 s.");
                return output.Result.TrimEnd().Split('\n')[^1];
            }
            finally
            {
                if (!process.HasExited) process.Kill();
            }
    }

    /// <summary>Where a complete run writes its weights.</summary>
    public static string Result(DrawnData data) => data["result.safetensors"];

    [DllImport("libc", EntryPoint = "signal")]
    private static extern nint SetSignalHandler(int signal, nint handler);

    /// <summary>The work of the started process.</summary>
    public static void Work()
    {
        try
        {
            // A shell without job control starts its background jobs with SIGINT ignored, and .NET leaves it so.
            if (!OperatingSystem.IsWindows()) _ = SetSignalHandler(2, 0);
            TorchLibrary.EnsureLoaded();
            torch.set_num_threads(1);
            using var data = new DrawnData(drawn: Environment.GetEnvironmentVariable(DataVariable));
            var epochs = int.Parse(Environment.GetEnvironmentVariable(EpochsVariable)!, CultureInfo.InvariantCulture);
            using var model = data.Fit(Options(data, epochs) with { Progress = new Reports(r => Say($"step {r.Step}")) });
            using var file = File.Create(Result(data));
            model.Trained.Lend(network => Safetensors.Write(file, [.. network.Weights]));
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
