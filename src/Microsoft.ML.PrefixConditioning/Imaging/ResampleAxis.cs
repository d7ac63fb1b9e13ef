namespace Microsoft.ML.PrefixConditioning;

/// <summary>How to resample one side of an image: a part of it is resized, and a window of the result is kept.</summary>
/// <param name="SourceStart">First source pixel of the part.</param>
/// <param name="SourceLength">Source pixels of the part; those outside are ignored, as if they had been cropped before.</param>
/// <param name="ResizedLength">Length of the whole resized part. Long, because a very narrow image becomes very long.</param>
/// <param name="First">First resized pixel that is kept.</param>
/// <param name="Count">Number of resized pixels to keep; only these are computed.</param>
internal readonly record struct ResampleAxis(int SourceStart, int SourceLength, long ResizedLength, long First, int Count)
{
    /// <summary>The whole part, resized and kept as a whole.</summary>
    public static ResampleAxis Whole(int sourceStart, int sourceLength, int resizedLength) =>
        new(sourceStart, sourceLength, resizedLength, 0, resizedLength);

    /// <summary>True if every kept pixel is a copy of a source pixel.</summary>
    public bool IsCopy => ResizedLength == SourceLength;
}
