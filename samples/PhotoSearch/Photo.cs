using Microsoft.Extensions.VectorData;

namespace PhotoSearch;

/// <summary>A stored photo. Its file is not kept.</summary>
internal sealed class Photo
{
    /// <summary>Name that it was stored under.</summary>
    [VectorStoreKey]
    public string Name { get; set; } = "";

    /// <summary>Its embedding, of unit length; 512 is the size of ViT-B/32, and this store takes any.</summary>
    [VectorStoreVector(512, DistanceFunction = DistanceFunction.CosineSimilarity)]
    public ReadOnlyMemory<float> Embedding { get; set; }
}
