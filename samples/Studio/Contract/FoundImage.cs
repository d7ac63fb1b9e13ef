namespace Studio;

/// <summary>A result of a search.</summary>
/// <param name="Id">The image.</param>
/// <param name="Score">Cosine similarity to the text, -1 to 1.</param>
internal sealed record FoundImage(int Id, float Score);
