namespace Microsoft.ML.PrefixConditioning;

/// <summary>How well a prefix suits a set of images by a criterion that needs no labels.</summary>
/// <param name="Prefix">A prefix, or a blend.</param>
/// <param name="Score">Larger is better; only scores of one criterion, model and set of images can be compared.</param>
public readonly record struct PrefixScore(PrefixSelection Prefix, double Score);
