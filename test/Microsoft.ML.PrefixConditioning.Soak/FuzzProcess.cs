using System.Diagnostics;
using System.Globalization;
using TorchSharp;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A process with little memory that reads changed files of one format. It writes how many were read and how many were
/// refused.</summary>
internal static class FuzzProcess
{
    private const string FormatVariable = "SOAK_FORMAT", FirstVariable = "SOAK_FIRST", InputsVariable = "SOAK_INPUTS";
    private const string ManagedLimit = "0x20000000";   // 512 MiB
    private const string DataLimit = "--data=2147483648";
    private const ulong Purpose = 79;

    private static readonly TimeSpan LongestRead = TimeSpan.FromSeconds(30);

    public static bool IsThis => Environment.GetEnvironmentVariable(FormatVariable) is not null;

    /// <summary>Reads changed files.</summary>
    /// <param name="format">Name of the format.</param>
    /// <param name="first">Seed of the first file; the others follow.</param>
    /// <param name="inputs">Number of files.</param>
    /// <returns>Files read and refused, KiB of managed memory taken per file, and the peak of the process in MiB.</returns>
    public static (int Read, int Refused, long KibPerFile, long PeakMib) Run(string format, int first, int inputs)
    {
        string[] limit = OperatingSystem.IsLinux() && File.Exists("/usr/bin/prlimit") ? ["/usr/bin/prlimit", DataLimit] : [];
        var output = TestProgram.Wait(TestProgram.Start(limit, (FormatVariable, format), (FirstVariable, $"{first}"),
            (InputsVariable, $"{inputs}"), ("DOTNET_GCHeapHardLimit", ManagedLimit)));
        var numbers = output.Split(' ').Select(n => long.Parse(n, CultureInfo.InvariantCulture)).ToArray();
        return ((int)numbers[0], (int)numbers[1], numbers[2], numbers[3]);
    }

    /// <summary>The work of the started process.</summary>
    public static void Work()
    {
        TorchLibrary.EnsureLoaded();
        torch.set_num_threads(1);
        using var folder = new DataTestFolder();
        var format = FuzzFormats.All[Environment.GetEnvironmentVariable(FormatVariable)!](folder);
        var (seed, inputs) = (Number(FirstVariable), Number(InputsVariable));
        var (end, started) = (seed + inputs, Stopwatch.GetTimestamp());
        using var watch = new Timer(_ =>
        {
            if (Stopwatch.GetElapsedTime(Volatile.Read(ref started)) < LongestRead) return;
            Console.WriteLine($"The input with the seed {Volatile.Read(ref seed)} takes longer than {LongestRead}.");
            Environment.Exit(1);
        }, null, LongestRead, TimeSpan.FromSeconds(1));
        var (read, refused, before) = (0, 0, GC.GetTotalAllocatedBytes());
        for (; seed < end; seed++)
        {
            Volatile.Write(ref started, Stopwatch.GetTimestamp());
            File.WriteAllBytes(format.Path, Mutation.Of(format.Valid, SeededRandom.Derive((ulong)seed, Purpose)));
            try
            {
                format.Read(format.Path);
                read++;
            }
            catch (Exception e) when (format.IsRefusal(e))
            {
                refused++;
            }
            catch (Exception e)
            {
                Console.WriteLine($"seed {seed}: {e}");
                Environment.Exit(1);
            }
        }
        using var self = Process.GetCurrentProcess();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{read} {refused} {(GC.GetTotalAllocatedBytes() - before) / inputs >> 10} {self.PeakWorkingSet64 >> 20}"));
    }

    private static int Number(string variable) => int.Parse(Environment.GetEnvironmentVariable(variable)!, CultureInfo.InvariantCulture);
}
