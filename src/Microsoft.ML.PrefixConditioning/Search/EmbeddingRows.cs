using System.Numerics.Tensors;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Vectors of unit length, row by row in chunks of bounded size: no array reaches 2 GB, and adding copies no others.</summary>
/// <param name="size">D, length of a vector.</param>
/// <remarks>Rows never change. A snapshot can be read while another thread adds rows to the original.</remarks>
internal sealed class EmbeddingRows(int size)
{
    private const int ChunkValues = 1 << 20, MostRowsOfChunk = 4096;   // 4 MB, and at most 4096 columns of scores
    private const float Rounding = 1e-5f;                              // of the length of a vector that a model scaled

    private readonly int _chunkRows = Math.Clamp(ChunkValues / size, 1, MostRowsOfChunk);
    private float[][] _chunks = [];

    /// <summary>D.</summary>
    public int Size => size;

    /// <summary>Number of vectors.</summary>
    public int Count { get; private set; }

    /// <summary>The vectors that are there now. Adding to the snapshot and to the original excludes each other.</summary>
    public EmbeddingRows Snapshot() => (EmbeddingRows)MemberwiseClone();

    /// <summary>Adds a vector, scaled to unit length; one that has it already stays as it is.</summary>
    /// <param name="vector">[D].</param>
    /// <returns>False if it has no direction (zeros, or values that are not finite); it is not added then.</returns>
    /// <exception cref="InvalidOperationException">There are 2^31 - 1 vectors.</exception>
    public bool TryAdd(ReadOnlySpan<float> vector)
    {
        var length = TensorPrimitives.Norm(vector);
        if (!float.IsNormal(length)) return false;
        if (Count == int.MaxValue) throw new InvalidOperationException($"There are {Count} vectors, as many as are possible.");
        var (chunk, row) = Math.DivRem(Count, _chunkRows);
        if (chunk == _chunks.Length) _chunks = [.. _chunks, GC.AllocateUninitializedArray<float>(_chunkRows * size)];
        TensorPrimitives.Divide(vector, MathF.Abs(length - 1) < Rounding ? 1 : length, _chunks[chunk].AsSpan(row * size, size));
        Count++;
        return true;
    }

    /// <summary>A vector.</summary>
    public ReadOnlySpan<float> this[int row] => _chunks[row / _chunkRows].AsSpan(row % _chunkRows * size, size);

    /// <summary>All vectors in their order, as blocks that lie in one piece.</summary>
    /// <param name="mostRows">Largest number of vectors in a block.</param>
    /// <param name="firstRow">The first vector of the first block.</param>
    public IEnumerable<EmbeddingBlock> Blocks(int mostRows = MostRowsOfChunk, int firstRow = 0)
    {
        for (int first = firstRow, count; first < Count; first += count)
        {
            var row = first % _chunkRows;
            count = Math.Min(Math.Min(mostRows, _chunkRows - row), Count - first);
            yield return new EmbeddingBlock(first, count, _chunks[first / _chunkRows].AsMemory(row * size, count * size));
        }
    }
}

/// <summary>Some vectors of <see cref="EmbeddingRows"/>.</summary>
/// <param name="First">Row of the first.</param>
/// <param name="Count">R, their number.</param>
/// <param name="Values">[R, D] row by row.</param>
internal readonly record struct EmbeddingBlock(int First, int Count, ReadOnlyMemory<float> Values);
