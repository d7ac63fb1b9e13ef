using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Layer normalisation over the last axis with gain and bias; eps 1e-5 as in open_clip.</summary>
internal sealed class LayerNorm(ModelWeights weights, string name, long width)
{
    private readonly long[] _shape = [width];
    private readonly Tensor _gain = weights.Constant($"{name}.weight", 1, width);
    private readonly Tensor _bias = weights.Constant($"{name}.bias", 0, width);

    /// <summary>[..., W] -> [..., W].</summary>
    public Tensor Forward(Tensor x) => nn.functional.layer_norm(x, _shape, _gain, _bias, eps: 1e-5);
}
