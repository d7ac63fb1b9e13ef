namespace Studio;

/// <summary>That the server answers, and how full it is.</summary>
/// <param name="Status">Always "ready": the model is loaded before the server listens.</param>
/// <param name="Images">Number of images in the gallery.</param>
internal sealed record Health(string Status, int Images);
