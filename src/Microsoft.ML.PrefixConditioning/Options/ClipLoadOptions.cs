using System.ComponentModel.DataAnnotations;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>How to load a pretrained CLIP model: settings that its files do not contain, and column names.</summary>
/// <remarks>Immutable. If a setting contradicts the model's configuration, loading fails and the error says which to change.</remarks>
public sealed record ClipLoadOptions
{
    /// <summary>Path of the vocabulary, if it is not beside the weights.</summary>
    /// <value>
    /// CLIP's bpe_simple_vocab_16e6.txt.gz, a tokenizer.json, or a folder with vocab.json and merges.txt. Null means the folder of the
    /// weights. Default null.
    /// </value>
    public string? VocabularyPath { get; init; }

    /// <summary>Variant of GELU, if no configuration specifies it. It cannot be inferred from weights.</summary>
    /// <value>Null means that of the configuration. Default null.</value>
    public ClipActivation? Activation { get; init; }

    /// <summary>Number of attention heads in the vision tower, if no configuration specifies it.</summary>
    /// <value>A divisor of the width. Null means the configuration's value, otherwise width / 64. Default null.</value>
    [Range(1, ClipArchitecture.MaxWidth)]
    public int? VisionHeads { get; init; }

    /// <summary>Number of attention heads in the text tower, if no configuration specifies it.</summary>
    /// <value>A divisor of the width. Null means the configuration's value, otherwise width / 64. Default null.</value>
    [Range(1, ClipArchitecture.MaxWidth)]
    public int? TextHeads { get; init; }

    /// <summary>Side of the square input image. If it differs from the model's, position embeddings are interpolated.</summary>
    /// <value>Pixels, a multiple of the patch size. Null means the model's own. Default null.</value>
    [Range(1, ClipArchitecture.MaxLength)]
    public int? ImageSize { get; init; }

    /// <summary>Sentences around class names in zero-shot classification.</summary>
    /// <value>
    /// Null means the templates stored in the file, if this package saved it, otherwise <see cref="PromptTemplates.Default"/>. Default
    /// null.
    /// </value>
    public PromptTemplates? PromptTemplates { get; init; }

    /// <summary>How image files are decoded.</summary>
    /// <value>
    /// Null means the way stored in the file, otherwise <see cref="PrefixConditioning.ImageDecoding.Upright"/>. Default null.
    /// </value>
    public ImageDecoding? ImageDecoding { get; init; }

    /// <summary>How to handle an unreadable image.</summary>
    /// <value>Default <see cref="BadRowPolicy.Fail"/>.</value>
    public BadRowPolicy BadRows { get; init; } = BadRowPolicy.Fail;

    /// <summary>The device to run on.</summary>
    /// <value>Default <see cref="ComputeDevice.Auto"/>.</value>
    public ComputeDevice Device { get; init; } = ComputeDevice.Auto;

    /// <summary>The precision of matrix products. With <see cref="Precision.BFloat16"/> the weights take half the memory.</summary>
    /// <value>Default <see cref="Precision.Float32"/>.</value>
    public Precision Precision { get; init; } = Precision.Float32;

    /// <summary>Cancels the download of a model, which throws <see cref="OperationCanceledException"/>. What has arrived is kept.</summary>
    /// <value>Default none.</value>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>Column names.</summary>
    /// <value>Default: the defaults of <see cref="ClipColumns"/>.</value>
    public ClipColumns Columns { get; init; } = new();

    /// <summary>Checks every setting.</summary>
    /// <exception cref="ArgumentException">Names all settings that are out of their range.</exception>
    internal void Validate() => OptionFaults.ThrowIfAny(nameof(ClipLoadOptions), OptionFaults.Of(this));
}
