using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Products of matrices that fit into a core's cache, as attention has them: one per row of the batch and head.</summary>
internal static unsafe class SmallMatrix
{
    private const int Lanes = 8;

    /// <summary>Columns that the right matrix and the result must have room for: the next multiple of eight.</summary>
    public static int Padded(int columns) => (columns + Lanes - 1) / Lanes * Lanes;

    /// <summary>c = a b, written over c.</summary>
    /// <param name="m">Rows of a and c.</param>
    /// <param name="n">Columns of b and c, a multiple of eight.</param>
    /// <param name="k">Columns of a, rows of b.</param>
    /// <param name="a">[m, k].</param>
    /// <param name="aRow">Step from one row of a to the next; a transposed matrix has 1 here.</param>
    /// <param name="aColumn">Step from one column of a to the next.</param>
    /// <param name="b">[k, n].</param>
    /// <param name="bRow">Step from one row of b to the next.</param>
    /// <param name="c">[m, n].</param>
    /// <param name="cRow">Step from one row of c to the next.</param>
    public static void Multiply(int m, int n, int k, float* a, long aRow, long aColumn, float* b, long bRow, float* c, long cRow)
    {
        var row = 0;
        for (; row <= m - 4; row += 4)
        {
            var column = 0;
            for (; column <= n - 2 * Lanes; column += 2 * Lanes)
                FourBySixteen(k, a + row * aRow, aRow, aColumn, b + column, bRow, c + row * cRow + column, cRow);
            if (column < n)
                FourByEight(k, a + row * aRow, aRow, aColumn, b + column, bRow, c + row * cRow + column, cRow);
        }
        for (; row < m; row++)
            for (var column = 0; column < n; column += Lanes)
                OneByEight(k, a + row * aRow, aColumn, b + column, bRow, c + row * cRow + column);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourBySixteen(int k, float* a, long aRow, long aColumn, float* b, long bRow, float* c, long cRow)
    {
        Vector256<float> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default,
            c31 = default;
        for (var i = 0; i < k; i++)
        {
            var b0 = Vector256.Load(b);
            var b1 = Vector256.Load(b + Lanes);
            var x = Vector256.Create(a[0]);
            c00 = Vector256.FusedMultiplyAdd(x, b0, c00);
            c01 = Vector256.FusedMultiplyAdd(x, b1, c01);
            x = Vector256.Create(a[aRow]);
            c10 = Vector256.FusedMultiplyAdd(x, b0, c10);
            c11 = Vector256.FusedMultiplyAdd(x, b1, c11);
            x = Vector256.Create(a[2 * aRow]);
            c20 = Vector256.FusedMultiplyAdd(x, b0, c20);
            c21 = Vector256.FusedMultiplyAdd(x, b1, c21);
            x = Vector256.Create(a[3 * aRow]);
            c30 = Vector256.FusedMultiplyAdd(x, b0, c30);
            c31 = Vector256.FusedMultiplyAdd(x, b1, c31);
            a += aColumn;
            b += bRow;
        }
        c00.Store(c);
        c01.Store(c + Lanes);
        c10.Store(c + cRow);
        c11.Store(c + cRow + Lanes);
        c20.Store(c + 2 * cRow);
        c21.Store(c + 2 * cRow + Lanes);
        c30.Store(c + 3 * cRow);
        c31.Store(c + 3 * cRow + Lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByEight(int k, float* a, long aRow, long aColumn, float* b, long bRow, float* c, long cRow)
    {
        Vector256<float> c0 = default, c1 = default, c2 = default, c3 = default;
        for (var i = 0; i < k; i++)
        {
            var b0 = Vector256.Load(b);
            c0 = Vector256.FusedMultiplyAdd(Vector256.Create(a[0]), b0, c0);
            c1 = Vector256.FusedMultiplyAdd(Vector256.Create(a[aRow]), b0, c1);
            c2 = Vector256.FusedMultiplyAdd(Vector256.Create(a[2 * aRow]), b0, c2);
            c3 = Vector256.FusedMultiplyAdd(Vector256.Create(a[3 * aRow]), b0, c3);
            a += aColumn;
            b += bRow;
        }
        c0.Store(c);
        c1.Store(c + cRow);
        c2.Store(c + 2 * cRow);
        c3.Store(c + 3 * cRow);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneByEight(int k, float* a, long aColumn, float* b, long bRow, float* c)
    {
        var sum = Vector256<float>.Zero;
        for (var i = 0; i < k; i++)
            sum = Vector256.FusedMultiplyAdd(Vector256.Create(a[i * aColumn]), Vector256.Load(b + i * bRow), sum);
        sum.Store(c);
    }
}
