using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What a model needs besides its weights: sizes, dataset types, how images and texts are prepared, and column names.</summary>
internal sealed record ModelSettings
{
    private static readonly JsonSerializerOptions Json = new()
    {
        Converters = { new JsonStringEnumConverter(namingPolicy: null, allowIntegerValues: false) },
        RespectNullableAnnotations = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        WriteIndented = true,
    };

    public required ClipArchitecture Architecture { get; init; }
    public required int VocabularySize { get; init; }
    public required IReadOnlyList<DatasetType> DatasetTypes { get; init; }
    public required int PrefixLength { get; init; }
    public required int ImagePrefixLength { get; init; }

    /// <summary>Whether the model has the sigmoid loss's bias. Since format version 6.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool HasLogitBias { get; init; }

    public required ImageDecoding ImageDecoding { get; init; }

    /// <summary>Mean and standard deviation of pixels. Since format version 2; before it all models had CLIP's.</summary>
    [JsonPropertyName("Normalisation")]   // the spelling of model files
    public ImageNormalization Normalization { get; init; } = ImageNormalization.Clip;

    public required IReadOnlyList<string> Templates { get; init; }

    /// <summary>What to do with an image that cannot be read; model files keep the option's first name.</summary>
    [JsonPropertyName("BadImages")]
    public required BadRowPolicy BadRows { get; init; }

    /// <summary>The precision of matrix products. Since format version 5; before it all models had single precision.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public Precision Precision { get; init; }

    public required string ImageColumnName { get; init; }
    public required string TextColumnName { get; init; }
    public required string LabelColumnName { get; init; }
    public required string ImageEmbeddingColumnName { get; init; }
    public required string TextEmbeddingColumnName { get; init; }

    /// <summary>The settings of a model that is trained with these options.</summary>
    /// <param name="options">The run's options.</param>
    /// <param name="trainedTypes">The dataset types that have rows.</param>
    /// <param name="vocabularySize">Tokens of the vocabulary.</param>
    public static ModelSettings From(
        PrefixClipOptions options, IReadOnlyList<DatasetType> trainedTypes, int vocabularySize) => new()
        {
            Architecture = options.Architecture ?? ClipArchitecture.Tiny,
            VocabularySize = vocabularySize, DatasetTypes = trainedTypes,
            PrefixLength = options.PrefixLength, ImagePrefixLength = options.ImagePrefixLength,
            HasLogitBias = options.Loss == LossFunction.SigLip,
            ImageDecoding = options.ImageDecoding, Precision = options.Precision,
            Templates = [.. options.PromptTemplates], BadRows = options.BadRows,
            ImageColumnName = options.Columns.Image, TextColumnName = options.Columns.Text, LabelColumnName = options.Columns.Label,
            ImageEmbeddingColumnName = options.Columns.ImageEmbedding, TextEmbeddingColumnName = options.Columns.TextEmbedding,
        };

    /// <summary>Sizes that determine the weights' shapes.</summary>
    [JsonIgnore]
    public ClipModelShape Shape => new(Architecture, VocabularySize, DatasetTypes.Count, PrefixLength, ImagePrefixLength, HasLogitBias);

    /// <summary>What turns images into the vision tower's input.</summary>
    public ImagePreprocessor CreatePreprocessor() => ImagePreprocessor.For(Architecture.ImageSize, Normalization);

    /// <summary>The settings as JSON.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, Json);

    /// <summary>Settings from JSON.</summary>
    /// <exception cref="InvalidDataException">The text is not valid, or its values do not fit together.</exception>
    public static ModelSettings FromJson(ReadOnlySpan<byte> json)
    {
        try
        {
            if (JsonNode.Parse(json) is JsonObject found && found["SeparateTextProjections"]?.GetValueKind() == JsonValueKind.True)
                throw new InvalidDataException(
                    "The model has a text projection per dataset type (SeparateTextProjections), which this version of the package " +
                    "does not support: it gained nothing over prefixes. Train the model again without it.");
            var settings = JsonSerializer.Deserialize<ModelSettings>(json, Json) ?? throw new JsonException("The settings are null.");
            var faults = OptionFaults.Of(settings.Architecture).ToList();
            faults.AddRange(settings.Normalization.Faults());
            if (settings.DatasetTypes.Count == 0) faults.Add("There is no dataset type.");
            if (settings.DatasetTypes.Any(t => string.IsNullOrWhiteSpace(t?.Name))) faults.Add("A dataset type has no name.");
            else if (settings.DatasetTypes.DistinctBy(t => t.Name).Count() < settings.DatasetTypes.Count)
                faults.Add("Two dataset types have one name.");
            foreach (var length in new[] { settings.PrefixLength, settings.ImagePrefixLength })
                if (length is < 0 or > PrefixClipOptions.MaxPrefixLength) faults.Add($"A prefix length is {length}.");
            if (settings.VocabularySize < 3) faults.Add($"The vocabulary size is {settings.VocabularySize}.");
            _ = PromptTemplates.Of([.. settings.Templates]);
            return faults.Count == 0 ? settings : throw new JsonException(string.Join(" ", faults));
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new InvalidDataException(
                $"The model's settings are damaged: {e.Message} Save the model again or restore the file from a copy.", e);
        }
    }
}
