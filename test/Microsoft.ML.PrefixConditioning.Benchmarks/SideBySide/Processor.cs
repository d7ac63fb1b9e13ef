using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>The processor that the comparison runs on: what it can do, and how fast it multiplies at most.</summary>
internal static class Processor
{
    private const int Chains = 12;

    /// <summary>Whether .NET computes with vectors of 512 bits here. Bars differ by it.</summary>
    public static bool Has512Bits => Vector512.IsHardwareAccelerated;

    /// <summary>Name, threads and features.</summary>
    public static string Description
    {
        get
        {
            var lines = OperatingSystem.IsLinux() ? File.ReadAllLines("/proc/cpuinfo") : [];
            string Field(string name) =>
                lines.FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal))?.Split(':', 2)[1].Trim() ?? "";
            var flags = Field("flags").Split(' ');
            var features = flags.Where(f => f is "avx2" or "fma" or "avx512f" or "avx512_bf16" or "amx_bf16");
            return $"{(Field("model name") is { Length: > 0 } name ? name : RuntimeInformation.ProcessArchitecture.ToString())}, " +
                $"family {Field("cpu family")} model {Field("model")}, {Environment.ProcessorCount} cores; " +
                $"{string.Join(' ', features)}; .NET computes with {(Has512Bits ? 512 : Avx2.IsSupported ? 256 : 128)}-bit vectors";
        }
    }

    /// <summary>Seconds for multiply-adds in registers on all cores, and their number of floating-point operations.</summary>
    public static (double Seconds, double Operations) MultiplyAdds() => Has512Bits ? MultiplyAdds<Lanes512>() : MultiplyAdds<Lanes256>();

    private static (double Seconds, double Operations) MultiplyAdds<V>() where V : struct, ILanes<V>
    {
        const int Rounds = 10_000_000;
        var cores = Environment.ProcessorCount;
        var threads = Enumerable.Range(0, cores).Select(_ => new Thread(() => Chain<V>(Rounds))).ToArray();
        var seconds = Pairs.Time(() =>
        {
            foreach (var thread in threads) thread.Start();
            foreach (var thread in threads) thread.Join();
        });
        return (seconds, 2.0 * Chains * V.Count * Rounds * cores);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Chain<V>(int rounds) where V : struct, ILanes<V>
    {
        V c0 = V.Create(1), c1 = V.Create(2), c2 = V.Create(3), c3 = V.Create(4), c4 = V.Create(5), c5 = V.Create(6), c6 = V.Create(7),
            c7 = V.Create(8), c8 = V.Create(9), c9 = V.Create(10), c10 = V.Create(11), c11 = V.Create(12);
        V x = V.Create(0.999f), y = V.Create(0.5f);
        for (var i = 0; i < rounds; i++)
        {
            c0 = V.MultiplyAdd(c0, x, y);
            c1 = V.MultiplyAdd(c1, x, y);
            c2 = V.MultiplyAdd(c2, x, y);
            c3 = V.MultiplyAdd(c3, x, y);
            c4 = V.MultiplyAdd(c4, x, y);
            c5 = V.MultiplyAdd(c5, x, y);
            c6 = V.MultiplyAdd(c6, x, y);
            c7 = V.MultiplyAdd(c7, x, y);
            c8 = V.MultiplyAdd(c8, x, y);
            c9 = V.MultiplyAdd(c9, x, y);
            c10 = V.MultiplyAdd(c10, x, y);
            c11 = V.MultiplyAdd(c11, x, y);
        }
        return V.Sum(c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9 + c10 + c11);
    }
}
