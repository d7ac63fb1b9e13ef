using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>CLIP's ResNet: images to embeddings.</summary>
/// <remarks>
/// Source: open_clip v2.20.0 (<c>ModifiedResNet</c>), as in OpenAI's RN50: three convolutions and an average pool as the stem, average
/// pools before convolutions that would have a stride, and attention pooling at the mean of all positions. Batch normalization always uses
/// its running statistics, in training too: the statistics of small batches would spoil a trained model, and its gains and biases still
/// learn. So this tower can only start from trained weights. Its layers are the stem (0), the four stages and the attention pooling (5).
/// N images, S image size, W stem width, C = 32 W channels, G = (S / 32)² positions, D embedding size.
/// </remarks>
internal sealed class ResNetTower : IVisionTower
{
    /// <summary>Pixels of the image on one side of a position of the last stage.</summary>
    public const int Reduction = 32;

    /// <summary>Stages, which count as the tower's layers.</summary>
    public const int Stages = 4;

    private readonly NormalizedConvolution[] _stem;
    private readonly ResNetBlock[] _blocks;
    private readonly Tensor _positions;
    private readonly (Tensor Weight, Tensor Bias) _query, _key, _value, _projection;
    private readonly Products _products;
    private readonly long _heads;

    public ResNetTower(ModelWeights weights, ClipArchitecture architecture)
    {
        long width = architecture.VisionWidth, channels = width * 32, grid = architecture.ImageSize / Reduction;
        var (first, last) = (weights.Of(TrainableParts.Vision), weights.Of(TrainableParts.Vision, Stages + 1));
        (_products, _heads) = (weights.Products, architecture.VisionHeads);
        _stem =
        [
            new NormalizedConvolution(first, "visual.conv1", "visual.bn1", 3, width / 2, kernel: 3, stride: 2),
            new NormalizedConvolution(first, "visual.conv2", "visual.bn2", width / 2, width / 2, kernel: 3),
            new NormalizedConvolution(first, "visual.conv3", "visual.bn3", width / 2, width, kernel: 3),
        ];
        var blocks = new List<ResNetBlock>();
        var input = width;
        for (var stage = 0; stage < Stages; stage++)
            for (var i = 0; i < architecture.ResNet!.ToArray()[stage]; i++, input = blocks[^1].Output)
                blocks.Add(new ResNetBlock(weights.Of(TrainableParts.Vision, stage + 1), $"visual.layer{stage + 1}.{i}", input,
                    width << stage, stride: stage > 0 && i == 0 ? 2 : 1));
        _blocks = [.. blocks];
        _positions = last.Normal("visual.attnpool.positional_embedding", Math.Pow(channels, -0.5), grid * grid + 1, channels);
        (Tensor, Tensor) Linear(WeightGroup group, string name, long output) => (
            group.Normal($"visual.attnpool.{name}.weight", Math.Pow(channels, -0.5), output, channels),
            group.Constant($"visual.attnpool.{name}.bias", 0, output));
        (_key, _query, _value) = (Linear(last, "k_proj", channels), Linear(last, "q_proj", channels), Linear(last, "v_proj", channels));
        _projection = Linear(weights.Of(TrainableParts.Projections), "c_proj", architecture.EmbeddingSize);
    }

    /// <inheritdoc/>
    public Tensor Forward(Tensor images, long[]? datasetTypes, Tensor? branchFactors = null)
    {
        using var scope = NewDisposeScope();
        var x = Stem(images);
        foreach (var block in _blocks) x = block.Forward(x);
        return Pool(x).MoveToOuterDisposeScope();
    }

    /// <summary>[N, 3, S, S] -> [N, W, S/4, S/4].</summary>
    internal Tensor Stem(Tensor images)
    {
        using var scope = NewDisposeScope();
        var x = images;
        foreach (var convolution in _stem) x = convolution.Forward(x).relu();   // [N, W, S/2, S/2]
        return F.avg_pool2d(x, 2).MoveToOuterDisposeScope();
    }

    /// <summary>Attention of the mean over all positions: [N, C, S/32, S/32] -> [N, D].</summary>
    private Tensor Pool(Tensor x)
    {
        long n = x.shape[0], channels = x.shape[1], size = channels / _heads;
        x = x.flatten(2).transpose(1, 2);                                                                                 // [N, G, C]
        x = cat([x.mean([1], keepdim: true), x], 1).Plus(_products.Added(_positions));                                   // [N, 1+G, C]
        Tensor Heads(Tensor input, (Tensor Weight, Tensor Bias) linear) =>
            _products.Linear(input, linear.Weight, linear.Bias).view(n, -1, _heads, size).transpose(1, 2);                // [N, H, L, C/H]
        var mixed = F.scaled_dot_product_attention(Heads(x.narrow(1, 0, 1), _query), Heads(x, _key), Heads(x, _value));   // [N, H, 1, C/H]
        return _products.Linear(mixed.reshape(n, channels), _projection.Weight, _projection.Bias);
    }
}
