namespace Microsoft.ML.PrefixConditioning;

/// <summary>What happens to one side of an image: a part of it is resized, and a window of the result is kept.</summary>
/// <param name="SourceStart">First source pixel of the part.</param>
/// <param name="SourceLength">Source pixels of the part; those outside it are not looked at, as if they had been cut off before.</param>
/// <param name="ResizedLength">Pixels that the whole part is resized to. Long, because a very narrow image becomes very long.</param>
/// <param name="First">First resized pixel that is kept.</param>
/// <param name="Count">Resized pixels that are kept; only they are computed.</param>
internal readonly record struct ResampleAxis(int SourceStart, int SourceLength, long ResizedLength, long First, int Count)
{
    /// <summary>The whole part, resized and kept as a whole.</summary>
    public static ResampleAxis Whole(int sourceStart, int sourceLength, int resizedLength) =>
        new(sourceStart, sourceLength, resizedLength, 0, resizedLength);

    /// <summary>The stretch of the part, counted from its start, that is resized to the resized length; all of it by default.</summary>
    public Extent Source { get; init; } = new(0, SourceLength);

    /// <summary>True if every kept pixel is a copy of a source pixel.</summary>
    public bool IsCopy => Source == new Extent(0, ResizedLength);
}
