namespace Samples;

/// <summary>A small random generator whose numbers are the same on every machine and in every version of .NET.</summary>
/// <remarks>Source: SplitMix64, in Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.</remarks>
internal sealed class SplitMix
{
    private ulong _state;

    private SplitMix(ulong state) => _state = state;

    /// <summary>The generator of one picture: its numbers depend on nothing else, so pictures can be drawn in any order.</summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="picture">Number of the picture.</param>
    public static SplitMix For(int seed, int picture)
    {
        var generator = new SplitMix((uint)seed);
        generator._state = generator.Next() + (uint)picture;
        generator._state = generator.Next();
        return generator;
    }

    /// <summary>A number from <paramref name="low"/> to <paramref name="high"/>, all equally likely.</summary>
    public float Between(float low, float high) => low + (high - low) * (Next() >> 40) / (1 << 24);

    /// <summary>A whole number from 0 to <paramref name="count"/> - 1.</summary>
    public int Below(int count) => (int)((Next() >> 32) * (ulong)count >> 32);

    /// <summary>True in this share of the calls.</summary>
    /// <param name="probability">0 to 1.</param>
    public bool Chance(float probability) => Between(0, 1) < probability;

    /// <summary>One of the items.</summary>
    public T Pick<T>(IReadOnlyList<T> items) => items[Below(items.Count)];

    private ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        var z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
