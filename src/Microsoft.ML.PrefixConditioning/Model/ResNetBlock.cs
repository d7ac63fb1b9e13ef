using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A bottleneck block of CLIP's ResNet: x + (1 x 1, 3 x 3, average pool, 1 x 1), each convolution normalized.</summary>
/// <remarks>Source: open_clip v2.20.0, <c>Bottleneck</c>. C input channels, P inner channels, 4 P output channels.</remarks>
internal sealed class ResNetBlock
{
    private const int Expansion = 4;

    private readonly long _stride;
    private readonly NormalizedConvolution _reduce, _mix, _expand;
    private readonly NormalizedConvolution? _shortcut;

    public ResNetBlock(WeightGroup weights, string name, long input, long inner, long stride)
    {
        (_stride, Output) = (stride, inner * Expansion);
        _reduce = new NormalizedConvolution(weights, $"{name}.conv1", $"{name}.bn1", input, inner, kernel: 1);
        _mix = new NormalizedConvolution(weights, $"{name}.conv2", $"{name}.bn2", inner, inner, kernel: 3);
        _expand = new NormalizedConvolution(weights, $"{name}.conv3", $"{name}.bn3", inner, Output, kernel: 1);
        if (stride > 1 || input != Output)
            _shortcut = new NormalizedConvolution(weights, $"{name}.downsample.0", $"{name}.downsample.1", input, Output, kernel: 1);
    }

    /// <summary>4 P.</summary>
    public long Output { get; }

    /// <summary>[N, C, H, W] -> [N, 4 P, H / stride, W / stride].</summary>
    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var inner = _expand.Forward(Shrink(_mix.Forward(_reduce.Forward(x).relu()).relu()));
        return inner.Plus(_shortcut is null ? x : _shortcut.Forward(Shrink(x))).relu().MoveToOuterDisposeScope();
    }

    private Tensor Shrink(Tensor x) => _stride == 1 ? x : F.avg_pool2d(x, _stride);
}

/// <summary>A convolution without bias, and batch normalization with its running statistics; eps 1e-5 as in PyTorch.</summary>
internal sealed class NormalizedConvolution(
    WeightGroup weights, string name, string normName, long input, long output, long kernel, long stride = 1)
{
    private readonly Tensor _weight = weights.Normal($"{name}.weight", Math.Pow(input * kernel * kernel, -0.5), output, input, kernel,
        kernel);
    private readonly Tensor _gain = weights.Constant($"{normName}.weight", 1, output), _bias = weights.Constant($"{normName}.bias", 0,
        output);
    private readonly Tensor _mean = weights.Statistic($"{normName}.running_mean", 0, output);
    private readonly Tensor _variance = weights.Statistic($"{normName}.running_var", 1, output);

    /// <summary>[N, C, H, W] -> [N, O, H / stride, W / stride].</summary>
    public Tensor Forward(Tensor x) => F.batch_norm(
        Convolution.Apply(x, _weight, stride), _mean, _variance, _gain, _bias, training: false, eps: 1e-5);
}
