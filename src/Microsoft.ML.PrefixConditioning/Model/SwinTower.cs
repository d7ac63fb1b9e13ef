using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Swin transformer: images to embeddings.</summary>
/// <remarks>
/// Source: "Swin Transformer" (arXiv 2103.14030), figure 3, as built by torchvision 0.14 (<c>SwinTransformer</c>), whose names and initial
/// values the weights have; its classes' layer is the projection here, without a bias, as in UniCL (arXiv 2204.03610). The blocks of all
/// stages count as layers; what merges patches after a stage belongs to the layer of the stage's last block. N images, S image size, p
/// patch size, W width of the first stage, C = 2^(stages - 1) W width of the last, D embedding size.
/// </remarks>
internal sealed class SwinTower : IVisionTower
{
    private readonly Products _products;
    private readonly long _patchSize, _window;
    private readonly long[] _relativePositions;
    private readonly (Tensor Weight, Tensor Bias) _patches;
    private readonly LayerNorm _patchNorm, _lastNorm;
    private readonly (SwinBlock[] Blocks, SwinMerging? Merging)[] _stages;
    private readonly Tensor _projection;

    public SwinTower(ModelWeights weights, ClipArchitecture architecture)
    {
        var swin = architecture.Swin!;
        _products = weights.Products;
        BranchRates = swin.BranchRates();
        (_patchSize, _window, _relativePositions) = (architecture.PatchSize, swin.WindowSize,
            SwinWindows.RelativePositions(swin.WindowSize));
        long width = architecture.VisionWidth, heads = architecture.VisionHeads;
        var (first, last) = (weights.Of(TrainableParts.Vision), weights.Of(TrainableParts.Vision, architecture.VisionLayers + 1));
        var bound = 1 / Math.Sqrt(3.0 * _patchSize * _patchSize);   // torch's default for a convolution
        _patches = (first.Uniform("visual.features.0.0.weight", bound, width, 3, _patchSize, _patchSize),
            first.Uniform("visual.features.0.0.bias", bound, width));
        _patchNorm = new LayerNorm(first, "visual.features.0.2", width);
        var blocks = swin.ToArray();
        _stages = new (SwinBlock[], SwinMerging?)[blocks.Length];
        var layer = 0;
        for (var stage = 0; stage < blocks.Length; stage++, width *= 2, heads *= 2)
        {
            var stageBlocks = new SwinBlock[blocks[stage]];
            for (var i = 0; i < stageBlocks.Length; i++)
                stageBlocks[i] = new SwinBlock(weights.Of(TrainableParts.Vision, ++layer), $"visual.features.{2 * stage + 1}.{i}", width,
                    heads, _window, shifted: i % 2 == 1, architecture.MlpRatio);
            _stages[stage] = (stageBlocks, stage == blocks.Length - 1 ? null
                : new SwinMerging(weights.Of(TrainableParts.Vision, layer), $"visual.features.{2 * stage + 2}", width));
        }
        _lastNorm = new LayerNorm(last, "visual.norm", width / 2);
        _projection = weights.Of(TrainableParts.Projections).Normal("visual.head.weight", 0.02, architecture.EmbeddingSize, width / 2);
    }

    /// <inheritdoc/>
    public double[] BranchRates { get; }

    /// <inheritdoc/>
    public Tensor Forward(Tensor images, long[]? datasetTypes, Tensor? branchFactors = null)
    {
        using var scope = NewDisposeScope();
        var relativePositions = tensor(_relativePositions, device: images.device);
        long side = images.shape[2] / _patchSize;
        var x = _patchNorm.Forward(Convolution.OfPatches(images, _patches.Weight, _products, _patches.Bias))   // [N, (S/p)², W]
            .view(images.shape[0], side, side, -1);                                                            // [N, S/p, S/p, W]
        long branch = 0;
        foreach (var (blocks, merging) in _stages)
        {
            var windows = new SwinWindows(x.shape[1], _window);
            var mask = windows.Shift > 0 && blocks.Length > 1 ? windows.Mask(x.device) : null;
            foreach (var block in blocks)
            {
                x = block.Forward(x, windows, relativePositions, mask, branchFactors?.narrow(0, branch, 2));
                branch += 2;
            }
            if (merging is not null) x = merging.Forward(x);
        }
        return _products.Linear(_lastNorm.Forward(x).mean([1, 2]), _projection).MoveToOuterDisposeScope();     // [N, C] -> [N, D]
    }
}
