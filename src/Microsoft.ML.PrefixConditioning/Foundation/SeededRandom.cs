namespace Microsoft.ML.PrefixConditioning;

/// <summary>A small deterministic random generator: the same seed gives the same numbers on every machine and in every process.</summary>
/// <remarks>
/// SplitMix64: a counter that grows by the golden ratio, passed through a mixing function
/// (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014, figure 17; constants of Vigna's variant).
/// A mutable struct: pass it by <c>ref</c>, because a copy repeats the original's numbers. Not for cryptography.
/// </remarks>
internal struct SeededRandom
{
    private const int ItemsPerCheck = 1 << 20;
    private const ulong GoldenGamma = 0x9E3779B97F4A7C15;   // 2^64 / golden ratio, made odd
    private ulong _state;

    /// <summary>A generator that starts at a seed as it is; see <see cref="Derive"/> for independent ones.</summary>
    public SeededRandom(ulong seed) => _state = seed;

    /// <summary>A generator for one purpose and position, independent of those for any other.</summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="purpose">What the numbers are for: a constant of the caller.</param>
    /// <param name="index">Position in the run, such as epoch and row: work can then be done in any order, or on any thread.</param>
    public static SeededRandom Derive(ulong seed, ulong purpose, params ReadOnlySpan<ulong> index)
    {
        // Each part is mixed in before the next one is added, so that (1, 2) and (2, 1) differ; the count separates (1) from (1, 0).
        var state = Mix(Mix(seed + GoldenGamma) + purpose + GoldenGamma);
        foreach (var part in index) state = Mix(state + part + GoldenGamma);
        return new SeededRandom(Mix(state + (ulong)index.Length + GoldenGamma));
    }

    /// <summary>The next 64 random bits.</summary>
    public ulong NextUInt64() => Mix(_state += GoldenGamma);

    /// <summary>The next number in [0, 1): one of 2^53 equally likely multiples of 2^-53.</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>The next whole number in [0, <paramref name="max"/>), each equally likely.</summary>
    /// <param name="max">Greater than 0.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="max"/> is 0 or less.</exception>
    public int NextInt32(int max)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        // Lemire, "Fast Random Integer Generation in an Interval" (2019): the high half of a product is the number; the few
        // low halves below 2^64 mod max would make some numbers likelier and are drawn again.
        var range = (ulong)max;
        var high = Math.BigMul(NextUInt64(), range, out ulong low);
        if (low < range)
        {
            var threshold = (0 - range) % range;
            while (low < threshold) high = Math.BigMul(NextUInt64(), range, out low);
        }
        return (int)high;
    }

    /// <summary>Brings the items into a random order, each order equally likely (Fisher and Yates).</summary>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
    public void Shuffle<T>(Span<T> items, CancellationToken cancellation = default)
    {
        for (var last = items.Length - 1; last > 0; last--)
        {
            if (last % ItemsPerCheck == 0) cancellation.ThrowIfCancellationRequested();
            var other = NextInt32(last + 1);
            (items[last], items[other]) = (items[other], items[last]);
        }
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
