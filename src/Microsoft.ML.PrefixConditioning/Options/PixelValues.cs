namespace Microsoft.ML.PrefixConditioning;

/// <summary>What the values of a preprocessed image mean. Images are [3, S, S] planes of red, green and blue, with S the model's image
/// size.</summary>
public enum PixelValues
{
    /// <summary>0 to 255, as ML.NET's <c>ExtractPixels</c> produces them.</summary>
    Rgb255,

    /// <summary>Scaled to [0, 1], minus the model's mean, divided by its standard deviation: the input of the vision tower.</summary>
    Normalized,
}

/// <summary>The name of columns and ONNX inputs for each kind, which prevents mix-ups.</summary>
internal static class PixelColumn
{
    /// <summary>"Pixels" or "NormalizedPixels".</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is not a member of the enumeration.</exception>
    public static string NameOf(PixelValues values) => values switch
    {
        PixelValues.Rgb255 => "Pixels",
        PixelValues.Normalized => "NormalizedPixels",
        _ => throw new ArgumentOutOfRangeException(nameof(values),
            $"The pixel values are {(int)values}; use a member of {nameof(PixelValues)}."),
    };
}
