namespace Studio;

/// <summary>What is kept of an image.</summary>
/// <param name="Info">Its number and name.</param>
/// <param name="Embedding">[D] of unit length.</param>
/// <param name="Thumbnail">What the model sees of it, as a JPEG file.</param>
internal sealed record GalleryImage(ImageInfo Info, float[] Embedding, byte[] Thumbnail);
