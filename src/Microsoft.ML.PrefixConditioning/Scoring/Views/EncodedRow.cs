namespace Microsoft.ML.PrefixConditioning;

/// <summary>The embeddings of the current row of a cursor or mapper.</summary>
internal abstract class EncodedRow
{
    private float[] _scores = [];
    private long _scoredPosition = -1;

    /// <summary>[D], unit length; NaN for an image that could not be read.</summary>
    public abstract ReadOnlySpan<float> ImageEmbedding { get; }

    /// <summary>[D], unit length.</summary>
    public abstract ReadOnlySpan<float> TextEmbedding { get; }

    /// <summary>[C] probabilities of the image, computed once for all getters of a row.</summary>
    /// <param name="classifier">Always the same one.</param>
    /// <param name="position">The row's position, which identifies it; negative if there is none.</param>
    public ReadOnlySpan<float> Scores(ZeroShotClassifier classifier, long position)
    {
        if (position == _scoredPosition && position >= 0) return _scores;
        if (_scores.Length == 0) _scores = new float[classifier.ClassNames.Length];
        classifier.Score(ImageEmbedding, _scores);
        _scoredPosition = position;
        return _scores;
    }
}
