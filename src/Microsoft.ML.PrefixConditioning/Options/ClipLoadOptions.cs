namespace Microsoft.ML.PrefixConditioning;

/// <summary>How a pretrained CLIP model is loaded: what its files do not say, and what the transformer's columns are called.</summary>
/// <remarks>Immutable. Where a setting contradicts the model's own configuration, loading fails and says which to change.</remarks>
public sealed record ClipLoadOptions
{
    /// <summary>The model's vocabulary, where it does not lie beside the weights.</summary>
    /// <value>
    /// CLIP's bpe_simple_vocab_16e6.txt.gz, a tokenizer.json, or a folder with vocab.json and merges.txt; null for the folder of the
    /// weights.
    /// Default null.
    /// </value>
    public string? VocabularyPath { get; init; }

    /// <summary>The form of GELU, where no configuration says it; it cannot be told from weights.</summary>
    /// <value>Null to take it from the configuration. Default null.</value>
    public ClipActivation? Activation { get; init; }

    /// <summary>Attention heads of the vision tower, where no configuration says it.</summary>
    /// <value>A divisor of the width; null for the configuration's, or else a 64th of the width. Default null.</value>
    public int? VisionHeads { get; init; }

    /// <summary>Attention heads of the text tower, where no configuration says it.</summary>
    /// <value>A divisor of the width; null for the configuration's, or else a 64th of the width. Default null.</value>
    public int? TextHeads { get; init; }

    /// <summary>Side of the square input image; for another than the model's own, its position embeddings are interpolated.</summary>
    /// <value>Pixels, a multiple of the patch size; null for the model's own. Default null.</value>
    public int? ImageSize { get; init; }

    /// <summary>Sentences that wrap class names in zero-shot classification.</summary>
    /// <value>Null for those that the file names (a model that this package saved), or else <see cref="PromptTemplates.Default"/>. Default
    /// null.</value>
    public PromptTemplates? PromptTemplates { get; init; }

    /// <summary>How image files are read.</summary>
    /// <value>Null for the way that the file names, or else <see cref="PrefixConditioning.ImageDecoding.Upright"/>. Default null.</value>
    public ImageDecoding? ImageDecoding { get; init; }

    /// <summary>What to do with an image that cannot be read.</summary>
    /// <value>Default <see cref="BadRowPolicy.Fail"/>.</value>
    public BadRowPolicy BadRows { get; init; } = BadRowPolicy.Fail;

    /// <summary>Where to compute.</summary>
    /// <value>Default <see cref="ComputeDevice.Auto"/>.</value>
    public ComputeDevice Device { get; init; } = ComputeDevice.Auto;

    /// <summary>Column with the image.</summary>
    /// <value>Text (a path or a locator inside an archive), a vector of bytes (an encoded file) or an ML.NET image. Default
    /// "Image".</value>
    public string ImageColumnName { get; init; } = "Image";

    /// <summary>Column with the text to embed; it may be absent.</summary>
    /// <value>Text. Default "Text".</value>
    public string TextColumnName { get; init; } = "Text";

    /// <summary>Column with the class identity.</summary>
    /// <value>Text, or key with text key values. Default "Label".</value>
    public string LabelColumnName { get; init; } = "Label";

    /// <summary>Output column for image embeddings.</summary>
    /// <value>Default "ImageEmbedding".</value>
    public string ImageEmbeddingColumnName { get; init; } = "ImageEmbedding";

    /// <summary>Output column for text embeddings; added when the input has the text column.</summary>
    /// <value>Default "TextEmbedding".</value>
    public string TextEmbeddingColumnName { get; init; } = "TextEmbedding";

    /// <summary>Checks every setting and reports all faults at once.</summary>
    /// <exception cref="ArgumentException">At least one setting is out of its range.</exception>
    internal void Validate()
    {
        var faults = Faults().ToArray();
        if (faults.Length > 0)
            throw new ArgumentException($"{nameof(ClipLoadOptions)} has {faults.Length} " +
                $"fault(s):{string.Concat(faults.Select(f => $"{Environment.NewLine}- {f}"))}");
    }

    private IEnumerable<string> Faults()
    {
        foreach (var (property, name) in new[]
        {
            (nameof(ImageColumnName), ImageColumnName), (nameof(TextColumnName), TextColumnName), (nameof(LabelColumnName),
                LabelColumnName),
            (nameof(ImageEmbeddingColumnName), ImageEmbeddingColumnName), (nameof(TextEmbeddingColumnName), TextEmbeddingColumnName),
        })
            if (string.IsNullOrWhiteSpace(name)) yield return $"{property} is empty; give the name of a column.";
        if (ImageEmbeddingColumnName == TextEmbeddingColumnName)
            yield return $"{nameof(ImageEmbeddingColumnName)} and {nameof(TextEmbeddingColumnName)} are both " +
                $"'{ImageEmbeddingColumnName}'; give them different names.";
        if (VocabularyPath is not null && string.IsNullOrWhiteSpace(VocabularyPath)) yield return $"{nameof(VocabularyPath)} is empty; " +
            "give a path, or null for the model's folder.";
        foreach (var (property, number) in new[] { (nameof(VisionHeads), VisionHeads), (nameof(TextHeads), TextHeads), (nameof(ImageSize),
            ImageSize) })
            if (number < 1) yield return $"{property} is {number}; at least 1 is needed, or null for the model's own.";
        foreach (var (property, type, value) in new (string, Type, object?)[]
        {
            (nameof(Activation), typeof(ClipActivation), Activation), (nameof(ImageDecoding), typeof(ImageDecoding), ImageDecoding),
            (nameof(BadRows), typeof(BadRowPolicy), BadRows), (nameof(Device), typeof(ComputeDevice), Device),
        })
            if (value is not null && !Enum.IsDefined(type, value)) yield return $"{property} is {value}; use a member of {type.Name}.";
    }
}
