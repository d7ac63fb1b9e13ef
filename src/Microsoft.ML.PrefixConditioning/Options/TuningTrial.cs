namespace Microsoft.ML.PrefixConditioning;

/// <summary>One training run of a search.</summary>
/// <param name="Number">Number of the settings, from 0. Number 0 has the estimator's own options.</param>
/// <param name="Round">Round of successive halving, from 0.</param>
/// <param name="Epochs">Epochs of the round.</param>
/// <param name="Settings">What differs from the estimator's options, by path, such as "Optimizer.WeightDecay".</param>
/// <param name="Accuracy">Zero-shot accuracy on the validation set: after the last epoch, or with
/// <see cref="PrefixClipOptions.Patience"/> after the best. Null if training failed.</param>
/// <param name="Seconds">Duration.</param>
/// <param name="Fault">Why training failed, such as a loss that is not finite; null if it did not.</param>
public sealed record TuningTrial(int Number, int Round, int Epochs, IReadOnlyDictionary<string, string> Settings, double? Accuracy,
    double Seconds, string? Fault = null);
