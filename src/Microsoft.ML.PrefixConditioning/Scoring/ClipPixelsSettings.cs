using System.Text.Json.Serialization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>How images become pixels: the whole state of <see cref="ClipPixelsTransformer"/>.</summary>
internal sealed record ClipPixelsSettings
{
    private const int MaxImageSize = 4096;   // of every architecture

    private static readonly Envelope Envelope = new("CLPIXEL", 1, "pixel transformer");

    public required int ImageSize { get; init; }
    public required ImageNormalization Normalization { get; init; }
    public required PixelValues Pixels { get; init; }
    public required ImageDecoding ImageDecoding { get; init; }

    /// <summary>How to handle an unreadable image; model files keep the option's first name.</summary>
    [JsonPropertyName("BadImages")]
    public required BadRowPolicy BadRows { get; init; }

    public required string ImageColumnName { get; init; }
    public required string OutputColumnName { get; init; }

    /// <summary>The settings for a model's images.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The pixel values are not a member of the enumeration.</exception>
    public static ClipPixelsSettings Of(ModelSettings model, PixelValues pixels) => new()
    {
        ImageSize = model.Architecture.ImageSize, Normalization = model.Normalization, Pixels = pixels,
        ImageDecoding = model.ImageDecoding, BadRows = model.BadRows,
        ImageColumnName = model.ImageColumnName, OutputColumnName = PixelColumn.NameOf(pixels),
    };

    /// <summary>Writes the settings as JSON in an envelope.</summary>
    public void Write(BinaryWriter target) => Envelope.WriteJson(target.BaseStream, this);

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The data are damaged or of a newer version.</exception>
    public static ClipPixelsSettings Read(BinaryReader source) =>
        Envelope.ReadJson<ClipPixelsSettings>(source.BaseStream, settings =>
        {
            if (settings.ImageSize is < 1 or > MaxImageSize) throw new FormatException($"The image size is {settings.ImageSize}.");
            if (settings.Normalization is null) throw new FormatException("The mean or the standard deviation of images is missing.");
            if (settings.Normalization.Faults().FirstOrDefault() is { } fault) throw new FormatException(fault);
        });
}
