using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>One block of a Swin transformer: x + attention inside windows, then x + MLP, each of the norm.</summary>
/// <remarks>
/// Source: "Swin Transformer" (arXiv 2103.14030), section 3.2, as built by torchvision 0.14. Letters as in <see cref="SwinWindows"/>,
/// H heads, M hidden units.
/// </remarks>
internal sealed class SwinBlock
{
    private const double Std = 0.02;   // of torchvision's truncated normal distribution, whose cut at ±2 is a hundred deviations away

    private readonly Products _products;
    private readonly long _heads;
    private readonly bool _shifted;
    private readonly LayerNorm _attentionNorm, _mlpNorm;
    private readonly Tensor _biases;                            // [(2 w - 1)², H]
    private readonly (Tensor Weight, Tensor Bias) _in, _out;    // q|k|v packed: [3 C, C]; [C, C]
    private readonly (Tensor Weight, Tensor Bias) _expand, _reduce;

    /// <param name="weights">Where the weights are declared.</param>
    /// <param name="name">Name of the block in weight files, such as "visual.features.1.0".</param>
    /// <param name="width">C; a multiple of <paramref name="heads"/>.</param>
    /// <param name="heads">H.</param>
    /// <param name="window">w.</param>
    /// <param name="shifted">Whether the block's windows are shifted.</param>
    /// <param name="mlpRatio">M over C.</param>
    public SwinBlock(WeightGroup weights, string name, long width, long heads, long window, bool shifted, double mlpRatio)
    {
        (_products, _heads, _shifted) = (weights.Products, heads, shifted);
        var hidden = (long)(width * mlpRatio);
        (Tensor, Tensor) Linear(string part, long input, long output) =>
            (weights.Normal($"{name}.{part}.weight", Std, output, input), weights.Constant($"{name}.{part}.bias", 0, output));
        _attentionNorm = new LayerNorm(weights, $"{name}.norm1", width);
        _biases = weights.Normal($"{name}.attn.relative_position_bias_table", Std, (2 * window - 1) * (2 * window - 1), heads);
        _in = Linear("attn.qkv", width, 3 * width);
        _out = Linear("attn.proj", width, width);
        _mlpNorm = new LayerNorm(weights, $"{name}.norm2", width);
        _expand = Linear("mlp.0", width, hidden);
        _reduce = Linear("mlp.3", hidden, width);
    }

    /// <summary>[N, S, S, C] -> [N, S, S, C].</summary>
    /// <param name="x">The map.</param>
    /// <param name="windows">How it is cut.</param>
    /// <param name="relativePositions">[L L] int64, as <see cref="SwinWindows.RelativePositions"/> gives them.</param>
    /// <param name="mask">[G, 1, L, L], of shifted windows; null where none are.</param>
    /// <param name="branchFactors">[2, N], of attention and MLP; null for 1.</param>
    public Tensor Forward(Tensor x, SwinWindows windows, Tensor relativePositions, Tensor? mask, Tensor? branchFactors = null)
    {
        using var scope = NewDisposeScope();
        var shift = _shifted ? windows.Shift : 0;
        var cut = windows.Cut(_attentionNorm.Forward(x), shift);                                    // [N G, L, C]
        x = x.Plus(Scaled(windows.Join(Attend(cut, relativePositions, shift > 0 ? mask : null), shift), branchFactors?[0]));
        var hidden = F.gelu(_products.Linear(_mlpNorm.Forward(x), _expand.Weight, _expand.Bias));   // [N, S, S, M]
        return x.Plus(Scaled(_products.Linear(hidden, _reduce.Weight, _reduce.Bias), branchFactors?[1])).MoveToOuterDisposeScope();
    }

    /// <summary>[N, S, S, C] times [N].</summary>
    private static Tensor Scaled(Tensor branch, Tensor? factors) => factors is null ? branch : branch * factors.view(-1, 1, 1, 1);

    /// <summary>[N G, L, C] -> [N G, L, C].</summary>
    private Tensor Attend(Tensor x, Tensor relativePositions, Tensor? mask)
    {
        long count = x.shape[0], length = x.shape[1], width = x.shape[2], size = width / _heads;
        var packed = _products.Linear(x, _in.Weight, _in.Bias)                                        // [N G, L, 3 C]
            .view(count, length, 3, _heads, size).permute(2, 0, 3, 1, 4);                             // [3, N G, H, L, C/H]
        var bias = _products.Added(_biases).index_select(0, relativePositions).view(length, length, _heads).permute(2, 0, 1);   // [H, L, L]
        var scores = packed[0].Times(Math.Pow(size, -0.5)).matmul(packed[1].transpose(-2, -1)).Plus(bias);   // [N G, H, L, L]
        if (mask is not null)
            scores = scores.view(-1, mask.shape[0], _heads, length, length).Plus(mask)              // [N, G, H, L, L] + [G, 1, L, L]
                .view(count, _heads, length, length);
        var mixed = _products.Round(scores.softmax(-1, ScalarType.Float32)).matmul(packed[2])         // [N G, H, L, C/H]
            .transpose(1, 2).reshape(count, length, width);                                           // [N G, L, C]
        return _products.Linear(mixed, _out.Weight, _out.Bias);
    }
}
