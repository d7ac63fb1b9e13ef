using System.ComponentModel.DataAnnotations;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Random changes to training images. The same seed, step and row give the same change.</summary>
public sealed record AugmentationOptions
{
    /// <summary>Smallest share of an image's area that a random crop keeps.</summary>
    /// <value>A fraction; 1 takes the central crop instead, as in scoring. Default 0.9 (open_clip).</value>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double MinCropScale { get; init; } = 0.9;

    /// <summary>Probability that an image is mirrored.</summary>
    /// <value>A probability. Default 0, because text and many signs are not symmetric.</value>
    [Range(0.0, 1.0)]
    public double HorizontalFlipProbability { get; init; }
}
