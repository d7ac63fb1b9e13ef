using System.Buffers;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A matrix in memory: the value at row i and column j is <c>Data[i * Row + j * Column]</c>.</summary>
/// <param name="data">First value.</param>
/// <param name="row">Step from one row to the next.</param>
/// <param name="column">Step from one column to the next.</param>
internal readonly unsafe struct MatrixOperand(float* data, long row, long column)
{
    public readonly float* Data = data;
    public readonly long Row = row, Column = column;

    /// <summary>A matrix that lies row by row.</summary>
    public MatrixOperand(float* data, long columns) : this(data, columns, 1)
    {
    }

    public MatrixOperand Transposed => new(Data, Column, Row);

    public float* At(long row, long column) => Data + row * Row + column * Column;
}

/// <summary>Does something with a finished part of a product.</summary>
internal delegate void MatrixPartAction(int firstRow, int rows, int firstColumn, int columns);

/// <summary>Products of matrices on all cores.</summary>
/// <remarks>
/// A part of the result is as many columns as a core's cache has room for. It packs these columns of the right matrix into panels as
/// wide as a tile, and multiplies every row of the left matrix with them, a tile of rows at a time. Every value of the result is one
/// chain of multiplications and additions in the order of the depth: it depends on no other row or column, and on no number of threads.
/// </remarks>
/// <typeparam name="V">The vector.</typeparam>
internal sealed unsafe class MatrixProduct<V> where V : struct, ILanes<V>
{
    private const int MostDepth = 512;          // of a pass: a panel and the rows of a tile stay in the nearest cache
    private const int MostColumns = 96;         // of a part: with the depth 192 KB, a part of a core's second cache
    private const int FewRowsColumns = 64;      // of a part with few rows: pairs of panels
    private const int MostRows = 2048;          // of a part; packing again for the next rows is little beside multiplying
    private const int FewestRows = 192;         // of a part, so that it stays little
    private const int TwoRows = 2;              // or one: such a rest is multiplied with two panels at a time
    private const int Block = 8;                // of a transposition
    private const int LineFloats = 16;          // of a line of the cache
    private const int FewRowsAhead = 256;       // of the left matrix: up to here memory is slower than multiplying
    private const int EnoughParts = 8;          // not the number of cores, which must not change what is computed

    private readonly int _m, _n, _k, _rowParts, _columnParts, _partColumns, _passes;
    private readonly MatrixOperand _left, _right;
    private readonly float* _result, _packed;
    private readonly bool _add;
    private readonly MatrixPartAction? _finish;

    private MatrixProduct(int m, int n, int k, MatrixOperand left, MatrixOperand right, float* result, bool add, MatrixPartAction? finish,
        float* packed)
    {
        (_m, _n, _k, _left, _right, _add, _finish) = (m, n, k, left, right, add, finish);
        _result = result;
        _packed = packed;
        _passes = Math.Max(1, (k + MostDepth - 1) / MostDepth);
        // Few rows are soon done: smaller parts give a thread that comes late something to do.
        _partColumns = m > FewRowsAhead ? MostColumns
            : Math.Clamp(Panels(n) / EnoughParts / 2 * 2 * TileColumns, TileColumns, FewRowsColumns);
        _columnParts = Math.Max(1, (n + _partColumns - 1) / _partColumns);
        var wanted = Math.Max((m + MostRows - 1) / MostRows, (EnoughParts + _columnParts - 1) / _columnParts);
        _rowParts = Math.Max(1, Math.Min(wanted, m / FewestRows));
    }

    /// <summary>result = left right, or result += left right.</summary>
    /// <param name="m">Rows of left and result.</param>
    /// <param name="n">Columns of right and result.</param>
    /// <param name="k">Columns of left, rows of right.</param>
    /// <param name="left">[m, k].</param>
    /// <param name="right">[k, n]; one of its steps is 1.</param>
    /// <param name="result">[m, n], row by row.</param>
    /// <param name="add">Whether the product is added to what the result holds.</param>
    /// <param name="finish">Called once for every value of the result, part by part, while it is in the cache.</param>
    /// <param name="packed">The right matrix as <see cref="Pack"/> wrote it, or null.</param>
    public static void Run(int m, int n, int k, MatrixOperand left, MatrixOperand right, float* result, bool add = false,
        MatrixPartAction? finish = null, float* packed = null)
    {
        if (m == 0 || n == 0) return;
        var product = new MatrixProduct<V>(m, n, k, left, right, result, add, finish, packed);
        var parts = product._rowParts * product._columnParts;
        if ((double)m * n * k >= ParallelLoop.WorthSharing) ParallelLoop.Run(parts, product.Multiply);
        else for (var part = 0; part < parts; part++) product.Multiply(part);
    }

    /// <summary>Values that <see cref="Pack"/> writes for a right matrix of this size.</summary>
    public static long PackedLength(int n, int k) => (long)Panels(n) * TileColumns * k;

    /// <summary>Packs a right matrix once, for many products.</summary>
    public static void Pack(int n, int k, MatrixOperand right, float* packed)
    {
        var product = new MatrixProduct<V>(0, n, k, default, right, null, add: false, finish: null, packed);
        for (var pass = 0; pass < product._passes; pass++)
        {
            var (first, depth) = product.DepthOf(pass);
            product.PackPart(first, depth, 0, n, product.PackedAt(0, first, depth));
        }
    }

    private static int TileColumns => 2 * V.Count;

    private (int First, int Count) ColumnsOf(int part) => (part * _partColumns, Math.Min(_partColumns, _n - part * _partColumns));

    private (int First, int Count) DepthOf(int pass)
    {
        var first = (int)((long)_k * pass / _passes);
        return (first, (int)((long)_k * (pass + 1) / _passes) - first);
    }

    /// <summary>Where the columns of a part lie in the packed matrix: passes one after the other, in each its panels.</summary>
    private float* PackedAt(int column, int first, int depth) =>
        _packed + (long)first * Panels(_n) * TileColumns + (long)column * depth;

    private static int Panels(int columns) => (columns + TileColumns - 1) / TileColumns;

    private void Multiply(int part)
    {
        int rowPart = part / _columnParts, firstRow = (int)((long)_m * rowPart / _rowParts);
        var endRow = (int)((long)_m * (rowPart + 1) / _rowParts);
        var (firstColumn, columns) = ColumnsOf(part % _columnParts);
        int mostDepth = (_k + _passes - 1) / _passes, length = _packed is null ? Panels(columns) * TileColumns * mostDepth : 0;
        var memory = ArrayPool<float>.Shared.Rent(length + FewRows * (mostDepth + TileColumns) + 16);
        fixed (float* start = memory)
        {
            var own = (float*)(((nint)start + 63) & ~63);
            float* rest = own + length, tile = rest + FewRows * mostDepth;
            for (var pass = 0; pass < _passes; pass++)
            {
                var (first, depth) = DepthOf(pass);
                var panels = _packed is null ? own : PackedAt(firstColumn, first, depth);
                if (_packed is null) PackPart(first, depth, firstColumn, columns, panels);
                var ahead = Next(part, pass + 1);
                var step = StepAhead(endRow - firstRow);
                for (int row = firstRow, rows; row < endRow; row += rows)
                {
                    rows = RowsOfTile(endRow - row);
                    var left = new MatrixOperand(_left.At(row, first), _left.Row, _left.Column);
                    if (rows < FewRows) left = WithZeros(left, rows, depth, rest);
                    for (int column = 0, count; column < columns; column += count)
                    {
                        count = Math.Min(rows <= TwoRows && columns - column >= 2 * TileColumns ? 2 * TileColumns : TileColumns,
                            columns - column);
                        float* panel = panels + column * depth, result = _result + (long)row * _n + firstColumn + column;
                        var add = _add || pass > 0;
                        if (ahead is null) MultiplyTile<NothingAhead>(rows, count, depth, left, panel, result, add, tile, null, 0);
                        else
                        {
                            MultiplyTile<ReadAhead>(rows, count, depth, left, panel, result, add, tile, ahead, step);
                            ahead += step * depth;
                        }
                    }
                    if (pass == _passes - 1) _finish?.Invoke(row, rows, firstColumn, columns);
                }
            }
        }
        ArrayPool<float>.Shared.Return(memory);
    }

    /// <summary>What this thread probably reads next of a packed matrix, for products of few rows, which are slower to read than to
    /// multiply: tiles ask for it while they multiply. Null for nothing.</summary>
    private float* Next(int part, int pass)
    {
        if (_packed is null || _m > FewRowsAhead) return null;
        if (pass == _passes) (part, pass) = (part + Environment.ProcessorCount, 0);   // a guess: the others take those between
        if (part >= _rowParts * _columnParts) return null;
        var (first, depth) = DepthOf(pass);
        return PackedAt(ColumnsOf(part % _columnParts).First, first, depth);
    }

    /// <summary>Values to ask for with each step of the depth, so that all tiles together ask for a whole part; a line at most.</summary>
    private static nint StepAhead(int rows)
    {
        var tiles = (rows + 2 * FewRows - 1) / (2 * FewRows);   // at least
        return Math.Min(LineFloats, (TileColumns + tiles - 1) / tiles);
    }

    private static int FewRows => Tile<V>.FewRows;

    private static int RowsOfTile(int left) => Tile<V>.HasTwelve && left >= 2 * FewRows ? 2 * FewRows : Math.Min(left, FewRows);

    private void MultiplyTile<A>(int rows, int columns, int depth, MatrixOperand left, float* panel, float* result, bool add, float* tile,
        float* ahead, nint step) where A : struct
    {
        nint leftRow = (nint)left.Row, leftColumn = (nint)left.Column;
        if (columns == 2 * TileColumns)
        {
            Tile<V>.Two<A>(depth, left.Data, leftRow, panel, tile, ahead, step);
            for (var i = 0; i < rows; i++) Put(columns, tile + i * columns, result + (long)i * _n, add);
        }
        else if (columns == TileColumns && rows == 2 * FewRows)
            Tile<V>.Twelve<A>(depth, left.Data, leftRow, leftColumn, panel, TileColumns, result, _n, add, ahead, step);
        else if (columns == TileColumns && rows == FewRows)
            Tile<V>.Six<A>(depth, left.Data, leftRow, leftColumn, panel, TileColumns, result, _n, add, ahead, step);
        else
            for (var row = 0; row < rows; row += FewRows)
            {
                Tile<V>.Six<A>(depth, left.At(row, 0), leftRow, leftColumn, panel, TileColumns, tile, TileColumns, add: false, ahead, step);
                for (var i = row; i < Math.Min(rows, row + FewRows); i++)
                    Put(columns, tile + (i - row) * TileColumns, result + (long)i * _n, add);
            }
    }

    /// <summary>Writes the first columns of a tile's row to the result, or adds them.</summary>
    public static void Put(int columns, float* tile, float* result, bool add)
    {
        for (var i = 0; i < columns; i++) result[i] = add ? result[i] + tile[i] : tile[i];
    }

    /// <summary>The last rows of the left matrix, with zeros where a tile has more rows.</summary>
    private static MatrixOperand WithZeros(MatrixOperand left, int rows, int depth, float* target)
    {
        for (var row = 0; row < rows; row++)
        {
            float* from = left.At(row, 0), to = target + row * depth;
            if (left.Column == 1) new ReadOnlySpan<float>(from, depth).CopyTo(new Span<float>(to, depth));
            else for (var i = 0; i < depth; i++) to[i] = from[i * left.Column];
        }
        new Span<float>(target + rows * depth, (FewRows - rows) * depth).Clear();
        return new MatrixOperand(target, depth);
    }

    /// <summary>Columns of the right matrix as panels, [panels, depth, <see cref="TileColumns"/>], with zeros behind the last
    /// column.</summary>
    private void PackPart(int first, int depth, int firstColumn, int columns, float* packed)
    {
        for (var column = 0; column < columns; column += TileColumns, packed += (long)depth * TileColumns)
        {
            var count = Math.Min(TileColumns, columns - column);
            var source = _right.At(first, firstColumn + column);
            if (_right.Column == 1) PackRows(depth, count, source, _right.Row, packed);
            else PackTransposed(depth, count, source, _right.Column, packed);
        }
    }

    private static void PackRows(int depth, int count, float* source, long stride, float* packed)
    {
        for (var row = 0; row < depth; row++, source += stride, packed += TileColumns)
        {
            if (count == TileColumns)
            {
                V.Load(source).Store(packed);
                V.Load(source + V.Count).Store(packed + V.Count);
                continue;
            }
            for (var i = 0; i < TileColumns; i++) packed[i] = i < count ? source[i] : 0;
        }
    }

    /// <summary>Eight columns at a time, along the depth: as many streams from memory as a processor follows.</summary>
    private static void PackTransposed(int depth, int count, float* source, long stride, float* packed)
    {
        for (var column = 0; column < TileColumns; column += Block, source += Block * stride, packed += Block)
        {
            var row = 0;
            if (Avx.IsSupported && column + Block <= count)
                for (; row <= depth - Block; row += Block)
                    EightByEight.Transpose(source + row, stride, packed + (long)row * TileColumns, TileColumns);
            for (; row < depth; row++)
                for (var i = 0; i < Block; i++)
                    packed[(long)row * TileColumns + i] = column + i < count ? source[i * stride + row] : 0;
        }
    }
}
