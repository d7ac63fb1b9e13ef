namespace Studio;

/// <summary>Classes and a prefix.</summary>
/// <param name="ClassNames">2 to 200 class names, each of at most 300 characters.</param>
/// <param name="ClassificationWeight">From 0, the caption prefix, to 1, the classification prefix. Without it, the prefix is chosen from
/// the images.</param>
internal sealed record ClassifyRequest(IReadOnlyList<string> ClassNames, double? ClassificationWeight);
