namespace Studio;

/// <summary>What became of several files.</summary>
/// <param name="Added">Images that are now in the gallery.</param>
/// <param name="Refused">Files that are not.</param>
internal sealed record AddedImages(IReadOnlyList<ImageInfo> Added, IReadOnlyList<RefusedImage> Refused);
