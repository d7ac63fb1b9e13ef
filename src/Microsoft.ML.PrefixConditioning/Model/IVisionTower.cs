using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Images to embeddings.</summary>
internal interface IVisionTower : IDisposable
{
    /// <summary>The tower's transformer blocks; null for a tower of another kind.</summary>
    TransformerStack? Stack => null;

    /// <summary>Stochastic depth: the rate at which training drops both residual branches of each block; empty if it drops none.</summary>
    double[] BranchRates => [];

    /// <summary>Embeddings, not yet of unit length.</summary>
    /// <param name="images">[N, 3, S, S] normalized pixels.</param>
    /// <param name="datasetTypes">[N], the index of each image's dataset type, or null for no prefix. Ignored by towers without
    /// prefixes.</param>
    /// <param name="branchFactors">[2 L, N] in training, by <see cref="BranchRates"/>: what the attention and the MLP of each of L blocks
    /// are multiplied by; null for 1.</param>
    /// <returns>[N, D].</returns>
    Tensor Forward(Tensor images, long[]? datasetTypes, Tensor? branchFactors = null);

    /// <summary>Frees what the tower holds besides the model's weights.</summary>
    void IDisposable.Dispose()
    {
    }
}
