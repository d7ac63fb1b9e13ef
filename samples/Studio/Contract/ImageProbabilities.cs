namespace Studio;

/// <summary>Probabilities of classes for one image.</summary>
/// <param name="Id">The image.</param>
/// <param name="Probabilities">One per class, in the order of the request; they add up to 1.</param>
internal sealed record ImageProbabilities(int Id, IReadOnlyList<float> Probabilities);
