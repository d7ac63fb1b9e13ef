using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Blocks of eight by eight values of 32 bits, on a processor with AVX.</summary>
internal static unsafe class EightByEight
{
    /// <summary>Transposes a block.</summary>
    /// <param name="source">[8, 8].</param>
    /// <param name="stride">From one row of the source to the next.</param>
    /// <param name="target">[8, 8], written.</param>
    /// <param name="targetStride">From one row of the target to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(float* source, long stride, float* target, long targetStride)
    {
        var (a0, a1, a2, a3) = Quarters(source, stride);
        var (b0, b1, b2, b3) = Quarters(source + 4 * stride, stride);
        Avx.Permute2x128(a0, b0, 0x20).Store(target);
        Avx.Permute2x128(a1, b1, 0x20).Store(target + targetStride);
        Avx.Permute2x128(a2, b2, 0x20).Store(target + 2 * targetStride);
        Avx.Permute2x128(a3, b3, 0x20).Store(target + 3 * targetStride);
        Avx.Permute2x128(a0, b0, 0x31).Store(target + 4 * targetStride);
        Avx.Permute2x128(a1, b1, 0x31).Store(target + 5 * targetStride);
        Avx.Permute2x128(a2, b2, 0x31).Store(target + 6 * targetStride);
        Avx.Permute2x128(a3, b3, 0x31).Store(target + 7 * targetStride);
    }

    /// <summary>Four rows of eight values: columns 0 and 4, 1 and 5, 2 and 6, 3 and 7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float>, Vector256<float>, Vector256<float>, Vector256<float>) Quarters(float* source, long stride)
    {
        Vector256<float> x = Vector256.Load(source), y = Vector256.Load(source + stride);
        Vector256<float> z = Vector256.Load(source + 2 * stride), w = Vector256.Load(source + 3 * stride);
        Vector256<float> low = Avx.UnpackLow(x, y), high = Avx.UnpackHigh(x, y);
        Vector256<float> nextLow = Avx.UnpackLow(z, w), nextHigh = Avx.UnpackHigh(z, w);
        return (Avx.Shuffle(low, nextLow, 0x44), Avx.Shuffle(low, nextLow, 0xEE), Avx.Shuffle(high, nextHigh, 0x44),
            Avx.Shuffle(high, nextHigh, 0xEE));
    }
}
