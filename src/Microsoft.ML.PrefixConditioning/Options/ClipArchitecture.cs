using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.Json.Serialization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Sizes of the two towers. Start from a preset and change what you need: <c>ClipArchitecture.Tiny with { ImageSize = 64
/// }</c>.</summary>
/// <remarks>
/// Both towers are pre-norm transformers as open_clip v3.3.0 builds them, unless <see cref="ResNet"/> or <see cref="Swin"/> is set. The
/// presets ViT-B/32, ViT-B/16 and ViT-L/14 are the CLIP paper's (arXiv 2103.00020, table 20), ViT-H/14 is open_clip's; Tiny, Small and
/// SmallSwin are small enough to train on a CPU.
/// </remarks>
public sealed record ClipArchitecture : IValidatableObject
{
    // Far above every published model; they keep the sizes that follow from these within 64 bits, also for a file from anywhere.
    internal const int MaxLength = 4096, MaxWidth = 16384, MaxLayers = 256;
    private const double MaxMlpRatio = 64;

    /// <summary>Side of the square input image.</summary>
    /// <value>Pixels; a multiple of <see cref="PatchSize"/>. Default 224.</value>
    [Range(1, MaxLength)]
    public int ImageSize { get; init; } = 224;

    /// <summary>Side of one square patch. An image yields (ImageSize / PatchSize)² patches and one class token.</summary>
    /// <value>Pixels. Default 32.</value>
    [Range(1, MaxLength)]
    public int PatchSize { get; init; } = 32;

    /// <summary>Width of the vision tower.</summary>
    /// <value>A multiple of <see cref="VisionHeads"/>. Default 768.</value>
    [Range(1, MaxWidth)]
    public int VisionWidth { get; init; } = 768;

    /// <summary>Number of transformer blocks in the vision tower.</summary>
    /// <value>Default 12.</value>
    [Range(1, MaxLayers)]
    public int VisionLayers { get; init; } = 12;

    /// <summary>Number of attention heads in the vision tower.</summary>
    /// <value>A divisor of <see cref="VisionWidth"/>. Default 12.</value>
    [Range(1, MaxWidth)]
    public int VisionHeads { get; init; } = 12;

    /// <summary>Maximum text length in tokens, including start and end token but not prefixes.</summary>
    /// <value>At least one token fits between start and end. Default 77 (CLIP paper, section 2.4).</value>
    [Range(3, MaxLength)]
    public int ContextLength { get; init; } = 77;

    /// <summary>Width of the text tower.</summary>
    /// <value>A multiple of <see cref="TextHeads"/>. Default 512.</value>
    [Range(1, MaxWidth)]
    public int TextWidth { get; init; } = 512;

    /// <summary>Number of transformer blocks in the text tower.</summary>
    /// <value>Default 12.</value>
    [Range(1, MaxLayers)]
    public int TextLayers { get; init; } = 12;

    /// <summary>Number of attention heads in the text tower.</summary>
    /// <value>A divisor of <see cref="TextWidth"/>. Default 8.</value>
    [Range(1, MaxWidth)]
    public int TextHeads { get; init; } = 8;

    /// <summary>Dimension of the embeddings of both towers.</summary>
    /// <value>Default 512.</value>
    [Range(1, MaxWidth)]
    public int EmbeddingSize { get; init; } = 512;

    /// <summary>Width of a block's hidden layer divided by the tower's width.</summary>
    /// <value>The hidden layer must have at least one unit. Default 4.</value>
    [Range(0.0, MaxMlpRatio, MinimumIsExclusive = true)]
    public double MlpRatio { get; init; } = 4;

    /// <summary>The text tower's ratio where it differs from <see cref="MlpRatio"/>, as in open_clip's ViT-g-14 and ViT-bigG-14.</summary>
    /// <value>Null means <see cref="MlpRatio"/>. Saved models that set it have format version 6. Default null.</value>
    [Range(0.0, MaxMlpRatio, MinimumIsExclusive = true)]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? TextMlpRatio { get; init; }

    /// <summary>The text tower's ratio.</summary>
    internal double TextRatio => TextMlpRatio ?? MlpRatio;

    /// <summary>Variant of GELU in the blocks. It cannot be inferred from weights.</summary>
    /// <value>Default <see cref="ClipActivation.Gelu"/>; OpenAI's own models use <see cref="ClipActivation.QuickGelu"/>.</value>
    public ClipActivation Activation { get; init; } = ClipActivation.Gelu;

    /// <summary>Stages of a ResNet as the vision tower. Some of the other sizes then have a different meaning.</summary>
    /// <value>
    /// Null for a vision transformer. With a ResNet, <see cref="VisionWidth"/> is the width of the stem (even), <see cref="VisionLayers"/>
    /// is 4 (the stages), <see cref="VisionHeads"/> is the number of heads of the attention pooling, and <see cref="PatchSize"/> is 32.
    /// Training must start from <see cref="PrefixClipOptions.InitialWeights"/>, because batch normalization always uses its stored
    /// statistics. Default null.
    /// </value>
    public ResNetStages? ResNet { get; init; }

    /// <summary>Stages of a Swin transformer as the vision tower. Some of the other sizes then have a different meaning.</summary>
    /// <value>
    /// Null for a vision transformer. With a Swin transformer, <see cref="VisionWidth"/> and <see cref="VisionHeads"/> are those of the
    /// first stage and double from stage to stage, and <see cref="VisionLayers"/> is the number of blocks in all stages. The tower always
    /// uses the exact GELU; <see cref="Activation"/> applies to the text tower. Saved models have format version 3, or 4 with stochastic
    /// depth. Default null.
    /// </value>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public SwinStages? Swin { get; init; }

    /// <summary>About 2 M parameters, 48 x 48 pixels; trains in a minute or two on two CPU cores.</summary>
    public static ClipArchitecture Tiny { get; } = new()
    {
        ImageSize = 48, PatchSize = 8, VisionWidth = 128, VisionLayers = 4, VisionHeads = 2,
        TextWidth = 128, TextLayers = 4, TextHeads = 2, EmbeddingSize = 128,
    };

    /// <summary>About 5 M parameters, 64 x 64 pixels; trains in about an hour on a few CPU cores.</summary>
    public static ClipArchitecture Small { get; } = new()
    {
        ImageSize = 64, PatchSize = 8, VisionWidth = 192, VisionLayers = 6, VisionHeads = 3,
        TextWidth = 192, TextLayers = 4, TextHeads = 3, EmbeddingSize = 192,
    };

    /// <summary>CLIP's ViT-B/32: 151 M parameters, 224 x 224 pixels.</summary>
    public static ClipArchitecture ViTB32 { get; } = new();

    /// <summary>CLIP's ViT-B/16: 150 M parameters, 224 x 224 pixels.</summary>
    public static ClipArchitecture ViTB16 { get; } = new() { PatchSize = 16 };

    /// <summary>CLIP's ViT-L/14: 428 M parameters, 224 x 224 pixels.</summary>
    public static ClipArchitecture ViTL14 { get; } = new()
    {
        PatchSize = 14, VisionWidth = 1024, VisionLayers = 24, VisionHeads = 16,
        TextWidth = 768, TextHeads = 12, EmbeddingSize = 768,
    };

    /// <summary>open_clip's ViT-H/14: 986 M parameters, 224 x 224 pixels.</summary>
    public static ClipArchitecture ViTH14 { get; } = new()
    {
        PatchSize = 14, VisionWidth = 1280, VisionLayers = 32, VisionHeads = 16,
        TextWidth = 1024, TextLayers = 24, TextHeads = 16, EmbeddingSize = 1024,
    };

    /// <summary>OpenAI's RN50: 102 M parameters, 224 x 224 pixels. Training must start from initial weights.</summary>
    public static ClipArchitecture RN50 { get; } = new()
    {
        ResNet = new ResNetStages(3, 4, 6, 3), VisionWidth = 64, VisionLayers = 4, VisionHeads = 32, EmbeddingSize = 1024,
        Activation = ClipActivation.QuickGelu,
    };

    /// <summary>Swin-T with CLIP's text tower, the model of the prefix-conditioning paper: 91 M parameters with CLIP's vocabulary, 224 x
    /// 224 pixels.</summary>
    /// <remarks>
    /// Source: arXiv 2103.14030, table 7, and appendix A2.1 for the stochastic depth of 0.2; UniCL's configuration of Swin-T (arXiv
    /// 2204.03610).
    /// </remarks>
    public static ClipArchitecture SwinT { get; } = new()
    {
        PatchSize = 4, VisionWidth = 96, VisionLayers = 12, VisionHeads = 3, Swin = new SwinStages(2, 2, 6, 2) { StochasticDepth = 0.2 },
    };

    /// <summary><see cref="Small"/> with a Swin transformer of three stages as its vision tower; much smaller than the published
    /// Swin-S.</summary>
    public static ClipArchitecture SmallSwin { get; } = Small with
    {
        PatchSize = 4,
        VisionWidth = 48,
        VisionLayers = 6,
        VisionHeads = 3,
        Swin = new SwinStages(2, 2, 2) { WindowSize = 4 },
    };

    /// <summary>What distinguishes the vision tower; null for a vision transformer.</summary>
    internal VisionKind? VisionKind => VisionKinds.FirstOrDefault();

    private VisionKind[] VisionKinds => [.. new[] { ResNet?.Kind, Swin?.Kind }.OfType<VisionKind>()];

    IEnumerable<ValidationResult> IValidatableObject.Validate(ValidationContext validationContext)
    {
        if (PatchSize > 0 && ImageSize > 0 && ImageSize % PatchSize != 0)
            yield return new(
                $"{nameof(ImageSize)} is {ImageSize} and {nameof(PatchSize)} {PatchSize}; the image size must be a multiple of " +
                "the patch size.");
        if (VisionHeads > 0 && VisionWidth > 0 && VisionWidth % VisionHeads != 0)
            yield return new(
                $"{nameof(VisionWidth)} is {VisionWidth} and {nameof(VisionHeads)} {VisionHeads}; the width must be a multiple " +
                "of the number of heads.");
        if (TextHeads > 0 && TextWidth > 0 && TextWidth % TextHeads != 0)
            yield return new(
                $"{nameof(TextWidth)} is {TextWidth} and {nameof(TextHeads)} {TextHeads}; the width must be a multiple of the " +
                "number of heads.");
        if (VisionKinds.Length > 1)
            yield return new($"{string.Join(" and ", VisionKinds.Select(k => k.Name))} are both set; a vision tower is one of them.");
        foreach (var fault in VisionKinds.SelectMany(k => k.Faults(this))) yield return new(fault);
        foreach (var (property, ratio, width) in new[]
        {
            (nameof(MlpRatio), MlpRatio, TextMlpRatio is null ? Math.Min(VisionWidth, TextWidth) : VisionWidth),
            (nameof(TextMlpRatio), TextMlpRatio ?? 0, TextWidth),
        })
            if (ratio > 0 && width > 0 && width * ratio < 1)
                yield return new(string.Create(CultureInfo.InvariantCulture,
                    $"{property} is {ratio}, which leaves a tower of width {width} without a hidden unit; increase it."));
    }
}

/// <summary>The activation inside a transformer block.</summary>
public enum ClipActivation
{
    /// <summary>x Φ(x), with the exact Gaussian distribution function.</summary>
    Gelu,

    /// <summary>x sigmoid(1.702 x), as in OpenAI's CLIP models.</summary>
    QuickGelu,
}
