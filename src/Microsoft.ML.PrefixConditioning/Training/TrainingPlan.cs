using System.Globalization;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Which weights a run trains, and how fast each learns.</summary>
/// <remarks>
/// A tower of L blocks has the layers 0 (embeddings, first norm), 1 to L (blocks) and L + 1 (last norm). With layer decay d, layer i learns
/// with the rate times d^(L + 1 - i). A ResNet's layers are its stem (0), its four stages and the attention pooling; a Swin's blocks are
/// counted through all stages, and what merges patches after a stage belongs to its last block. Projections, prefixes and the logit scale
/// belong to no layer and have the full rate; that of prefixes is multiplied by its own factor. Source: ELECTRA (arXiv 2003.10555), in the
/// form of BEiT (arXiv 2106.08254).
/// </remarks>
internal static class TrainingPlan
{
    // How names begin: the text tower's, those of layer 0 and those of layer L + 1.
    private static readonly string[] TextParts = ["token_embedding.", "positional_embedding", "transformer.resblocks.", "ln_final."];
    private static readonly string[] FirstParts =
    [
        "visual.class_embedding", "visual.positional_embedding", "visual.conv", "visual.bn", "visual.ln_pre.", "token_embedding.",
        "positional_embedding",
    ];
    private static readonly string[] LastParts = ["visual.ln_post.", "visual.attnpool.", "visual.norm.", "ln_final."];

    /// <summary>Selects the weights to train and freezes the others.</summary>
    /// <exception cref="ArgumentException">The options freeze everything.</exception>
    public static IReadOnlyList<KeyValuePair<string, Tensor>> Apply(ClipModel model, FineTuningOptions options)
    {
        var trained = model.Weights.Where(w => IsTrained(w.Key, model.Shape.Architecture, options)).ToArray();
        if (trained.Length == 0)
            throw new ArgumentException(
                $"{nameof(PrefixClipOptions.FineTuning)} leaves nothing to train: {nameof(options.TrainableParts)} is " +
                $"{options.TrainableParts}, {nameof(options.FrozenVisionLayers)} {options.FrozenVisionLayers} and " +
                $"{nameof(options.FrozenTextLayers)} {options.FrozenTextLayers}. Name more parts, or freeze fewer layers.");
        var names = trained.Select(w => w.Key).ToHashSet(StringComparer.Ordinal);
        foreach (var (name, weight) in model.Weights) weight.requires_grad = names.Contains(name);
        return trained;
    }

    /// <summary>Whether the options let a weight be trained.</summary>
    public static bool IsTrained(string name, ClipArchitecture architecture, FineTuningOptions options)
    {
        var part = PartOf(name);
        if (!options.TrainableParts.HasFlag(part) || ModelWeights.IsStatistic(name)) return false;
        return part switch
        {
            TrainableParts.Vision => IsAbove(VisionLayerOf(name, architecture), options.FrozenVisionLayers),
            TrainableParts.Text => IsAbove(LayerOf(name, architecture.TextLayers), options.FrozenTextLayers),
            _ => true,
        };
    }

    /// <summary>A weight's learning rate over the run's.</summary>
    public static double RateFactor(string name, ClipArchitecture architecture, FineTuningOptions options) => PartOf(name) switch
    {
        TrainableParts.Prefixes => options.PrefixLearningRateFactor,
        TrainableParts.Vision => Decay(options.LayerDecay, VisionLayerOf(name, architecture), architecture.VisionLayers),
        TrainableParts.Text => Decay(options.LayerDecay, LayerOf(name, architecture.TextLayers), architecture.TextLayers),
        _ => 1,
    };

    /// <summary>The part that a weight belongs to, by its name.</summary>
    /// <exception cref="NotSupportedException">No tower declares such a weight.</exception>
    public static TrainableParts PartOf(string name) => name switch
    {
        "logit_scale" => TrainableParts.LogitScale,
        "visual.proj" or "visual.head.weight" or "text_projection" or "visual.attnpool.c_proj.weight" or "visual.attnpool.c_proj.bias" =>
            TrainableParts.Projections,
        ArchitectureInference.TextPrefixName or ArchitectureInference.ImagePrefixName => TrainableParts.Prefixes,
        _ when name.StartsWith("visual.", StringComparison.Ordinal) => TrainableParts.Vision,
        _ when BeginsWith(name, TextParts) => TrainableParts.Text,
        _ => throw Unknown(name),
    };

    private static bool BeginsWith(string name, string[] parts) => parts.Any(part => name.StartsWith(part, StringComparison.Ordinal));

    private static NotSupportedException Unknown(string name) =>
        new($"The weight '{name}' has no layer: add it to {nameof(TrainingPlan)}.");

    private static bool IsAbove(int layer, int frozen) => frozen == 0 || layer > frozen;

    private static double Decay(double decay, int layer, int layers) => Math.Pow(decay, layers + 1 - layer);

    /// <summary>Layer of a weight of the vision tower, 0 to L + 1.</summary>
    private static int VisionLayerOf(string name, ClipArchitecture architecture)
    {
        const string Features = "visual.features.";   // 0 the patches; then by turns a stage, and what merges patches after it
        if (architecture.Swin is null || !name.StartsWith(Features, StringComparison.Ordinal)) return LayerOf(name,
            architecture.VisionLayers);
        var parts = name[Features.Length..].Split('.');
        var feature = int.Parse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture);
        var earlier = architecture.Swin.ToArray().Take(feature / 2).Sum();
        return feature % 2 == 0 ? earlier : earlier + 1 + int.Parse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture);
    }

    /// <summary>Layer of a tower's weight, 0 to L + 1.</summary>
    private static int LayerOf(string name, int layers)
    {
        const string Blocks = "transformer.resblocks.", Stage = "visual.layer";
        if (name.StartsWith(Stage, StringComparison.Ordinal)) return name[Stage.Length] - '0';
        var at = name.IndexOf(Blocks, StringComparison.Ordinal);
        if (at < 0) return BeginsWith(name, LastParts) ? layers + 1 : BeginsWith(name, FirstParts) ? 0 : throw Unknown(name);
        var index = name.AsSpan(at + Blocks.Length);
        return 1 + int.Parse(index[..index.IndexOf('.')], NumberStyles.None, CultureInfo.InvariantCulture);
    }
}
