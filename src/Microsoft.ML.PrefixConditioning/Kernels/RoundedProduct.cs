using System.Buffers;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Products of matrices that are rounded to bfloat16, with sums in single precision, on all cores.</summary>
/// <remarks>
/// <para>.NET has no instruction for such products. <see cref="TorchTile"/> lends libtorch's; the rest is as in
/// <see cref="MatrixProduct{V}"/>: parts for threads, passes over the depth, and a delegate for what is finished.</para>
/// <para>The instruction multiplies pairs of neighbors along the depth, so a pair, 32 bits, is what is moved. The right matrix becomes
/// [passes, panels of 64 columns, pairs, 64], with zeros for pairs and columns that it does not have; a part of the left one, [rows,
/// pairs].</para>
/// </remarks>
internal sealed unsafe class RoundedProduct
{
    private const int MostDepth = 1024;         // of a pass: with 64 columns 128 KB, with the rows of a part 192 KB
    private const int DepthStep = 32;           // few different depths: for each, libtorch compiles a tile
    private const int PanelColumns = 64;
    private const int MostRows = 96;            // of a part
    private const int RowStep = 8;              // few different numbers of rows, for the same reason
    private const int EnoughParts = 8;          // not the number of cores, which must not change what is computed
    private const int RowsAhead = 24;           // that a core is asked to fetch; they are too far apart for its own guesses
    private const int BlockPairs = 32;          // of a transposition, which a core's first cache holds with 64 columns
    private const int RoundingWorthSharing = 65_536;   // numbers

    private readonly int _m, _n, _k, _passes, _depth, _pairs, _panels, _partRows, _rowParts, _partColumns, _columnParts;
    private readonly MatrixOperand _left, _right;
    private readonly ushort* _stored;
    private readonly float* _result;
    private uint* _rightPairs;
    private readonly bool _add;
    private readonly MatrixPartAction? _finish;

    private RoundedProduct(int m, int n, int k, MatrixOperand left, ushort* stored, MatrixOperand right, float* result, bool add,
        MatrixPartAction? finish)
    {
        (_m, _n, _k, _left, _right, _add, _finish) = (m, n, k, left, right, add, finish);
        _stored = stored;
        _result = result;
        _passes = Math.Max(1, Parts(k, MostDepth));
        _depth = Math.Max(1, Parts(Parts(k, _passes), DepthStep)) * DepthStep;
        _pairs = _depth / 2;
        _panels = Parts(n, PanelColumns);
        _rowParts = Parts(m, MostRows);
        _partRows = Parts(Parts(m, _rowParts), RowStep) * RowStep;
        _partColumns = Parts(_panels, Math.Min(_panels, Parts(EnoughParts, _rowParts))) * PanelColumns;
        _columnParts = Parts(n, _partColumns);
    }

    /// <summary>result = left right, or result += left right.</summary>
    /// <param name="m">Rows of left and result.</param>
    /// <param name="n">Columns of right and result.</param>
    /// <param name="k">Columns of left, rows of right.</param>
    /// <param name="left">[m, k]; one of its steps is 1.</param>
    /// <param name="right">[k, n]; one of its steps is 1.</param>
    /// <param name="result">[m, n], row by row.</param>
    /// <param name="add">Whether the product is added to what the result holds.</param>
    /// <param name="finish">Called once for every value of the result, part by part, while it is in the cache.</param>
    public static void Run(int m, int n, int k, MatrixOperand left, MatrixOperand right, float* result, bool add = false,
        MatrixPartAction? finish = null)
    {
        if (m == 0 || n == 0) return;
        new RoundedProduct(m, n, k, left, null, right, result, add, finish).Run();
    }

    /// <summary>result = x weight', for a weight that lies in bfloat16: it is read where it is.</summary>
    /// <param name="m">Rows of x and the result.</param>
    /// <param name="n">Rows of the weight, columns of the result.</param>
    /// <param name="k">Columns of x and the weight; even, 2 at least.</param>
    /// <param name="x">[m, k], row by row.</param>
    /// <param name="weight">[n, k], row by row.</param>
    /// <param name="result">[m, n], row by row.</param>
    /// <param name="finish">As in the other method.</param>
    public static void Run(int m, int n, int k, float* x, ushort* weight, float* result, MatrixPartAction? finish)
    {
        if (m == 0 || n == 0) return;
        new RoundedProduct(n, m, k, default, weight, new MatrixOperand(x, k).Transposed, result, add: false, finish).Run();
    }

    private void Run()
    {
        var bytes = (nuint)_passes * (nuint)_panels * (nuint)(_pairs * PanelColumns * sizeof(uint));
        _rightPairs = (uint*)NativeMemory.AlignedAlloc(bytes, 64);
        try
        {
            NativeHeap.UseLargePages((nint)_rightPairs, (long)bytes);
            Run(_passes * _panels, RoundRight, (long)_n * _k >= RoundingWorthSharing);
            Run(_rowParts * _columnParts, Multiply, (double)_m * _n * _k >= ParallelLoop.WorthSharing);
        }
        finally
        {
            NativeMemory.AlignedFree(_rightPairs);
        }
    }

    private static void Run(int count, Action<int> body, bool share)
    {
        if (share) ParallelLoop.Run(count, body);
        else for (var i = 0; i < count; i++) body(i);
    }

    private static int Parts(int whole, int part) => (whole + part - 1) / part;

    private void Multiply(int part)
    {
        int firstRow = part / _columnParts * _partRows, rows = Math.Min(_partRows, _m - firstRow);
        int firstColumn = part % _columnParts * _partColumns, columns = Math.Min(_partColumns, _n - firstColumn);
        var memory = ArrayPool<uint>.Shared.Rent(_partRows * (_pairs + PanelColumns) + 16);
        fixed (uint* start = memory)
        {
            var left = (uint*)(((nint)start + 63) & ~63);
            var tile = (float*)(left + _partRows * _pairs);
            if (_stored is null) Multiply(firstRow, rows, firstColumn, firstColumn + columns, left, tile);
            else MultiplyStored(firstRow, rows, firstColumn, firstColumn + columns, tile);
        }
        TorchTile.Release();
        ArrayPool<uint>.Shared.Return(memory);
        if (_stored is null) _finish?.Invoke(firstRow, rows, firstColumn, columns);
        else _finish?.Invoke(firstColumn, columns, firstRow, rows);
    }

    private void Multiply(int firstRow, int rows, int firstColumn, int endColumn, uint* left, float* tile)
    {
        var tileRows = Parts(rows, RowStep) * RowStep;
        for (var pass = 0; pass < _passes; pass++)
        {
            RoundLeft(pass, firstRow, rows, left);
            var add = _add || pass > 0;
            for (var column = firstColumn; column < endColumn; column += PanelColumns)
            {
                var count = Math.Min(PanelColumns, _n - column);
                var result = _result + (long)firstRow * _n + column;
                if (rows == tileRows)
                {
                    TorchTile.Multiply(rows, count, _depth, left, _depth, Panel(pass, column), PanelColumns, result, _n, add);
                    continue;
                }
                TorchTile.Multiply(tileRows, count, _depth, left, _depth, Panel(pass, column), PanelColumns, tile, PanelColumns,
                    add: false);
                for (var row = 0; row < rows; row++)
                    MatrixProduct<Lanes512>.Put(count, tile + row * PanelColumns, result + (long)row * _n, add);
            }
        }
    }

    /// <summary>Multiplies the stored matrix where it lies. The result is written with rows and columns exchanged.</summary>
    private void MultiplyStored(int firstRow, int rows, int firstColumn, int endColumn, float* tile)
    {
        for (var column = firstColumn; column < endColumn; column += PanelColumns)
        {
            var count = Math.Min(PanelColumns, _n - column);
            for (var pass = 0; pass < _passes; pass++)
            {
                var left = (uint*)(_stored + (long)firstRow * _k + pass * _depth);
                TorchTile.Multiply(rows, count, Math.Min(_depth, _k - pass * _depth), left, _k, Panel(pass, column), PanelColumns,
                    tile, PanelColumns, add: pass > 0);
            }
            var result = _result + (long)column * _m + firstRow;
            int wholeRows = rows / 8 * 8, wholeColumns = count / 8 * 8;
            Transpose(wholeRows, wholeColumns, (uint*)tile, PanelColumns, (uint*)result, _m);
            for (var i = 0; i < count; i++)
                for (var row = i < wholeColumns ? wholeRows : 0; row < rows; row++)
                    result[(long)i * _m + row] = tile[row * PanelColumns + i];
        }
    }

    /// <summary>The panel that begins with a column.</summary>
    private uint* Panel(int pass, int column) =>
        _rightPairs + ((long)pass * _panels + column / PanelColumns) * _pairs * PanelColumns;

    /// <summary>Rows of the left matrix in one pass. Rows that fill up a tile are not written; nobody reads what becomes of them.</summary>
    private void RoundLeft(int pass, int first, int count, uint* target)
    {
        int start = pass * _depth, depth = Math.Clamp(_k - start, 0, _depth);
        var source = _left.At(first, start);
        if (_left.Column == 1)
        {
            for (var row = 0; row < count; row++)
                RoundRow(depth, _pairs, source + row * _left.Row, (ushort*)(target + row * _pairs));
            return;
        }
        var block = stackalloc uint[BlockPairs * PanelColumns];
        for (var row = 0; row < count; row += PanelColumns)
            for (var pair = 0; pair < _pairs; pair += BlockPairs)
            {
                int pairs = Math.Min(BlockPairs, _pairs - pair), rows = Math.Min(PanelColumns, count - row);
                for (var i = 0; i < pairs; i++)
                    RoundPair(rows, depth - 2 * (pair + i), source + row + 2 * (pair + i) * _left.Column, _left.Column,
                        block + i * PanelColumns);
                Transpose(pairs, Parts(rows, RowStep) * RowStep, block, PanelColumns, target + row * _pairs + pair, _pairs);
            }
    }

    /// <summary>A panel of the right matrix in one pass.</summary>
    private void RoundRight(int job)
    {
        int pass = job % _passes, first = job / _passes * PanelColumns, count = Math.Min(PanelColumns, _n - first);
        int start = pass * _depth, depth = Math.Clamp(_k - start, 0, _depth);
        var target = Panel(pass, first);
        if (_right.Column == 1)
        {
            var source = _right.At(start, first);
            for (var pair = 0; pair < _pairs; pair++)
                RoundPair(count, depth - 2 * pair, source + 2 * pair * _right.Row, _right.Row, target + pair * PanelColumns);
            return;
        }
        var block = stackalloc uint[PanelColumns * BlockPairs];
        for (var pair = 0; pair < _pairs; pair += BlockPairs)
        {
            int pairs = Math.Min(BlockPairs, _pairs - pair), length = Math.Clamp(depth - 2 * pair, 0, 2 * pairs);
            for (var column = 0; column < PanelColumns; column++)
                RoundRow(column < count ? length : 0, pairs, _right.At(start + 2 * pair, first + column),
                    (ushort*)(block + column * BlockPairs));
            Transpose(PanelColumns, pairs, block, BlockPairs, target + pair * PanelColumns, PanelColumns);
        }
    }

    /// <summary>Rounds numbers that lie one behind the other.</summary>
    private static void RoundRow(int count, int pairs, float* source, ushort* target)
    {
        var i = 0;
        for (; i <= count - 16; i += 16)
        {
            Sse.Prefetch0(source + i + 2 * BlockPairs);
            Avx512F.ConvertToVector256UInt16(Rounded(Vector512.Load(source + i)) >>> 16).Store(target + i);
        }
        for (; i < count; i++) target[i] = (ushort)(Rounded(Vector512.Create(source[i])).ToScalar() >> 16);
        for (; i < 2 * pairs; i++) target[i] = 0;
    }

    /// <summary>Rounds numbers of two rows to pairs.</summary>
    /// <param name="count">Numbers of a row; zeros follow, up to 64.</param>
    /// <param name="rows">How many of the two rows there are, or more.</param>
    /// <param name="source">The first row.</param>
    /// <param name="stride">Step to the second row.</param>
    /// <param name="target">[64].</param>
    private static void RoundPair(int count, int rows, float* source, long stride, uint* target)
    {
        var i = 0;
        for (; i <= count - 16 && rows > 0; i += 16)
        {
            Sse.Prefetch0(source + i + RowsAhead * stride);
            Sse.Prefetch0(source + i + (RowsAhead + 1) * stride);
            var pairs = Rounded(Vector512.Load(source + i)) >>> 16;
            if (rows > 1) pairs |= Rounded(Vector512.Load(source + stride + i)) & Vector512.Create(0xFFFF0000);
            pairs.Store(target + i);
        }
        for (; i < count && rows > 0; i++)
        {
            target[i] = Rounded(Vector512.Create(source[i])).ToScalar() >> 16;
            if (rows > 1) target[i] |= Rounded(Vector512.Create(source[stride + i])).ToScalar() & 0xFFFF0000;
        }
        for (; i < PanelColumns; i++) target[i] = 0;
    }

    /// <summary>The nearest bfloat16 number, in the upper half; of two as near the even one. A NaN stays one.</summary>
    private static Vector512<uint> Rounded(Vector512<float> x)
    {
        var bits = x.AsUInt32();
        var rounded = bits + ((bits >>> 16) & Vector512<uint>.One) + Vector512.Create(0x7FFFu);
        return Vector512.ConditionalSelect(Vector512.Equals(x, x).AsUInt32(), rounded, Vector512.Create(0x7FC00000u));
    }

    /// <summary>Transposes a block of pairs.</summary>
    /// <param name="rows">Rows, a multiple of 8.</param>
    /// <param name="columns">Columns, a multiple of 8.</param>
    /// <param name="source">[rows, columns].</param>
    /// <param name="stride">From one row of the source to the next.</param>
    /// <param name="target">[columns, rows].</param>
    /// <param name="targetStride">From one row of the target to the next.</param>
    private static void Transpose(int rows, int columns, uint* source, long stride, uint* target, long targetStride)
    {
        for (var column = 0; column < columns; column += 8)
            for (var row = 0; row < rows; row += 8)
                EightByEight.Transpose((float*)source + row * stride + column, stride, (float*)target + column * targetStride + row,
                    targetStride);
    }
}
