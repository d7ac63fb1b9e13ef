using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>This program again in a process of its own, for figures that belong to a process: its peak memory, its start.</summary>
internal static class ChildProcess
{
    /// <summary>Runs a command of this program and gives the number that it prints.</summary>
    public static double Number(params string[] arguments) => Number([], arguments);

    /// <summary>The same by another program.</summary>
    /// <param name="launcher">The program and its arguments, which this program's follow.</param>
    /// <param name="arguments">Arguments of this program.</param>
    public static double Number(string[] launcher, string[] arguments)
    {
        var program = Environment.ProcessPath!;
        // Started as 'dotnet NAME.dll', the process is dotnet's own and must be told the name again.
        string[] name = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [typeof(ChildProcess).Assembly.Location] : [];
        string[] command = [.. launcher, program, .. name, .. arguments];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true };
        start.Environment["TERM"] = "dumb";   // Open MPI gives ranks a terminal, which .NET would send control sequences
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
