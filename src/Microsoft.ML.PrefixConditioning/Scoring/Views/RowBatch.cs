using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Rows that were read ahead: their columns' values, and what is needed to encode them.</summary>
internal sealed class RowBatch(int capacity, ColumnBuffer[] columns) : IDisposable
{
    private float[]? _textEmbeddings;   // [Count, D]

    /// <summary>Number of rows; the reader counts it up to the capacity.</summary>
    public int Count { get; set; }

    public DataViewRowId[] Ids { get; } = new DataViewRowId[capacity];
    public long[] SourceBatches { get; } = new long[capacity];
    public ColumnBuffer[] Columns { get; } = columns;
    public PreparedImages? Images { get; set; }
    public string[] Texts { get; } = new string[capacity];

    /// <summary>A row's text embedding, [D]. The first call runs the network for all rows.</summary>
    public ReadOnlySpan<float> TextEmbedding(int row, EmbeddingEncoder encoder)
    {
        _textEmbeddings ??= encoder.Encode(Texts[..Count]);
        return _textEmbeddings.AsSpan(row * encoder.EmbeddingSize, encoder.EmbeddingSize);
    }

    public void Dispose()
    {
        foreach (var column in Columns) column.Dispose();
    }
}
