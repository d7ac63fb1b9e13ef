using System.ComponentModel.DataAnnotations;
using SweepRange = Microsoft.ML.SearchSpace.RangeAttribute;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Random augmentation of training images. The same seed, step and row give the same augmentation.</summary>
public sealed record AugmentationOptions
{
    /// <summary>Smallest fraction of an image's area that a random crop keeps.</summary>
    /// <value>1 means the center crop, as in scoring. Default 0.9 (open_clip).</value>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    [SweepRange(0.3, 1.0, init: 0.9, logBase: false)]
    public double MinCropScale { get; init; } = 0.9;

    /// <summary>Probability of mirroring an image horizontally.</summary>
    /// <value>Default 0, because text and many signs are not symmetric.</value>
    [Range(0.0, 1.0)]
    [SweepRange(0.0, 0.5, init: 0.0, logBase: false)]
    public double HorizontalFlipProbability { get; init; }
}
