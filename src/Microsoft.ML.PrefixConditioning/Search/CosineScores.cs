using System.Runtime.Intrinsics;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Cosine similarities of two blocks of unit vectors, on all cores.</summary>
/// <remarks>A score depends on its two vectors only, not on their places in the blocks: equal vectors have equal scores, and a pair has
/// the same score in every block.</remarks>
internal sealed class CosineScores
{
    /// <summary>Queries of a block: with 4096 rows, 4 MB of scores.</summary>
    public const int MostQueries = 256;

    private float[] _scores = [];
    private int _rows;

    /// <summary>Computes the scores of every query with every row.</summary>
    /// <param name="queries">At most <see cref="MostQueries"/>.</param>
    /// <param name="rows">The vectors that are compared with them.</param>
    public unsafe void Compute(EmbeddingBlock queries, EmbeddingBlock rows)
    {
        _rows = rows.Count;
        var length = queries.Count * rows.Count;
        if (_scores.Length < length) _scores = GC.AllocateUninitializedArray<float>(length);
        fixed (float* left = queries.Values.Span, right = rows.Values.Span, scores = _scores)
        {
            var size = queries.Values.Length / queries.Count;
            if (Vector512.IsHardwareAccelerated) Product<Lanes512>(queries.Count, rows.Count, size, left, right, scores);
            else Product<Lanes256>(queries.Count, rows.Count, size, left, right, scores);
        }
    }

    /// <summary>A query's scores, one for each row.</summary>
    /// <param name="query">Index of the query in its block.</param>
    public ReadOnlySpan<float> Of(int query) => _scores.AsSpan(query * _rows, _rows);

    private static unsafe void Product<V>(int m, int n, int size, float* left, float* right, float* scores) where V : struct, ILanes<V> =>
        MatrixProduct<V>.Run(m, n, size, new(left, size), new MatrixOperand(right, size).Transposed, scores);
}
