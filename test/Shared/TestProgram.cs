using System.Diagnostics;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The running test program, started anew as a process that does other work than tests.</summary>
/// <remarks>The runtime calls the program's <c>StartupHook</c>, which does the work, before its Main, which never runs.</remarks>
internal static class TestProgram
{
    /// <summary>Starts the process.</summary>
    /// <param name="environment">Variables that tell the hook what to do.</param>
    public static Process Start(params IEnumerable<(string Name, string Value)> environment) => Start([], environment);

    /// <summary>Starts the process by another program.</summary>
    /// <param name="launcher">The program and its arguments, which the test program's follow.</param>
    /// <param name="environment">Variables that tell the hook what to do.</param>
    public static Process Start(string[] launcher, params IEnumerable<(string Name, string Value)> environment)
    {
        var assembly = typeof(TestProgram).Assembly.Location;
        var host = Environment.ProcessPath!;
        string[] command = [.. launcher, host, .. Path.GetFileNameWithoutExtension(host) == "dotnet" ? [assembly] : (string[])[]];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DOTNET_STARTUP_HOOKS"] = assembly;
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>Waits until the process ends, which it must do with exit code 0.</summary>
    /// <param name="process">The process.</param>
    /// <param name="excuse">A message that excuses another exit code.</param>
    /// <returns>What it wrote to its standard output, followed by what it wrote to the standard error stream.</returns>
    public static string Wait(Process process, string? excuse = null)
    {
        using (process)
        {
            var error = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd() + error.Result;
            process.WaitForExit();
            if (excuse is null || !output.Contains(excuse, StringComparison.Ordinal)) Assert.AreEqual(0, process.ExitCode, output);
            return output.Trim();
        }
    }
}
