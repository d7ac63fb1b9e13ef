using System.Diagnostics;
using System.Globalization;
using TorchSharp;

// Processes and threads of these tests load the machine by themselves: tests run one after the other.
[assembly: DoNotParallelize]

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>How long the tests go on: a few rounds, or with <c>SOAK_MINUTES</c> as long as that says.</summary>
[TestClass]
public static class Soak
{
    private const int RepeatedTests = 6;   // that share the minutes
    private const int FullInputs = 20_000, ShortInputs = 1000;

    private static readonly double? Minutes =
        Environment.GetEnvironmentVariable("SOAK_MINUTES") is { Length: > 0 } minutes ? double.Parse(minutes, CultureInfo.InvariantCulture)
            : null;

    /// <summary>Changed files of each format.</summary>
    public static int Inputs => Minutes is null ? ShortInputs : FullInputs;

    /// <summary>Makes torch usable in every test.</summary>
    [AssemblyInitialize]
    public static void LoadNativeLibrary(TestContext context)
    {
        _ = context;
        TorchLibrary.EnsureLoaded();
        torch.set_num_threads(1);   // the bits of a sum depend on the number of threads
    }

    /// <summary>Repeats a round: a given number of times, or for its share of the minutes.</summary>
    /// <returns>Number of rounds.</returns>
    public static int Repeat(int rounds, Action<int> round)
    {
        var clock = Stopwatch.StartNew();
        var done = 0;
        for (; Minutes is { } minutes ? done < rounds || clock.Elapsed.TotalMinutes * RepeatedTests < minutes : done < rounds; done++)
            round(done);
        return done;
    }

    /// <summary>Writes a figure beside the test's result.</summary>
    public static void Say(this TestContext context, string figure) => context.DisplayMessage(MessageLevel.Informational,
        $"{context.TestName}: {figure}");
}
