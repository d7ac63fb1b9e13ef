using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A tower on a processor, up to its pooled token. N sequences, W width.</summary>
internal interface IFusedTower<TInput> : IDisposable
{
    /// <summary>Its blocks, which own the memory of passes.</summary>
    FusedBlocks Blocks { get; }

    /// <summary>Whether a weight below the last norm is trained, so that going back makes sense.</summary>
    bool IsTrained { get; }

    /// <summary>Pooled tokens to embeddings, not yet of unit length: [N, W] -> [N, D].</summary>
    /// <param name="input">What is encoded.</param>
    /// <param name="pooled">[N, W].</param>
    Tensor Head(TInput input, Tensor pooled);

    /// <summary>The pooled tokens before the last norm: [N, W], in the pass's memory.</summary>
    /// <param name="input">What is encoded.</param>
    /// <param name="memory">Of <see cref="Blocks"/>.</param>
    /// <param name="keep">Whether <see cref="Backward"/> follows.</param>
    MatrixBuffer Forward(TInput input, TowerMemory memory, bool keep);

    /// <summary>Adds to the gradients of the tower's weights.</summary>
    /// <param name="input">As in <see cref="Forward"/>.</param>
    /// <param name="memory">As in <see cref="Forward"/>.</param>
    /// <param name="gradient">[N, W], of the pooled tokens.</param>
    void Backward(TInput input, TowerMemory memory, Tensor gradient);
}
