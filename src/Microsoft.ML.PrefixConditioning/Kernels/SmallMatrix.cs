namespace Microsoft.ML.PrefixConditioning;

/// <summary>Products of matrices that fit into a core's cache, as attention has them: one per row of the batch and head.</summary>
/// <typeparam name="V">The vector.</typeparam>
internal static unsafe class SmallMatrix<V> where V : struct, ILanes<V>
{
    /// <summary>c = a b.</summary>
    /// <param name="m">Rows of a and c. Both have room for <see cref="SmallMatrix.Rows"/> of them; what lies in the last ones is read and
    /// written too.</param>
    /// <param name="n">Columns of b and c, a multiple of <see cref="SmallMatrix.ColumnStep"/>.</param>
    /// <param name="k">Columns of a, rows of b.</param>
    /// <param name="a">[m, k].</param>
    /// <param name="b">[k, n], row by row.</param>
    /// <param name="c">[m, n], written.</param>
    public static void Multiply(int m, int n, int k, MatrixOperand a, float* b, float* c)
    {
        nint aRow = (nint)a.Row, aColumn = (nint)a.Column;
        for (int row = 0, rows; row < m; row += rows)
        {
            rows = Tile<V>.HasTwelve && m - row > Tile<V>.FewRows ? 2 * Tile<V>.FewRows : Tile<V>.FewRows;
            var left = a.At(row, 0);
            var target = c + (long)row * n;
            var column = 0;
            for (; column <= n - 2 * V.Count; column += 2 * V.Count)
                if (rows == Tile<V>.FewRows)
                    Tile<V>.Six<NothingAhead>(k, left, aRow, aColumn, b + column, n, target + column, n, add: false);
                else Tile<V>.Twelve<NothingAhead>(k, left, aRow, aColumn, b + column, n, target + column, n, add: false);
            if (column == n) continue;
            for (var half = 0; half < rows; half += Tile<V>.FewRows)
                Tile<V>.SixNarrow(k, left + half * aRow, aRow, aColumn, b + column, n, target + half * n + column, n);
        }
    }
}

/// <summary>Room that the operands of <see cref="SmallMatrix{V}"/> need, the same for every vector.</summary>
internal static class SmallMatrix
{
    /// <summary>Numbers of the widest vector.</summary>
    public const int ColumnStep = 16;

    private const int RowStep = 12;

    /// <summary>Columns with room for whole vectors.</summary>
    public static int Columns(int columns) => (columns + ColumnStep - 1) / ColumnStep * ColumnStep;

    /// <summary>Rows with room for whole tiles.</summary>
    public static int Rows(int rows) => (rows + RowStep - 1) / RowStep * RowStep;
}
