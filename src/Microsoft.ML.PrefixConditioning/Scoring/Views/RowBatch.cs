using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Rows that were read ahead: their columns' values, and what is needed to encode them.</summary>
internal sealed class RowBatch(int count, DataViewRowId[] ids, long[] sourceBatches, ColumnBuffer[] columns) : IDisposable
{
    private float[]? _textEmbeddings;   // [Count, D]

    public int Count { get; } = count;
    public DataViewRowId[] Ids { get; } = ids;
    public long[] SourceBatches { get; } = sourceBatches;
    public ColumnBuffer[] Columns { get; } = columns;
    public PreparedImages? Images { get; init; }
    public string[]? Texts { get; init; }

    /// <summary>A row's text embedding, [D]. The first call runs the network for all rows.</summary>
    public ReadOnlySpan<float> TextEmbedding(int row, EmbeddingEncoder encoder)
    {
        _textEmbeddings ??= encoder.Encode(Texts!);
        return _textEmbeddings.AsSpan(row * encoder.EmbeddingSize, encoder.EmbeddingSize);
    }

    public void Dispose()
    {
        foreach (var column in Columns) column.Dispose();
    }
}
