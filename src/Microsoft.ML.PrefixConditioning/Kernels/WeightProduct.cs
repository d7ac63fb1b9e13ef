using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Products of a batch's rows with a weight, y = x W', where the weight is read as it lies in memory.</summary>
/// <remarks>
/// libtorch copies a weight into another order with every product, which for few rows takes as long as multiplying. Here every value of the
/// result is a scalar product of two rows, twelve at a time, and the next rows of the weight are fetched meanwhile. A row's result depends
/// on no other row. T rows of x, K columns of x and W, N rows of W.
/// </remarks>
internal static unsafe class WeightProduct
{
    private const int Lanes = 8;
    private const int FewRows = 256;            // measured: from here on libtorch's products are as fast or faster
    private const int MostRows = 64;            // of x at a time, with MostColumns of them 256 KB: half of a core's cache
    private const int MostColumns = 1024;
    private const int FloatsOfALine = 16;
    private const double SmallestPart = 5e5;    // multiplications; about 10 microseconds, what it takes to call another core
    private const int MostParts = 32;

    /// <summary>y = x W', here or by libtorch, whichever is faster.</summary>
    /// <param name="x">[T, K].</param>
    /// <param name="weight">First value of W, [N, K].</param>
    /// <param name="transposed">W', [K, N], the same memory.</param>
    /// <param name="result">[T, N], written.</param>
    public static void Run(MatrixBuffer x, float* weight, Tensor transposed, MatrixBuffer result)
    {
        long rows = x.Tensor.shape[0], inputs = transposed.shape[0], outputs = transposed.shape[1];
        if (rows <= FewRows && IsSupported && inputs % Lanes == 0 && outputs % 4 == 0)
            Multiply(rows, (int)inputs, (int)outputs, x.Data, weight, result.Data);
        else result.Tensor.addmm_(x.Tensor, transposed, beta: 0);
    }

    /// <summary>Whether this processor has the instructions. Where vectors have 512 bits, libtorch uses them; this was not tried
    /// there.</summary>
    public static bool IsSupported => Avx.IsSupported && Fma.IsSupported && !Vector512.IsHardwareAccelerated;

    /// <summary>y = x W'.</summary>
    /// <param name="rows">T.</param>
    /// <param name="inputs">K, a multiple of eight.</param>
    /// <param name="outputs">N, a multiple of four.</param>
    /// <param name="x">[T, K].</param>
    /// <param name="weight">[N, K].</param>
    /// <param name="result">[T, N], written.</param>
    public static void Multiply(long rows, int inputs, int outputs, float* x, float* weight, float* result)
    {
        if (rows == 0) return;
        var quads = outputs / 4;
        var parts = (int)Math.Clamp((double)rows * inputs * outputs / SmallestPart, 1, Math.Min(quads, MostParts));
        ParallelLoop.Run(parts, part =>
        {
            int first = (int)((long)quads * part / parts) * 4, end = (int)((long)quads * (part + 1) / parts) * 4;
            var blocks = (rows + MostRows - 1) / MostRows;
            for (var block = 0; block < blocks; block++)
            {
                long begin = rows * block / blocks, count = rows * (block + 1) / blocks - begin;
                for (var column = 0; column < inputs; column += MostColumns)
                    MultiplyBlock((int)count, column, Math.Min(MostColumns, inputs - column), inputs, first, end, outputs,
                        x + begin * inputs, weight, result + begin * outputs);
            }
        });
    }

    /// <summary>Some columns of x and W, and some rows of W; what columns before them gave is added to.</summary>
    private static void MultiplyBlock(
        int rows, int column, int columns, int inputs, int first, int end, int outputs, float* x, float* weight, float* result)
    {
        // The next four rows of the weight, spread over the calls for this four.
        var lines = (4 * columns / FloatsOfALine + rows / 3) / (rows / 3 + 1);
        for (var n = first; n < end; n += 4)
        {
            var w = weight + (long)n * inputs + column;
            var y = result + n;
            var row = 0;
            for (; row <= rows - 3; row += 3)
            {
                if (n + 4 < end) Fetch(w, inputs, columns, row / 3 * lines, lines);
                ThreeByFour(columns, x + (long)row * inputs + column, w, inputs, y + (long)row * outputs, outputs, column > 0);
            }
            float* left = x + (long)row * inputs + column, right = y + (long)row * outputs;
            if (row <= rows - 2) TwoByFour(columns, left, w, inputs, right, outputs, column > 0);
            else if (row < rows) OneByFour(columns, left, w, inputs, right, column > 0);
        }
    }

    /// <summary>Asks for lines of the four rows behind these; lines are counted over all four.</summary>
    private static void Fetch(float* w, long stride, int columns, int line, int lines)
    {
        var linesOfARow = (columns + FloatsOfALine - 1) / FloatsOfALine;
        for (var last = line + lines; line < last && line < 4 * linesOfARow; line++)
            Sse.Prefetch0(w + (4 + line / linesOfARow) * stride + line % linesOfARow * FloatsOfALine);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ThreeByFour(int columns, float* x, float* w, long stride, float* y, long yStride, bool add)
    {
        Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        Vector256<float> c0 = default, c1 = default, c2 = default, c3 = default;
        float* xb = x + stride, xc = xb + stride, w1 = w + stride, w2 = w1 + stride, w3 = w2 + stride;
        for (var i = 0; i < columns; i += Lanes)
        {
            Vector256<float> a = Vector256.Load(x + i), b = Vector256.Load(xb + i), c = Vector256.Load(xc + i), v = Vector256.Load(w + i);
            a0 = Fma.MultiplyAdd(a, v, a0);
            b0 = Fma.MultiplyAdd(b, v, b0);
            c0 = Fma.MultiplyAdd(c, v, c0);
            v = Vector256.Load(w1 + i);
            a1 = Fma.MultiplyAdd(a, v, a1);
            b1 = Fma.MultiplyAdd(b, v, b1);
            c1 = Fma.MultiplyAdd(c, v, c1);
            v = Vector256.Load(w2 + i);
            a2 = Fma.MultiplyAdd(a, v, a2);
            b2 = Fma.MultiplyAdd(b, v, b2);
            c2 = Fma.MultiplyAdd(c, v, c2);
            v = Vector256.Load(w3 + i);
            a3 = Fma.MultiplyAdd(a, v, a3);
            b3 = Fma.MultiplyAdd(b, v, b3);
            c3 = Fma.MultiplyAdd(c, v, c3);
        }
        Put(a0, a1, a2, a3, y, add);
        Put(b0, b1, b2, b3, y + yStride, add);
        Put(c0, c1, c2, c3, y + 2 * yStride, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TwoByFour(int columns, float* x, float* w, long stride, float* y, long yStride, bool add)
    {
        Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        float* xb = x + stride, w1 = w + stride, w2 = w1 + stride, w3 = w2 + stride;
        for (var i = 0; i < columns; i += Lanes)
        {
            Vector256<float> a = Vector256.Load(x + i), b = Vector256.Load(xb + i), v = Vector256.Load(w + i);
            a0 = Fma.MultiplyAdd(a, v, a0);
            b0 = Fma.MultiplyAdd(b, v, b0);
            v = Vector256.Load(w1 + i);
            a1 = Fma.MultiplyAdd(a, v, a1);
            b1 = Fma.MultiplyAdd(b, v, b1);
            v = Vector256.Load(w2 + i);
            a2 = Fma.MultiplyAdd(a, v, a2);
            b2 = Fma.MultiplyAdd(b, v, b2);
            v = Vector256.Load(w3 + i);
            a3 = Fma.MultiplyAdd(a, v, a3);
            b3 = Fma.MultiplyAdd(b, v, b3);
        }
        Put(a0, a1, a2, a3, y, add);
        Put(b0, b1, b2, b3, y + yStride, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneByFour(int columns, float* x, float* w, long stride, float* y, bool add)
    {
        Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default;
        float* w1 = w + stride, w2 = w1 + stride, w3 = w2 + stride;
        for (var i = 0; i < columns; i += Lanes)
        {
            var a = Vector256.Load(x + i);
            a0 = Fma.MultiplyAdd(a, Vector256.Load(w + i), a0);
            a1 = Fma.MultiplyAdd(a, Vector256.Load(w1 + i), a1);
            a2 = Fma.MultiplyAdd(a, Vector256.Load(w2 + i), a2);
            a3 = Fma.MultiplyAdd(a, Vector256.Load(w3 + i), a3);
        }
        Put(a0, a1, a2, a3, y, add);
    }

    /// <summary>The sums of four vectors, side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(Vector256<float> s0, Vector256<float> s1, Vector256<float> s2, Vector256<float> s3, float* y, bool add)
    {
        var sums = Avx.HorizontalAdd(Avx.HorizontalAdd(s0, s1), Avx.HorizontalAdd(s2, s3));   // four of each half
        var four = sums.GetLower() + sums.GetUpper();
        (add ? four + Vector128.Load(y) : four).Store(y);
    }
}
