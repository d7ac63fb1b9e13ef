using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Patch merging between two stages of a Swin transformer: four neighbors become one position with twice the channels.</summary>
/// <remarks>
/// Source: "Swin Transformer" (arXiv 2103.14030), section 3.1, as built by torchvision 0.14: a side that is odd is padded with zeros
/// before the norm.
/// </remarks>
internal sealed class SwinMerging(WeightGroup weights, string name, long width)
{
    private readonly Tensor _reduction = weights.Normal($"{name}.reduction.weight", 0.02, 2 * width, 4 * width);
    private readonly Products _products = weights.Products;
    private readonly LayerNorm _norm = new(weights, $"{name}.norm", 4 * width);

    /// <summary>[N, S, S, C] -> [N, ⌈S/2⌉, ⌈S/2⌉, 2 C].</summary>
    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return _products.Linear(_norm.Forward(Neighbors(x)), _reduction).MoveToOuterDisposeScope();
    }

    /// <summary>[N, S, S, C] -> [N, ⌈S/2⌉, ⌈S/2⌉, 4 C]: a position's four neighbors by column, row and channel.</summary>
    public static Tensor Neighbors(Tensor x)
    {
        using var scope = NewDisposeScope();
        long n = x.shape[0], side = x.shape[1], channels = x.shape[3], half = (side + 1) / 2;
        if (side % 2 != 0) x = F.pad(x, [0, 0, 0, 1, 0, 1]);
        return x.view(n, half, 2, half, 2, channels).permute(0, 1, 3, 4, 2, 5).reshape(n, half, half,
            4 * channels).MoveToOuterDisposeScope();
    }
}
