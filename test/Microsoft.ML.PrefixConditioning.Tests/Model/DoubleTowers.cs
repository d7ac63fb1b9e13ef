using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A model without prefixes in double precision, by its weights' names: what both ways of single precision come near to.</summary>
internal sealed class DoubleTowers
{
    private readonly Dictionary<string, Tensor> _weights;
    private readonly ClipArchitecture _sizes;

    public DoubleTowers(ClipModel model)
    {
        _sizes = model.Shape.Architecture;
        _weights = model.Weights.ToDictionary(w => w.Key, w => w.Value.detach().to_type(ScalarType.Float64).requires_grad_(true));
    }

    /// <summary>The gradients of a batch's loss by the weights that it depends on.</summary>
    /// <param name="images">[N, 3, S, S].</param>
    /// <param name="ids">[N, L].</param>
    /// <param name="loss">Of the embeddings and the logit scale; null for the CLIP loss.</param>
    public IReadOnlyDictionary<string, Tensor> Gradients(Tensor images, Tensor ids, Func<Tensor, Tensor, Tensor, Tensor>? loss = null)
    {
        (loss ?? ContrastiveLoss.Clip)(F.normalize(Images(images.to_type(ScalarType.Float64)), p: 2, dim: 1),
            F.normalize(Texts(ids), p: 2, dim: 1), _weights["logit_scale"].exp()).backward();
        return _weights.Where(w => w.Value.grad is not null).ToDictionary(w => w.Key, w => w.Value.grad!);
    }

    private Tensor Images(Tensor images)
    {
        long patch = _sizes.PatchSize;
        var x = F.conv2d(images, _weights["visual.conv1.weight"], null, strides: [patch, patch]).flatten(2).transpose(1, 2);   // [N, G, W]
        x = cat([_weights["visual.class_embedding"].expand(x.shape[0], 1, -1), x], 1) + _weights["visual.positional_embedding"];
        x = Norm(x, "visual.ln_pre");
        for (var i = 0; i < _sizes.VisionLayers; i++) x = Block(x, $"visual.transformer.resblocks.{i}", _sizes.VisionHeads, mask: null);
        return Norm(x.select(1, 0), "visual.ln_post").matmul(_weights["visual.proj"]);
    }

    private Tensor Texts(Tensor ids)
    {
        var length = ids.shape[1];
        var x = _weights["token_embedding.weight"].index_select(0, ids.flatten()).view(ids.shape[0], length, -1);               // [N, L, W]
        x = x + _weights["positional_embedding"].narrow(0, 0, length);
        var mask = full([length, length], double.NegativeInfinity, ScalarType.Float64).triu(1);
        for (var i = 0; i < _sizes.TextLayers; i++) x = Block(x, $"transformer.resblocks.{i}", _sizes.TextHeads, mask);
        var rows = arange(ids.shape[0], ScalarType.Int64) * length + ids.argmax(1);
        return Norm(x.flatten(0, 1).index_select(0, rows), "ln_final").matmul(_weights["text_projection"]);
    }

    private Tensor Block(Tensor x, string name, long heads, Tensor? mask)
    {
        long count = x.shape[0], length = x.shape[1], width = x.shape[2];
        var packed = F.linear(Norm(x, $"{name}.ln_1"), _weights[$"{name}.attn.in_proj_weight"], _weights[$"{name}.attn.in_proj_bias"])
            .view(count, length, 3, heads, width / heads).permute(2, 0, 3, 1, 4);                                   // [3, N, H, L, d]
        var scores = packed[0].matmul(packed[1].transpose(-2, -1)) / Math.Sqrt((double)width / heads);
        var mixed = (mask is null ? scores : scores + mask).softmax(-1).matmul(packed[2]).transpose(1, 2).reshape(count, length, width);
        x = x + Linear(mixed, $"{name}.attn.out_proj");
        var hidden = Linear(Norm(x, $"{name}.ln_2"), $"{name}.mlp.c_fc");
        hidden = _sizes.Activation == ClipActivation.Gelu ? F.gelu(hidden) : hidden * (1.702 * hidden).sigmoid();
        return x + Linear(hidden, $"{name}.mlp.c_proj");
    }

    private Tensor Linear(Tensor x, string name) => F.linear(x, _weights[$"{name}.weight"], _weights[$"{name}.bias"]);

    private Tensor Norm(Tensor x, string name) =>
        F.layer_norm(x, [x.shape[^1]], _weights[$"{name}.weight"], _weights[$"{name}.bias"], eps: 1e-5);
}
