using System.ComponentModel.DataAnnotations;

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
    [Range(1, ClipArchitecture.MaxWidth)]
    public int? VisionHeads { get; init; }

    /// <summary>Attention heads of the text tower, where no configuration says it.</summary>
    /// <value>A divisor of the width; null for the configuration's, or else a 64th of the width. Default null.</value>
    [Range(1, ClipArchitecture.MaxWidth)]
    public int? TextHeads { get; init; }

    /// <summary>Side of the square input image; for another than the model's own, its position embeddings are interpolated.</summary>
    /// <value>Pixels, a multiple of the patch size; null for the model's own. Default null.</value>
    [Range(1, ClipArchitecture.MaxLength)]
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

    /// <summary>Names of columns.</summary>
    /// <value>Default: the defaults of <see cref="ClipColumns"/>.</value>
    public ClipColumns Columns { get; init; } = new();

    /// <summary>Checks every setting.</summary>
    /// <exception cref="ArgumentException">Names all settings that are out of their range.</exception>
    internal void Validate() => OptionFaults.ThrowIfAny(nameof(ClipLoadOptions), OptionFaults.Of(this));
}
