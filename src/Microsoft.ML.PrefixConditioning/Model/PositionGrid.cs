using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Resizes position embeddings to another image size: the grid of patches is resized like an image.</summary>
internal static class PositionGrid
{
    /// <summary>[1 + G², W] -> [1 + H², W]; the class token's position stays as it is.</summary>
    /// <param name="positions">The class token's position, then those of the patches row by row.</param>
    /// <param name="grid">H: patches on one side of the new grid.</param>
    /// <remarks>Source: open_clip v3.3.0, <c>resize_pos_embed</c>: bicubic, antialiased, corners not aligned.</remarks>
    public static Tensor Resize(Tensor positions, long grid)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        long old = (long)Math.Round(Math.Sqrt(positions.shape[0] - 1)), width = positions.shape[1];
        var patches = positions.narrow(0, 1, old * old).view(1, old, old, width).permute(0, 3, 1, 2);                // [1, W, G, G]
        var resized = nn.functional.interpolate(patches, [grid, grid], mode: InterpolationMode.Bicubic, align_corners: false,
            antialias: true);
        return cat([positions.narrow(0, 0, 1), resized.permute(0, 2, 3, 1).reshape(grid * grid, width)], 0).MoveToOuterDisposeScope();
    }
}
