using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>One pre-norm block: x + attention(norm(x)), then x + MLP(norm(x)).</summary>
/// <remarks>Source: open_clip v3.3.0, <c>ResidualAttentionBlock</c>; both towers share it and differ in initial values and mask.</remarks>
internal sealed class TransformerBlock
{
    private const double QuickSlope = 1.702;

    private readonly Products _products;
    private readonly long _heads;
    private readonly ClipActivation _activation;
    private readonly LayerNorm _attentionNorm, _mlpNorm;
    private readonly Tensor _inWeight, _inBias, _outWeight, _outBias;              // q|k|v packed: [3W, W], [3W]
    private readonly Tensor _expandWeight, _expandBias, _reduceWeight, _reduceBias; // [M, W], [M], [W, M], [W]

    /// <param name="weights">Where the weights are declared.</param>
    /// <param name="name">Name of the block in weight files, such as "visual.transformer.resblocks.0".</param>
    /// <param name="width">W; a multiple of <paramref name="heads"/>.</param>
    /// <param name="heads">Attention heads.</param>
    /// <param name="mlpRatio">Width of the hidden layer over W.</param>
    /// <param name="activation">The form of GELU.</param>
    /// <param name="textLayers">Layers of the text tower, whose initial values depend on them; null in the vision tower.</param>
    public TransformerBlock(WeightGroup weights, string name, long width, long heads, double mlpRatio, ClipActivation activation,
        int? textLayers)
    {
        (_products, _heads) = (weights.Products, heads);
        _activation = activation;
        var hidden = (long)(width * mlpRatio);
        _attentionNorm = new LayerNorm(weights, $"{name}.ln_1", width);
        if (textLayers is { } layers)
        {
            // open_clip's text tower: CLIP's scaled normal distributions.
            var outStd = Math.Pow(width, -0.5) * Math.Pow(2.0 * layers, -0.5);
            _inWeight = weights.Normal($"{name}.attn.in_proj_weight", Math.Pow(width, -0.5), 3 * width, width);
            _outWeight = weights.Normal($"{name}.attn.out_proj.weight", outStd, width, width);
            _expandWeight = weights.Normal($"{name}.mlp.c_fc.weight", Math.Pow(2.0 * width, -0.5), hidden, width);
            _reduceWeight = weights.Normal($"{name}.mlp.c_proj.weight", outStd, width, hidden);
        }
        else
        {
            // open_clip's vision tower: torch's defaults (Xavier-uniform on the packed matrix, Kaiming-uniform elsewhere).
            _inWeight = weights.Uniform($"{name}.attn.in_proj_weight", Math.Sqrt(6.0 / (4 * width)), 3 * width, width);
            _outWeight = weights.Uniform($"{name}.attn.out_proj.weight", Math.Pow(width, -0.5), width, width);
            _expandWeight = weights.Uniform($"{name}.mlp.c_fc.weight", Math.Pow(width, -0.5), hidden, width);
            _reduceWeight = weights.Uniform($"{name}.mlp.c_proj.weight", Math.Pow(hidden, -0.5), width, hidden);
        }
        _inBias = weights.Constant($"{name}.attn.in_proj_bias", 0, 3 * width);
        _outBias = weights.Constant($"{name}.attn.out_proj.bias", 0, width);
        _mlpNorm = new LayerNorm(weights, $"{name}.ln_2", width);
        _expandBias = weights.Uniform($"{name}.mlp.c_fc.bias", Math.Pow(width, -0.5), hidden);
        _reduceBias = weights.Uniform($"{name}.mlp.c_proj.bias", Math.Pow(hidden, -0.5), width);
    }

    /// <summary>The block's parts, for another way to compute it.</summary>
    public BlockWeights Weights => new(
        (int)_heads, _activation, !_products.IsSingle, _attentionNorm.Gain, _attentionNorm.Bias, _inWeight, _inBias, _outWeight, _outBias,
        _mlpNorm.Gain, _mlpNorm.Bias, _expandWeight, _expandBias, _reduceWeight, _reduceBias);

    /// <summary>[N, L, W] -> [N, L, W].</summary>
    public Tensor Forward(Tensor x, AttentionMask mask)
    {
        using var scope = NewDisposeScope();
        x = x.Plus(Attend(_attentionNorm.Forward(x), mask));
        x = x.Plus(Mlp(_mlpNorm.Forward(x)));
        return x.MoveToOuterDisposeScope();
    }

    /// <summary>The same, for one position of each row only: what a tower's last block has to give.</summary>
    /// <param name="x">[N, L, W].</param>
    /// <param name="positions">[N] int64, each row's position.</param>
    /// <param name="mask">With <see cref="AttentionMask.Causal"/> a row looks at no position after its own.</param>
    /// <returns>[N, W]. Exact: only keys and values depend on the other positions, so queries, projection and MLP are left out
    /// there.</returns>
    public Tensor ForwardAt(Tensor x, Tensor positions, AttentionMask mask)
    {
        using var scope = NewDisposeScope();
        long n = x.shape[0], length = x.shape[1], width = x.shape[2];
        var rows = TensorMath.Range(n, x.device).Times(length).Plus(positions);
        var chosen = x.flatten(0, 1).index_select(0, rows);                                            // [N, W]
        var normed = _attentionNorm.Forward(x);                                                        // [N, L, W]
        var query = _products.Linear(normed.flatten(0, 1).index_select(0, rows), _inWeight.narrow(0, 0, width), _inBias.narrow(0, 0, width))
            .view(n, _heads, 1, width / _heads);                                                       // [N, H, 1, W/H]
        var packed = _products.Linear(normed, _inWeight.narrow(0, width, 2 * width), _inBias.narrow(0, width, 2 * width)) // [N, L, 2W]
            .view(n, length, 2, _heads, width / _heads).permute(2, 0, 3, 1, 4);                        // [2, N, H, L, W/H]
        var visible = mask == AttentionMask.Causal
            ? TensorMath.Range(length, x.device).unsqueeze(0).le(positions.unsqueeze(1)).view(n, 1, 1, length) : null;
        var mixed = F.scaled_dot_product_attention(query, packed[0], packed[1], visible).view(n, width);  // [N, H, 1, W/H] -> [N, W]
        var result = chosen.Plus(_products.Linear(mixed, _outWeight, _outBias));
        return result.Plus(Mlp(_mlpNorm.Forward(result))).MoveToOuterDisposeScope();
    }

    private Tensor Attend(Tensor x, AttentionMask mask)
    {
        long n = x.shape[0], length = x.shape[1], width = x.shape[2];
        var packed = _products.Linear(x, _inWeight, _inBias)                                                  // [N, L, 3W]
            .view(n, length, 3, _heads, width / _heads).permute(2, 0, 3, 1, 4);                       // [3, N, H, L, W/H]
        var mixed = F.scaled_dot_product_attention(packed[0], packed[1], packed[2], is_casual: mask == AttentionMask.Causal);
        return _products.Linear(mixed.transpose(1, 2).reshape(n, length, width), _outWeight, _outBias);       // [N, H, L, W/H] -> [N, L, W]
    }

    private Tensor Mlp(Tensor x)
    {
        var hidden = _products.Linear(x, _expandWeight, _expandBias);                                         // [..., M]
        hidden = _activation == ClipActivation.Gelu ? F.gelu(hidden) : hidden * hidden.Times(QuickSlope).sigmoid();
        return _products.Linear(hidden, _reduceWeight, _reduceBias);                                          // [..., W]
    }
}
