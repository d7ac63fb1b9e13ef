using System.Diagnostics;

namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>Two ways of the same work, timed in turns, so that a busy or slow moment of the machine meets both.</summary>
internal static class Pairs
{
    /// <summary>Median seconds of both ways, and the median of the pairs' quotients (other over ours).</summary>
    public static (double Ours, double Other, double Speedup) Run(int pairs, Func<double> ours, Func<double> other)
    {
        ours();    // compiled and memory at hand
        other();
        var times = Enumerable.Range(0, pairs).Select(i => i % 2 == 0 ? InOrder(ours, other) : Swapped(InOrder(other, ours))).ToArray();
        return (Median(times.Select(t => t.First)), Median(times.Select(t => t.Second)), Median(times.Select(t => t.Second / t.First)));
    }

    /// <summary>Seconds that some work takes.</summary>
    public static double Time(Action work)
    {
        var start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>The middle value; of an even number the mean of the two in the middle.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static (double First, double Second) InOrder(Func<double> first, Func<double> second)
    {
        var time = first();
        return (time, second());
    }

    private static (double First, double Second) Swapped((double First, double Second) times) => (times.Second, times.First);
}
