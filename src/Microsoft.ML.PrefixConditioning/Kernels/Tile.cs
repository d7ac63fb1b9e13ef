using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The innermost part of a product: some rows by two vectors of the result stay in registers while the depth runs.</summary>
/// <typeparam name="V">The vector.</typeparam>
internal static unsafe class Tile<V> where V : struct, ILanes<V>
{
    /// <summary>Rows of the smaller tiles.</summary>
    public const int FewRows = 6;

    /// <summary>Whether tiles of twelve rows are faster: they need the 32 registers that processors with 512-bit vectors have.</summary>
    public static bool HasTwelve => V.Count == 16;

    /// <summary>Twelve rows of c.</summary>
    /// <typeparam name="A"><see cref="ReadAhead"/> or <see cref="NothingAhead"/>: each has a loop of its own, without a choice in
    /// it.</typeparam>
    /// <param name="k">Columns of a, rows of b.</param>
    /// <param name="a">[12, k].</param>
    /// <param name="aRow">Step from one row of a to the next.</param>
    /// <param name="aColumn">Step from one column of a to the next.</param>
    /// <param name="b">[k, two vectors].</param>
    /// <param name="bRow">Step from one row of b to the next.</param>
    /// <param name="c">[12, two vectors].</param>
    /// <param name="cRow">Step from one row of c to the next.</param>
    /// <param name="add">Whether the product is added to c.</param>
    /// <param name="ahead">What is read soon; the processor is asked for it while it multiplies, with <see cref="ReadAhead"/>.</param>
    /// <param name="aheadStep">Values of it per column of a.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Twelve<A>(int k, float* a, nint aRow, nint aColumn, float* b, nint bRow, float* c, nint cRow, bool add,
        float* ahead = null, nint aheadStep = 0) where A : struct
    {
        V c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default, c31 = default;
        V c40 = default, c41 = default, c50 = default, c51 = default, c60 = default, c61 = default, c70 = default, c71 = default;
        V c80 = default, c81 = default, c90 = default, c91 = default, c100 = default, c101 = default, c110 = default, c111 = default;
        var twoRows = 2 * aRow;
        float* a3 = a + 3 * aRow, a6 = a + 6 * aRow, a9 = a + 9 * aRow;
        for (var i = 0; i < k; i++)
        {
            V b0 = V.Load(b), b1 = V.Load(b + V.Count), x;
            x = V.Create(a[0]);
            c00 = V.MultiplyAdd(x, b0, c00);
            c01 = V.MultiplyAdd(x, b1, c01);
            x = V.Create(a[aRow]);
            c10 = V.MultiplyAdd(x, b0, c10);
            c11 = V.MultiplyAdd(x, b1, c11);
            x = V.Create(a[twoRows]);
            c20 = V.MultiplyAdd(x, b0, c20);
            c21 = V.MultiplyAdd(x, b1, c21);
            x = V.Create(a3[0]);
            c30 = V.MultiplyAdd(x, b0, c30);
            c31 = V.MultiplyAdd(x, b1, c31);
            x = V.Create(a3[aRow]);
            c40 = V.MultiplyAdd(x, b0, c40);
            c41 = V.MultiplyAdd(x, b1, c41);
            x = V.Create(a3[twoRows]);
            c50 = V.MultiplyAdd(x, b0, c50);
            c51 = V.MultiplyAdd(x, b1, c51);
            x = V.Create(a6[0]);
            c60 = V.MultiplyAdd(x, b0, c60);
            c61 = V.MultiplyAdd(x, b1, c61);
            x = V.Create(a6[aRow]);
            c70 = V.MultiplyAdd(x, b0, c70);
            c71 = V.MultiplyAdd(x, b1, c71);
            x = V.Create(a6[twoRows]);
            c80 = V.MultiplyAdd(x, b0, c80);
            c81 = V.MultiplyAdd(x, b1, c81);
            x = V.Create(a9[0]);
            c90 = V.MultiplyAdd(x, b0, c90);
            c91 = V.MultiplyAdd(x, b1, c91);
            x = V.Create(a9[aRow]);
            c100 = V.MultiplyAdd(x, b0, c100);
            c101 = V.MultiplyAdd(x, b1, c101);
            x = V.Create(a9[twoRows]);
            c110 = V.MultiplyAdd(x, b0, c110);
            c111 = V.MultiplyAdd(x, b1, c111);
            a += aColumn;
            a3 += aColumn;
            a6 += aColumn;
            a9 += aColumn;
            b += bRow;
            if (typeof(A) != typeof(ReadAhead) || !Sse.IsSupported) continue;
            Sse.Prefetch1(ahead);
            ahead += aheadStep;
        }
        Put(c00, c01, c, add);
        Put(c10, c11, c + cRow, add);
        Put(c20, c21, c + 2 * cRow, add);
        Put(c30, c31, c + 3 * cRow, add);
        Put(c40, c41, c + 4 * cRow, add);
        Put(c50, c51, c + 5 * cRow, add);
        Put(c60, c61, c + 6 * cRow, add);
        Put(c70, c71, c + 7 * cRow, add);
        Put(c80, c81, c + 8 * cRow, add);
        Put(c90, c91, c + 9 * cRow, add);
        Put(c100, c101, c + 10 * cRow, add);
        Put(c110, c111, c + 11 * cRow, add);
    }

    /// <summary>Six rows of c.</summary>
    /// <typeparam name="A"><see cref="ReadAhead"/> or <see cref="NothingAhead"/>: each has a loop of its own, without a choice in
    /// it.</typeparam>
    /// <param name="k">Columns of a, rows of b.</param>
    /// <param name="a">[6, k].</param>
    /// <param name="aRow">Step from one row of a to the next.</param>
    /// <param name="aColumn">Step from one column of a to the next.</param>
    /// <param name="b">[k, two vectors].</param>
    /// <param name="bRow">Step from one row of b to the next.</param>
    /// <param name="c">[6, two vectors].</param>
    /// <param name="cRow">Step from one row of c to the next.</param>
    /// <param name="add">Whether the product is added to c.</param>
    /// <param name="ahead">What is read soon; the processor is asked for it while it multiplies, with <see cref="ReadAhead"/>.</param>
    /// <param name="aheadStep">Values of it per column of a.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Six<A>(int k, float* a, nint aRow, nint aColumn, float* b, nint bRow, float* c, nint cRow, bool add,
        float* ahead = null, nint aheadStep = 0) where A : struct
    {
        V c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default, c31 = default;
        V c40 = default, c41 = default, c50 = default, c51 = default;
        var twoRows = 2 * aRow;
        float* a3 = a + 3 * aRow;
        for (var i = 0; i < k; i++)
        {
            V b0 = V.Load(b), b1 = V.Load(b + V.Count), x;
            x = V.Create(a[0]);
            c00 = V.MultiplyAdd(x, b0, c00);
            c01 = V.MultiplyAdd(x, b1, c01);
            x = V.Create(a[aRow]);
            c10 = V.MultiplyAdd(x, b0, c10);
            c11 = V.MultiplyAdd(x, b1, c11);
            x = V.Create(a[twoRows]);
            c20 = V.MultiplyAdd(x, b0, c20);
            c21 = V.MultiplyAdd(x, b1, c21);
            x = V.Create(a3[0]);
            c30 = V.MultiplyAdd(x, b0, c30);
            c31 = V.MultiplyAdd(x, b1, c31);
            x = V.Create(a3[aRow]);
            c40 = V.MultiplyAdd(x, b0, c40);
            c41 = V.MultiplyAdd(x, b1, c41);
            x = V.Create(a3[twoRows]);
            c50 = V.MultiplyAdd(x, b0, c50);
            c51 = V.MultiplyAdd(x, b1, c51);
            a += aColumn;
            a3 += aColumn;
            b += bRow;
            if (typeof(A) != typeof(ReadAhead) || !Sse.IsSupported) continue;
            Sse.Prefetch1(ahead);
            ahead += aheadStep;
        }
        Put(c00, c01, c, add);
        Put(c10, c11, c + cRow, add);
        Put(c20, c21, c + 2 * cRow, add);
        Put(c30, c31, c + 3 * cRow, add);
        Put(c40, c41, c + 4 * cRow, add);
        Put(c50, c51, c + 5 * cRow, add);
    }

    /// <summary>Two rows of c by two panels, four vectors: as many sums as keep the processor busy.</summary>
    /// <typeparam name="A">As above.</typeparam>
    /// <param name="k">Columns of a, rows of b.</param>
    /// <param name="a">[2, k], row by row.</param>
    /// <param name="aRow">Step from one row of a to the next.</param>
    /// <param name="b">[k, two vectors], and behind it the next panel, the same.</param>
    /// <param name="c">[2, four vectors], row by row, written.</param>
    /// <param name="ahead">As above.</param>
    /// <param name="aheadStep">As above.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Two<A>(int k, float* a, nint aRow, float* b, float* c, float* ahead, nint aheadStep) where A : struct
    {
        V c00 = default, c01 = default, c02 = default, c03 = default, c10 = default, c11 = default, c12 = default, c13 = default;
        var next = b + 2 * V.Count * (long)k;
        for (var i = 0; i < k; i++)
        {
            V b0 = V.Load(b), b1 = V.Load(b + V.Count), b2 = V.Load(next), b3 = V.Load(next + V.Count), x;
            x = V.Create(a[0]);
            c00 = V.MultiplyAdd(x, b0, c00);
            c01 = V.MultiplyAdd(x, b1, c01);
            c02 = V.MultiplyAdd(x, b2, c02);
            c03 = V.MultiplyAdd(x, b3, c03);
            x = V.Create(a[aRow]);
            c10 = V.MultiplyAdd(x, b0, c10);
            c11 = V.MultiplyAdd(x, b1, c11);
            c12 = V.MultiplyAdd(x, b2, c12);
            c13 = V.MultiplyAdd(x, b3, c13);
            a++;
            b += 2 * V.Count;
            next += 2 * V.Count;
            if (typeof(A) != typeof(ReadAhead) || !Sse.IsSupported) continue;
            Sse.Prefetch1(ahead);
            ahead += aheadStep;
        }
        Put(c00, c01, c, add: false);
        Put(c02, c03, c + 2 * V.Count, add: false);
        Put(c10, c11, c + 4 * V.Count, add: false);
        Put(c12, c13, c + 6 * V.Count, add: false);
    }

    /// <summary>Six rows of c by one vector, written over c.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SixNarrow(int k, float* a, nint aRow, nint aColumn, float* b, nint bRow, float* c, nint cRow)
    {
        V c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default;
        var twoRows = 2 * aRow;
        var a3 = a + 3 * aRow;
        for (var i = 0; i < k; i++)
        {
            var b0 = V.Load(b);
            c0 = V.MultiplyAdd(V.Create(a[0]), b0, c0);
            c1 = V.MultiplyAdd(V.Create(a[aRow]), b0, c1);
            c2 = V.MultiplyAdd(V.Create(a[twoRows]), b0, c2);
            c3 = V.MultiplyAdd(V.Create(a3[0]), b0, c3);
            c4 = V.MultiplyAdd(V.Create(a3[aRow]), b0, c4);
            c5 = V.MultiplyAdd(V.Create(a3[twoRows]), b0, c5);
            a += aColumn;
            a3 += aColumn;
            b += bRow;
        }
        c0.Store(c);
        c1.Store(c + cRow);
        c2.Store(c + 2 * cRow);
        c3.Store(c + 3 * cRow);
        c4.Store(c + 4 * cRow);
        c5.Store(c + 5 * cRow);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(V left, V right, float* c, bool add)
    {
        if (add) (left, right) = (left + V.Load(c), right + V.Load(c + V.Count));
        left.Store(c);
        right.Store(c + V.Count);
    }
}

/// <summary>A tile asks for what is read soon.</summary>
internal readonly struct ReadAhead;

/// <summary>A tile only multiplies.</summary>
internal readonly struct NothingAhead;
