namespace Microsoft.ML.PrefixConditioning;

/// <summary>How pixels of 0 to 1 become what the vision tower reads: less the mean, over the standard deviation.</summary>
/// <param name="Mean">Of red, green and blue.</param>
/// <param name="StandardDeviation">Of red, green and blue.</param>
internal sealed record PixelNormalisation(float[] Mean, float[] StandardDeviation)
{
    /// <summary>A model's numbers; every model has CLIP's.</summary>
    public static PixelNormalisation Of(ModelSettings settings) =>
        new([.. ImagePreprocessor.ClipMean], [.. ImagePreprocessor.ClipStandardDeviation]);
}
