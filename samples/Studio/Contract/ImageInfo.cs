namespace Studio;

/// <summary>An image of the gallery.</summary>
/// <param name="Id">Its number, from 1.</param>
/// <param name="Name">Name of its file, for display only.</param>
internal sealed record ImageInfo(int Id, string Name);
