using System.ComponentModel.DataAnnotations;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Settings of <see cref="ZeroShotClassificationEstimator"/>. Immutable.</summary>
public sealed record ZeroShotClassificationOptions : IValidatableObject
{
    /// <summary>The names of the classes to choose from. Labels use the same names.</summary>
    /// <value>
    /// At least two, none empty. No default. Names may repeat, as in CLIP's list for ImageNet: every class is scored, the second with the
    /// same name becomes "name (2)", the third "name (3)", and the label "name" means the first.
    /// </value>
    public IReadOnlyList<string> ClassNames { get; init; } = [];

    /// <summary>Text for each class to put into the prompt templates. Set it if labels are not words, such as "n04008634", or if several
    /// classes share a word.</summary>
    /// <value>
    /// One text per class, in the order of <see cref="ClassNames"/>, none empty; texts may repeat. Null means the class names. Default
    /// null.
    /// </value>
    public IReadOnlyList<string>? ClassTexts { get; init; }

    /// <summary>[C] the texts to encode.</summary>
    internal IReadOnlyList<string> Texts => ClassTexts ?? ClassNames;

    /// <summary>Prefix of the class names at test time.</summary>
    /// <value>
    /// Null means the caption prefix. With <see cref="PrefixSelection.Auto"/>, <c>Fit</c> chooses from its images, which need no labels.
    /// Default null (arXiv 2206.01125, section 4.3).
    /// </value>
    public PrefixSelection? Prefix { get; init; }

    /// <summary>Maximum number of images that <c>Fit</c> reads to choose a prefix. A larger view is sampled, always with the same
    /// result.</summary>
    /// <value>Used with <see cref="PrefixSelection.Auto"/> only. Default 1000.</value>
    [Range(1, int.MaxValue)]
    public int MaxAutoImages { get; init; } = 1000;

    /// <summary>Sentences around the class names. The embeddings of all sentences are averaged.</summary>
    /// <value>Null means the templates that the model was trained with. Default null.</value>
    public PromptTemplates? PromptTemplates { get; init; }

    /// <summary>Factor from cosine similarity to logit.</summary>
    /// <value>Null means the factor that the model learned. Default null; open_clip's evaluation uses 100.</value>
    [Range(0.0, float.MaxValue, MinimumIsExclusive = true)]
    public double? LogitScale { get; init; }

    /// <summary>Column with the image, or with image embeddings from the same model.</summary>
    /// <value>
    /// Text (a path or a locator), a vector of bytes, an ML.NET image, or a vector of float of the embedding size. Null means the model's
    /// image column or, in a pipeline after <c>PrefixClip</c>, the embeddings of that step. Embeddings contain the default image prefix; if
    /// the model has image prefixes (<see cref="PrefixClipOptions.ImagePrefixLength"/>), other prefixes need the images. Default null.
    /// </value>
    public string? ImageColumnName { get; init; }

    /// <summary>Column with the true class name. If the input has it, it is mapped to the key of the class. Names are compared in Unicode
    /// normalization form C.</summary>
    /// <value>Text, or key with text key values. Default "Label".</value>
    public string LabelColumnName { get; init; } = "Label";

    /// <summary>Output column with the probability of every class.</summary>
    /// <value>Default "Score".</value>
    public string ScoreColumnName { get; init; } = "Score";

    /// <summary>Output column with the most probable class.</summary>
    /// <value>Default "PredictedLabel".</value>
    public string PredictedLabelColumnName { get; init; } = "PredictedLabel";

    /// <summary>Output column with the name of the most probable class, for those who want text instead of a key.</summary>
    /// <value>Empty for a missing image. Null means no such column. Default null.</value>
    public string? PredictedClassColumnName { get; init; }

    /// <summary>Checks every setting.</summary>
    /// <exception cref="ArgumentException">Names all settings that are out of their range.</exception>
    internal void Validate() => OptionFaults.ThrowIfAny(nameof(ZeroShotClassificationOptions), OptionFaults.Of(this));

    IEnumerable<ValidationResult> IValidatableObject.Validate(ValidationContext validationContext)
    {
        if (ClassNames is null) yield break;
        if (ClassNames.Count < 2)
        {
            yield return new($"{nameof(ClassNames)} has {ClassNames.Count} name(s); at least two classes are needed to choose from.");
        }
        else
        {
            for (var i = 0; i < ClassNames.Count; i++)
                if (string.IsNullOrWhiteSpace(ClassNames[i])) yield return new($"{nameof(ClassNames)}: the name at index {i} is empty.");
            if (ClassTexts is not null && ClassTexts.Count != ClassNames.Count)
                yield return new($"{nameof(ClassTexts)} has {ClassTexts.Count} text(s) for {ClassNames.Count} class names; " +
                    "give one per class, or null.");
        }
        for (var i = 0; i < (ClassTexts?.Count ?? 0); i++)
            if (string.IsNullOrWhiteSpace(ClassTexts![i])) yield return new($"{nameof(ClassTexts)}: the text at index {i} is empty.");
        string[] columns = [LabelColumnName, ScoreColumnName, PredictedLabelColumnName,
            .. PredictedClassColumnName is { } name ? new[] { name } : []];
        if (columns.Distinct(StringComparer.Ordinal).Count() < columns.Length)
            yield return new($"{nameof(LabelColumnName)}, {nameof(ScoreColumnName)}, {nameof(PredictedLabelColumnName)} and " +
                $"{nameof(PredictedClassColumnName)} must differ; found '{string.Join("', '", columns)}'.");
    }
}
