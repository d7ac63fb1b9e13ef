using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Which code computes sums; all give the same bits.</summary>
internal enum ResampleKernel
{
    /// <summary>Plain arithmetic: the definition, and for machines without vector instructions.</summary>
    Scalar,

    /// <summary>Vector instructions of any machine.</summary>
    Vector,

    /// <summary>x86-64 processors with AVX2.</summary>
    Avx2,

    /// <summary>x86-64 processors with AVX-512BW: eight pixels of a row at a time.</summary>
    Avx512,
}

/// <summary>The inner loops of resizing: weighted sums of pixels along rows and along columns, rounded to 8 bits.</summary>
/// <remarks>Sums are taken modulo 2^32 and their true value fits, so their order does not change the result.</remarks>
internal static unsafe class ResampleKernels
{
    private const int Channels = RgbImage.Channels;
    private const int Half = 1 << (ResampleWeights.FractionBits - 1);   // rounds to nearest

    /// <summary>The fastest code that this machine runs.</summary>
    public static ResampleKernel Best { get; } = Vector512.IsHardwareAccelerated && Avx512BW.IsSupported ? ResampleKernel.Avx512
        : Avx2.IsSupported ? ResampleKernel.Avx2
        : Vector128.IsHardwareAccelerated ? ResampleKernel.Vector : ResampleKernel.Scalar;

    /// <summary>Resizes one row.</summary>
    /// <param name="kernel">Which code.</param>
    /// <param name="source">The row's first pixel; readable for <see cref="RgbImage.ReadSlack"/> bytes behind the row.</param>
    /// <param name="weights">Of the horizontal axis.</param>
    /// <param name="destination">[kept, 3]; writable for one byte more.</param>
    public static void ResizeRow(ResampleKernel kernel, byte* source, ResampleWeights weights, byte* destination)
    {
        if (kernel is ResampleKernel.Avx2 or ResampleKernel.Avx512) RowAvx(kernel, source, weights, destination);
        else if (kernel == ResampleKernel.Vector) RowVector(source, weights, destination);
        else RowScalar(source, weights, destination);
    }

    /// <summary>Adds up rows: one row of the result.</summary>
    /// <param name="kernel">Which code.</param>
    /// <param name="rows">First byte of the first row.</param>
    /// <param name="rowBytes">Bytes per row; rows follow each other without a gap.</param>
    /// <param name="weights">One per row.</param>
    /// <param name="destination">[rowBytes].</param>
    public static void SumRows(ResampleKernel kernel, byte* rows, int rowBytes, ReadOnlySpan<int> weights, byte* destination)
    {
        var done = kernel == ResampleKernel.Scalar ? 0 : SumRowsVector(rows, rowBytes, weights, destination);
        for (var i = done; i < rowBytes; i++)
        {
            var sum = Half;
            for (var row = 0; row < weights.Length; row++) sum += rows[((long)row * rowBytes) + i] * weights[row];
            destination[i] = Round(sum);
        }
    }

    private static void RowScalar(byte* source, ResampleWeights weights, byte* destination)
    {
        for (var x = 0; x < weights.Starts.Length; x++)
            for (var channel = 0; channel < Channels; channel++)
            {
                var pixel = source + ((long)weights.Starts[x] * Channels) + channel;
                var sum = Half;
                foreach (var weight in weights.Values.AsSpan(x * weights.Stride, weights.Lengths[x]))
                {
                    sum += *pixel * weight;
                    pixel += Channels;
                }
                *destination++ = Round(sum);
            }
    }

    // Four pixels at a time: each becomes one vector of its three channels, and is multiplied by its weight.
    private static void RowVector(byte* source, ResampleWeights weights, byte* destination)
    {
        fixed (int* values = weights.Values)
            for (var x = 0; x < weights.Starts.Length; x++)
            {
                var pixels = source + ((long)weights.Starts[x] * Channels);
                var weight = values + ((long)x * weights.Stride);
                var sum = Vector128.Create(Half);
                for (var end = weight + weights.Lengths[x]; weight < end; weight += ResampleWeights.GroupSize)
                {
                    var four = Vector128.Load(pixels);
                    sum += Pixel(four, 0) * weight[0];
                    sum += Pixel(four, 1) * weight[1];
                    sum += Pixel(four, 2) * weight[2];
                    sum += Pixel(four, 3) * weight[3];
                    pixels += ResampleWeights.GroupSize * Channels;
                }
                for (var channel = 0; channel < Channels; channel++) *destination++ = Round(sum[channel]);
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Pixel(Vector128<byte> four, int index)
    {
        var at = (byte)(index * Channels);
        const byte Zero = 255;   // an index out of range gives 0
        return Vector128.Shuffle(four, Vector128.Create(
            at, Zero, Zero, Zero, (byte)(at + 1), Zero, Zero, Zero, (byte)(at + 2), Zero, Zero, Zero, Zero, Zero, Zero, Zero)).AsInt32();
    }

    // Four or eight pixels at a time, sorted by channel and multiplied in 16 bits by the low and the high parts of their weights.
    private static void RowAvx(ResampleKernel kernel, byte* source, ResampleWeights weights, byte* destination)
    {
        const int Four = ResampleWeights.GroupSize;
        var byChannel = Vector128.Create((byte)0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, 255, 255, 255, 255);
        var wide = kernel == ResampleKernel.Avx512 ? Four + 1 : int.MaxValue;   // pixels from which on eight are taken at a time
        fixed (short* split = weights.Split)
            for (var x = 0; x < weights.Starts.Length; x++)
            {
                var pixels = source + ((long)weights.Starts[x] * Channels);
                var weight = split + ((long)x * weights.Stride * 2);
                var left = weights.Lengths[x];
                Vector256<int> low = default, high = default;   // [r01 r23 g01 g23 | b01 b23 0 0]
                if (left >= wide) (low, high) = SumEights(ref pixels, ref weight, ref left, byChannel);
                for (; left > 0; left -= Four)
                {
                    var four = Avx2.ConvertToVector256Int16(Ssse3.Shuffle(Vector128.Load(pixels), byChannel));
                    low += Avx2.MultiplyAddAdjacent(four, Vector256.Create(*(long*)weight).AsInt16());
                    high += Avx2.MultiplyAddAdjacent(four, Vector256.Create(*(long*)(weight + Four)).AsInt16());
                    weight += 2 * Four;
                    pixels += Four * Channels;
                }
                var pairs = low + (high << 15);
                var sum = Ssse3.HorizontalAdd(pairs.GetLower(), pairs.GetUpper());   // [r g b 0]
                sum = (sum + Vector128.Create(Half)) >> ResampleWeights.FractionBits;
                var words = Sse2.PackSignedSaturate(sum, sum);
                // A fourth byte is written and then overwritten by the next pixel.
                *(uint*)destination = Sse2.PackUnsignedSaturate(words, words).AsUInt32().ToScalar();
                destination += Channels;
            }
    }

    /// <summary>The pixels of a sum as long as there are five or more, two groups at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<int> Low, Vector256<int> High) SumEights(
        ref byte* pixels, ref short* weight, ref int left, Vector128<byte> byChannel)
    {
        const int Four = ResampleWeights.GroupSize, Eight = 2 * Four;
        Vector512<int> low = default, high = default;
        for (; left > Four; left -= Eight)
        {
            var eight = Avx512BW.ConvertToVector512Int16(Vector256.Create(
                Ssse3.Shuffle(Vector128.Load(pixels), byChannel), Ssse3.Shuffle(Vector128.Load(pixels + (Four * Channels)), byChannel)));
            var parts = Vector256.Load((long*)weight).ToVector512Unsafe();   // low and high of the first group, and of the second
            low += Avx512BW.MultiplyAddAdjacent(eight,
                Avx512F.PermuteVar8x64(parts, Vector512.Create(0L, 0, 0, 0, 2, 2, 2, 2)).AsInt16());
            high += Avx512BW.MultiplyAddAdjacent(eight,
                Avx512F.PermuteVar8x64(parts, Vector512.Create(1L, 1, 1, 1, 3, 3, 3, 3)).AsInt16());
            weight += 2 * Eight;
            pixels += Eight * Channels;
        }
        return (low.GetLower() + low.GetUpper(), high.GetLower() + high.GetUpper());
    }

    private static int SumRowsVector(byte* rows, int rowBytes, ReadOnlySpan<int> weights, byte* destination)
    {
        var at = 0;
        for (; at <= rowBytes - Vector<byte>.Count; at += Vector<byte>.Count)
        {
            Vector<int> first = new(Half), second = first, third = first, fourth = first;
            var row = rows + at;
            foreach (var weight in weights)
            {
                Vector.Widen(Vector.Load(row), out var lower, out var upper);
                Vector.Widen(lower, out var a, out var b);
                Vector.Widen(upper, out var c, out var d);
                first += Vector.AsVectorInt32(a) * weight;
                second += Vector.AsVectorInt32(b) * weight;
                third += Vector.AsVectorInt32(c) * weight;
                fourth += Vector.AsVectorInt32(d) * weight;
                row += rowBytes;
            }
            var lowerWords = Vector.Narrow(Round(first), Round(second));
            var upperWords = Vector.Narrow(Round(third), Round(fourth));
            Vector.Store(Vector.Narrow(lowerWords, upperWords), destination + at);
        }
        return at;
    }

    private static Vector<uint> Round(Vector<int> sum) => Vector.AsVectorUInt32(
        Vector.Min(Vector.Max(sum >> ResampleWeights.FractionBits, Vector<int>.Zero), new Vector<int>(byte.MaxValue)));

    private static byte Round(int sum) => (byte)Math.Clamp(sum >> ResampleWeights.FractionBits, 0, byte.MaxValue);
}
