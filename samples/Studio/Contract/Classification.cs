namespace Studio;

/// <summary>Probabilities of classes for all images of the gallery.</summary>
/// <param name="Prefix">The prefix of the class names, such as "0.75 caption + 0.25 classification".</param>
/// <param name="ClassificationWeight">Its share of the classification prefix, 0 to 1.</param>
/// <param name="Images">One element per image.</param>
internal sealed record Classification(string Prefix, double ClassificationWeight, IReadOnlyList<ImageProbabilities> Images);
