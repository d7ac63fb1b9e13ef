using System.Text.Json;
using System.Text.Json.Serialization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>How images become pixels: the whole state of <see cref="ClipPixelsTransformer"/>.</summary>
internal sealed record ClipPixelsSettings
{
    private const int MaxImageSize = 4096;   // of every architecture

    private static readonly JsonSerializerOptions Json = new()
    {
        Converters = { new JsonStringEnumConverter(namingPolicy: null, allowIntegerValues: false) },
        RespectNullableAnnotations = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

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
    public void Write(BinaryWriter target) =>
        Envelope.Write(target.BaseStream, items: 1, writer => writer.Write(JsonSerializer.SerializeToUtf8Bytes(this, Json)));

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The data are damaged or of a newer version.</exception>
    public static ClipPixelsSettings Read(BinaryReader source) => Envelope.Read(source.BaseStream, (_, reader) =>
    {
        try
        {
            var settings = JsonSerializer.Deserialize<ClipPixelsSettings>(reader.BaseStream, Json)
                ?? throw new JsonException("It is null.");
            if (settings.ImageSize is < 1 or > MaxImageSize) throw new JsonException($"The image size is {settings.ImageSize}.");
            if (settings.Normalization?.Faults().FirstOrDefault() is { } fault) throw new JsonException(fault);
            return settings.Normalization is not null ? settings
                : throw new JsonException("The mean or the standard deviation of images is missing.");
        }
        catch (JsonException e)
        {
            throw new FormatException(e.Message, e);
        }
    });
}
