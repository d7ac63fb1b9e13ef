using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>This program again in a process of its own, for figures that belong to a process: its peak memory, its start.</summary>
internal static class ChildProcess
{
    /// <summary>Runs a command of this program and gives the number that it prints.</summary>
    public static double Number(params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        // Started as 'dotnet NAME.dll', the process is dotnet's own and must be told the name again.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet")
            start.ArgumentList.Add(typeof(ChildProcess).Assembly.Location);
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"'{string.Join(' ', arguments)}' ended with {process.ExitCode}: " +
            $"{output}");
        return double.Parse(output, CultureInfo.InvariantCulture);
    }

    /// <summary>Bytes of memory that this process has had at most.</summary>
    public static long PeakBytes()
    {
        using var self = Process.GetCurrentProcess();
        return self.PeakWorkingSet64;
    }
}
