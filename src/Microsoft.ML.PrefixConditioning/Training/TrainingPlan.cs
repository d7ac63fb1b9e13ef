using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Which weights a run trains, and how fast each learns.</summary>
/// <remarks>
/// Every weight is declared with its part and layer (<see cref="ModelWeights.Of"/>). In a tower of L blocks, layer i learns with the rate
/// times d^(L + 1 - i), d the layer decay. Projections, prefixes and the logit scale have the full rate; that of prefixes is multiplied by
/// its own factor. Source: ELECTRA (arXiv 2003.10555), in the form of BEiT (arXiv 2106.08254).
/// </remarks>
internal static class TrainingPlan
{
    /// <summary>Selects the weights to train and freezes the others.</summary>
    /// <exception cref="ArgumentException">The options freeze everything.</exception>
    public static IReadOnlyList<KeyValuePair<string, Tensor>> Apply(ClipModel model, FineTuningOptions options)
    {
        var trained = model.Weights.Where(w => IsTrained(model.PlaceOf(w.Key), options)).ToArray();
        if (trained.Length == 0)
            throw new ArgumentException(
                $"{nameof(PrefixClipOptions.FineTuning)} leaves nothing to train: {nameof(options.TrainableParts)} is " +
                $"{options.TrainableParts}, {nameof(options.FrozenVisionLayers)} {options.FrozenVisionLayers} and " +
                $"{nameof(options.FrozenTextLayers)} {options.FrozenTextLayers}. Name more parts, or freeze fewer layers.");
        foreach (var (name, weight) in model.Weights) weight.requires_grad = IsTrained(model.PlaceOf(name), options);
        return trained;
    }

    /// <summary>Whether the options let a weight be trained.</summary>
    public static bool IsTrained(WeightPlace place, FineTuningOptions options)
    {
        if (place.IsStatistic || !options.TrainableParts.HasFlag(place.Part)) return false;
        var frozen = place.Part switch
        {
            TrainableParts.Vision => options.FrozenVisionLayers,
            TrainableParts.Text => options.FrozenTextLayers,
            _ => 0,
        };
        return frozen == 0 || place.Layer > frozen;
    }

    /// <summary>A weight's learning rate over the run's.</summary>
    public static double RateFactor(WeightPlace place, ClipArchitecture architecture, FineTuningOptions options) => place.Part switch
    {
        TrainableParts.Prefixes => options.PrefixLearningRateFactor,
        TrainableParts.Vision => Math.Pow(options.LayerDecay, architecture.VisionLayers + 1 - place.Layer),
        TrainableParts.Text => Math.Pow(options.LayerDecay, architecture.TextLayers + 1 - place.Layer),
        _ => 1,
    };
}
