using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>The program test/ModelLoading in a process of its own: a bare MLContext, no registration call.</summary>
internal static class ModelLoadingProcess
{
    /// <summary>Loads a model and transforms images with it.</summary>
    /// <returns>The lines that it printed, and its exit code.</returns>
    public static (string[] Lines, int ExitCode) Run(string model, params string[] images)
    {
        using var process = Start("ModelLoading", [model, .. images]);
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode is not (0 or 1)) Assert.Fail($"The process ended with {process.ExitCode}: {output} {error.Result}");
        const StringSplitOptions Lines = StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries;
        return ([.. output.Split('\n', Lines), .. error.Result.Split('\n', Lines)], process.ExitCode);
    }

    /// <summary>Starts a program whose files lie beside the tests.</summary>
    internal static Process Start(string program, params string[] arguments)
    {
        // The runtime that runs the tests, whether or not it is on the path.
        var host = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"));
        if (OperatingSystem.IsWindows()) host += ".exe";
        var start = new ProcessStartInfo(host, [Path.Combine(AppContext.BaseDirectory, $"{program}.dll"), .. arguments])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment["OMP_NUM_THREADS"] = "1";   // as in the tests
        return Process.Start(start)!;
    }
}
