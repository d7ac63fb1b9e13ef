using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Layer normalization over the last axis with gain and bias; eps 1e-5 as in open_clip.</summary>
internal sealed class LayerNorm(WeightGroup weights, string name, long width)
{
    private readonly long[] _shape = [width];

    /// <summary>[W].</summary>
    public Tensor Gain { get; } = weights.Constant($"{name}.weight", 1, width);

    /// <summary>[W].</summary>
    public Tensor Bias { get; } = weights.Constant($"{name}.bias", 0, width);

    /// <summary>[..., W] -> [..., W].</summary>
    public Tensor Forward(Tensor x) => nn.functional.layer_norm(x, _shape, Gain, Bias, eps: 1e-5);
}
