using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Numbers that follow from a name, here and in the programs that made golden data: the data need not hold them.</summary>
internal static class NamedNumbers
{
    /// <summary>Numbers in [-0.5, 0.5): FNV-1a 64 of the name, then SplitMix64, the upper 24 bits.</summary>
    public static double[] Uniform(string name, long count)
    {
        var seed = 0xcbf29ce484222325UL;
        foreach (var b in Encoding.UTF8.GetBytes(name)) seed = (seed ^ b) * 0x100000001b3UL;
        var numbers = new double[count];
        for (var i = 0; i < numbers.Length; i++)
        {
            var z = seed + (ulong)(i + 1) * 0x9E3779B97F4A7C15UL;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
            numbers[i] = ((z ^ (z >> 31)) >> 40) / 16777216.0 - 0.5;
        }
        return numbers;
    }
}
