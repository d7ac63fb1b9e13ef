namespace Microsoft.ML.PrefixConditioning;

/// <summary>The embeddings of the row that a cursor or mapper stands on, wherever they come from.</summary>
internal abstract class EncodedRow
{
    /// <summary>[D], unit length; NaN for an image that could not be read.</summary>
    public abstract ReadOnlySpan<float> ImageEmbedding { get; }

    /// <summary>[D], unit length.</summary>
    public abstract ReadOnlySpan<float> TextEmbedding { get; }
}
