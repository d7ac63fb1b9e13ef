using System.ComponentModel.DataAnnotations;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Every setting of <see cref="ZeroShotClassificationEstimator"/>. Immutable; the library never changes it.</summary>
public sealed record ZeroShotClassificationOptions : IValidatableObject
{
    /// <summary>The classes to choose from, by the names that labels have.</summary>
    /// <value>
    /// At least two names, none empty. No default. A name may repeat, as in CLIP's list for ImageNet: every class is scored, the second of
    /// a name is called "name (2)", the third "name (3)", and the label "name" means the first.
    /// </value>
    public IReadOnlyList<string> ClassNames { get; init; } = [];

    /// <summary>What the prompt templates say of each class. Set it where labels are not words, such as "n04008634", or where a word has
    /// several classes.</summary>
    /// <value>One text per class, in the order of <see cref="ClassNames"/>, none empty; texts may repeat. Null for the names. Default
    /// null.</value>
    public IReadOnlyList<string>? ClassTexts { get; init; }

    /// <summary>[C] what is encoded.</summary>
    internal IReadOnlyList<string> Texts => ClassTexts ?? ClassNames;

    /// <summary>The test-time prefix that the class names get.</summary>
    /// <value>
    /// A selection, or null for the caption prefix; <see cref="PrefixSelection.Auto"/> lets <c>Fit</c> choose from its images, which need
    /// no labels. Default null (arXiv 2206.01125, section 4.3).
    /// </value>
    public PrefixSelection? Prefix { get; init; }

    /// <summary>Images that <c>Fit</c> reads at most to choose a prefix; of a larger view, that many are drawn, always the same
    /// ones.</summary>
    /// <value>At least 1. Default 1000. Without meaning for a prefix that is named.</value>
    [Range(1, int.MaxValue)]
    public int MaxAutoImages { get; init; } = 1000;

    /// <summary>Sentences that wrap the class names; the embeddings of all are averaged.</summary>
    /// <value>Templates, or null for those that the model was trained with. Default null.</value>
    public PromptTemplates? PromptTemplates { get; init; }

    /// <summary>The factor between cosine similarity and logit.</summary>
    /// <value>Greater than 0, or null for the one that the model learned. Default null; open_clip's evaluation uses 100.</value>
    [Range(0.0, float.MaxValue, MinimumIsExclusive = true)]
    public double? LogitScale { get; init; }

    /// <summary>Column with the image, or with image embeddings that the model gave before.</summary>
    /// <value>Text (a path or a locator), a vector of bytes, an ML.NET image, or a vector of float of the embedding size; null for the
    /// model's image column. Embeddings have the default image prefix: with <see cref="PrefixClipOptions.ImagePrefixLength"/>, other
    /// prefixes need the images. Default null.</value>
    public string? ImageColumnName { get; init; }

    /// <summary>Column with the true class name; where the input has it, it is mapped to the key of the class. Names are compared in
    /// Unicode normalization form C.</summary>
    /// <value>Text, or key with text key values. Default "Label".</value>
    public string LabelColumnName { get; init; } = "Label";

    /// <summary>Output column with the probability of every class.</summary>
    /// <value>Default "Score".</value>
    public string ScoreColumnName { get; init; } = "Score";

    /// <summary>Output column with the most probable class.</summary>
    /// <value>Default "PredictedLabel".</value>
    public string PredictedLabelColumnName { get; init; } = "PredictedLabel";

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
        if (new[] { LabelColumnName, ScoreColumnName, PredictedLabelColumnName }.Distinct(StringComparer.Ordinal).Count() < 3)
            yield return new($"{nameof(LabelColumnName)}, {nameof(ScoreColumnName)} and {nameof(PredictedLabelColumnName)} must differ; " +
                $"found '{LabelColumnName}', '{ScoreColumnName}' and '{PredictedLabelColumnName}'.");
    }
}
