using System.Text.Json;
using System.Text.Json.Serialization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Metadata of files that this package wrote: dataset types, templates and how images are read.</summary>
/// <remarks>A JSON text in the metadata of the safetensors file, beside the prefix tables that it explains.</remarks>
internal sealed record PretrainedPrefixes
{
    private const string MetadataKey = "prefix_conditioning";

    private static readonly JsonSerializerOptions Json = new()
    {
        Converters = { new JsonStringEnumConverter(namingPolicy: null, allowIntegerValues: false) },
        RespectNullableAnnotations = true,
    };

    public required IReadOnlyList<DatasetType> DatasetTypes { get; init; }
    public required IReadOnlyList<string> Templates { get; init; }
    public required ImageDecoding ImageDecoding { get; init; }

    /// <summary>A model without prefixes: it was trained on captions, without prefixes.</summary>
    public static PretrainedPrefixes None { get; } = new()
    {
        DatasetTypes = [DatasetType.Caption], Templates = [.. PromptTemplates.Default], ImageDecoding = ImageDecoding.Upright,
    };

    /// <summary>The metadata of a model's file.</summary>
    public static IReadOnlyDictionary<string, string> MetadataOf(ModelSettings settings) => new Dictionary<string, string>
    {
        ["format"] = "pt",   // Hugging Face's reader refuses files without it
        [MetadataKey] = JsonSerializer.Serialize(new PretrainedPrefixes
        {
            DatasetTypes = settings.DatasetTypes, Templates = settings.Templates, ImageDecoding = settings.ImageDecoding,
        }, Json),
    };

    /// <summary>From a file's metadata.</summary>
    /// <param name="metadata">All of the file's metadata.</param>
    /// <param name="types">Dataset types that the file's prefix tables have; 0 without tables.</param>
    /// <exception cref="InvalidDataException">The metadata are damaged, or do not fit the tables.</exception>
    public static PretrainedPrefixes Read(IReadOnlyDictionary<string, string> metadata, int types)
    {
        if (!metadata.TryGetValue(MetadataKey, out var json))
            return types == 0 ? None : throw new InvalidDataException(
                $"The file has prefixes of {types} dataset types, but its metadata do not name them ('{MetadataKey}'). Save it again " +
                    "with SaveSafetensors.");
        try
        {
            var read = JsonSerializer.Deserialize<PretrainedPrefixes>(json, Json) ?? throw new JsonException("They are null.");
            if (read.DatasetTypes.Count == 0 || read.DatasetTypes.Any(t => string.IsNullOrWhiteSpace(t?.Name))
                || read.DatasetTypes.DistinctBy(t => t.Name).Count() < read.DatasetTypes.Count)
                throw new JsonException("They name no dataset type, one without a name, or one twice.");
            if (types > 0 && types != read.DatasetTypes.Count)
                throw new JsonException($"They name {read.DatasetTypes.Count} dataset types, the prefixes are of {types}.");
            _ = PromptTemplates.Of([.. read.Templates]);
            return read;
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new InvalidDataException($"The metadata '{MetadataKey}' are damaged: {e.Message}", e);
        }
    }
}
