using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Images to embeddings.</summary>
internal interface IVisionTower
{
    /// <summary>Embeddings, not yet of unit length.</summary>
    /// <param name="images">[N, 3, S, S] normalised pixels.</param>
    /// <param name="datasetTypes">[N] int64, the index of each image's dataset type, or null for no prefix.</param>
    /// <returns>[N, D].</returns>
    Tensor Forward(Tensor images, Tensor? datasetTypes);
}
