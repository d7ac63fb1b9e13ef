using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>How images become pixels: all that <see cref="ClipPixelsTransformer"/> knows.</summary>
internal sealed record ClipPixelsSettings
{
    private const int FormatVersion = 1;
    private const int MaxImageSize = 4096;   // of every architecture

    private static readonly JsonSerializerOptions Json = new()
    {
        Converters = { new JsonStringEnumConverter(namingPolicy: null, allowIntegerValues: false) },
        RespectNullableAnnotations = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    public required int ImageSize { get; init; }
    public required ImageNormalization Normalization { get; init; }
    public required PixelValues Pixels { get; init; }
    public required ImageDecoding ImageDecoding { get; init; }

    /// <summary>What to do with an image that cannot be read; model files keep the option's first name.</summary>
    [JsonPropertyName("BadImages")]
    public required BadRowPolicy BadRows { get; init; }

    public required string ImageColumnName { get; init; }
    public required string OutputColumnName { get; init; }

    /// <summary>The settings of a model's images.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The pixels are no member of the enumeration.</exception>
    public static ClipPixelsSettings Of(ModelSettings model, PixelValues pixels) => new()
    {
        ImageSize = model.Architecture.ImageSize, Normalization = model.Normalization, Pixels = pixels,
        ImageDecoding = model.ImageDecoding, BadRows = model.BadRows,
        ImageColumnName = model.ImageColumnName, OutputColumnName = PixelColumn.NameOf(pixels),
    };

    /// <summary>Writes the settings.</summary>
    // i32 version; JSON as a string; SHA-256 of its UTF-8 bytes.
    public void Write(BinaryWriter writer)
    {
        var json = JsonSerializer.Serialize(this, Json);
        writer.Write(FormatVersion);
        writer.Write(json);
        writer.Write(Hash(json));
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The data are damaged or of a newer version.</exception>
    public static ClipPixelsSettings Read(BinaryReader reader)
    {
        try
        {
            var version = reader.ReadInt32();
            if (version is < 1 or > FormatVersion)
                throw new InvalidDataException(
                    $"The pixel settings have format version {version}; this version of the package reads 1 to {FormatVersion}. " +
                    "Update Microsoft.ML.PrefixConditioning to load them.");
            var json = reader.ReadString();
            var (hash, expected) = (Hash(json), reader.ReadBytes(SHA256.HashSizeInBytes));
            if (!hash.AsSpan().SequenceEqual(expected))
                throw new InvalidDataException(
                    $"The pixel settings in the model file are not what was saved: their SHA-256 is {Convert.ToHexStringLower(hash)}, " +
                    $"expected {Convert.ToHexStringLower(expected)}. The file was changed or damaged: restore it from a copy.");
            var settings = JsonSerializer.Deserialize<ClipPixelsSettings>(json, Json) ?? throw new JsonException("They are null.");
            if (settings.ImageSize is < 1 or > MaxImageSize) throw new JsonException($"The image size is {settings.ImageSize}.");
            if (settings.Normalization?.Faults().FirstOrDefault() is { } fault) throw new JsonException(fault);
            if (settings.Normalization is null) throw new JsonException("The mean or the standard deviation of images is missing.");
            return settings;
        }
        catch (Exception e) when (e is EndOfStreamException or JsonException or FormatException or ArgumentException)
        {
            throw new InvalidDataException($"The pixel settings in the model file are damaged: {e.Message} Restore it from a copy.", e);
        }
    }

    private static byte[] Hash(string json) => SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(json));
}
