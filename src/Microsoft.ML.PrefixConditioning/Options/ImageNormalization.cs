using System.Globalization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Mean and standard deviation used to normalize pixels in [0, 1]: (pixel - mean) / deviation.</summary>
/// <param name="Mean">Of red, green and blue.</param>
/// <param name="StandardDeviation">Of red, green and blue.</param>
internal sealed record ImageNormalization(ColorValues Mean, ColorValues StandardDeviation)
{
    /// <summary>CLIP's own (openai/CLIP, <c>clip.py</c>).</summary>
    public static ImageNormalization Clip { get; } = new(
        new ColorValues(0.48145466f, 0.4578275f, 0.40821073f), new ColorValues(0.26862954f, 0.26130258f, 0.27577711f));

    /// <summary>Every fault of these numbers, in a user's words; empty if images can be normalized with them.</summary>
    public IEnumerable<string> Faults()
    {
        if (Mean is null || StandardDeviation is null)
        {
            yield return "The mean or the standard deviation of images is missing.";
            yield break;
        }
        if (Mean.ToArray().Any(v => !float.IsFinite(v))) yield return string.Create(CultureInfo.InvariantCulture,
            $"The mean of images is {Mean}; three finite numbers are needed.");
        if (StandardDeviation.ToArray().Any(v => !float.IsFinite(v) || v <= 0))
            yield return string.Create(CultureInfo.InvariantCulture,
                $"The standard deviation of images is {StandardDeviation}; three numbers above 0 are needed.");
    }
}

/// <summary>One number for each color.</summary>
/// <param name="Red">Of red.</param>
/// <param name="Green">Of green.</param>
/// <param name="Blue">Of blue.</param>
internal sealed record ColorValues(float Red, float Green, float Blue)
{
    /// <summary>Red, green, blue.</summary>
    public float[] ToArray() => [Red, Green, Blue];

    /// <summary>As messages give them: (0.5, 0.5, 0.5).</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"({Red}, {Green}, {Blue})");
}
