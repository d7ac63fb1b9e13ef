namespace Microsoft.ML.PrefixConditioning;

/// <summary>What the numbers of a preprocessed image mean: [3, S, S] planes of red, green and blue, with S the model's image
/// size.</summary>
public enum PixelValues
{
    /// <summary>0 to 255, as ML.NET's <c>ExtractPixels</c> gives them.</summary>
    Rgb255,

    /// <summary>Scaled to 0 to 1, less the model's mean and over its standard deviation: what the vision tower reads.</summary>
    Normalized,
}

/// <summary>The name that columns and ONNX inputs have for each kind, so that one cannot be taken for the other.</summary>
internal static class PixelColumn
{
    /// <summary>"Pixels" or "NormalizedPixels".</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is no member of the enumeration.</exception>
    public static string NameOf(PixelValues values) => values switch
    {
        PixelValues.Rgb255 => "Pixels",
        PixelValues.Normalized => "NormalizedPixels",
        _ => throw new ArgumentOutOfRangeException(nameof(values),
            $"The pixel values are {(int)values}; use a member of {nameof(PixelValues)}."),
    };
}
