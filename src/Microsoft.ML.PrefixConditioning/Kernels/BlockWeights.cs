using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The parts of one block. W width, M hidden width.</summary>
/// <param name="Heads">Attention heads.</param>
/// <param name="Activation">The form of GELU.</param>
/// <param name="Rounded">Whether matrices are rounded to bfloat16 before they are multiplied.</param>
/// <param name="AttentionGain">[W], of the norm before attention.</param>
/// <param name="AttentionShift">[W].</param>
/// <param name="In">[3W, W]: queries, keys, values.</param>
/// <param name="InBias">[3W].</param>
/// <param name="Out">[W, W].</param>
/// <param name="OutBias">[W].</param>
/// <param name="MlpGain">[W], of the norm before the MLP.</param>
/// <param name="MlpShift">[W].</param>
/// <param name="Expand">[M, W].</param>
/// <param name="ExpandBias">[M].</param>
/// <param name="Reduce">[W, M].</param>
/// <param name="ReduceBias">[W].</param>
internal sealed record BlockWeights(
    int Heads, ClipActivation Activation, bool Rounded, Tensor AttentionGain, Tensor AttentionShift, Tensor In, Tensor InBias,
    Tensor Out, Tensor OutBias, Tensor MlpGain, Tensor MlpShift, Tensor Expand, Tensor ExpandBias, Tensor Reduce, Tensor ReduceBias)
{
    /// <summary>All tensors.</summary>
    public Tensor[] All =>
        [AttentionGain, AttentionShift, In, InBias, Out, OutBias, MlpGain, MlpShift, Expand, ExpandBias, Reduce, ReduceBias];
}

/// <summary>Which positions a position may look at.</summary>
internal enum AttentionMask
{
    /// <summary>All of them.</summary>
    None,

    /// <summary>Itself and those before it.</summary>
    Causal,
}
