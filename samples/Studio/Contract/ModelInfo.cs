namespace Studio;

/// <summary>The served model.</summary>
/// <param name="Name">Name of its file, folder or repository.</param>
/// <param name="Prefixes">Dataset types with a prefix of their own; empty for a model without prefixes.</param>
/// <param name="CanBlend">Whether it has the caption prefix and the classification prefix.</param>
/// <param name="ImageSize">Side of its input, in pixels.</param>
/// <param name="EmbeddingSize">Numbers per embedding.</param>
/// <param name="HasFolder">Whether a folder of images can be loaded.</param>
/// <param name="MaxImages">Number of images that the server keeps.</param>
/// <param name="MaxFileBytes">Largest image file.</param>
internal sealed record ModelInfo(string Name, IReadOnlyList<string> Prefixes, bool CanBlend, int ImageSize, int EmbeddingSize,
    bool HasFolder, int MaxImages, int MaxFileBytes);
