using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Convolutions whose values and gradients are right on every processor.</summary>
/// <remarks>
/// libtorch 2.10 computes convolutions on a processor with oneDNN 3.7.1, in blocks of 8 or 16 channels. If the channels do not fill the
/// last block, uninitialized memory is read: outputs and input gradients can be wrong by a fifth or more, or NaN. So this class pads the
/// channels of kernels larger than one pixel to whole blocks, and computes patch embeddings as a matrix product. N images, C and O input
/// and output channels, K kernel size, p patch size, S image size, W width.
/// </remarks>
internal static class Convolution
{
    private const long Block = 16;   // channels in a block with 512-bit vectors; a multiple of the 8 with 256-bit vectors

    /// <summary>A convolution with zeros around the image: [N, C, H, W] -> [N, O, H / stride, W / stride].</summary>
    /// <param name="x">[N, C, H, W].</param>
    /// <param name="weight">[O, C, K, K], K odd.</param>
    /// <param name="stride">Pixels from one position to the next. With a stride above 1 the gradient by <paramref name="x"/> is not
    /// right on every processor; the one such convolution here reads the image, which needs none.</param>
    public static Tensor Apply(Tensor x, Tensor weight, long stride)
    {
        using var scope = NewDisposeScope();
        long outputs = weight.shape[0], padding = weight.shape[2] / 2;
        if (x.device_type == DeviceType.CPU && padding > 0)
        {
            long moreOutputs = Missing(outputs), moreInputs = Missing(weight.shape[1]);
            if (moreOutputs + moreInputs > 0) weight = F.pad(weight, [0, 0, 0, 0, 0, moreInputs, 0, moreOutputs]);
            if (moreInputs > 0) x = F.pad(x, [0, 0, 0, 0, 0, moreInputs]);
        }
        var y = F.conv2d(x, weight, null, strides: [stride, stride], padding: [padding, padding]);
        return y.narrow(1, 0, outputs).MoveToOuterDisposeScope();
    }

    /// <summary>A convolution whose kernel and stride are a patch, as one matrix product: [N, 3, S, S] -> [N, (S / p)², W].</summary>
    /// <param name="images">[N, 3, S, S]; p divides S.</param>
    /// <param name="weight">[W, 3, p, p].</param>
    /// <param name="products">The precision.</param>
    /// <param name="bias">[W] or null.</param>
    public static Tensor OfPatches(Tensor images, Tensor weight, Products products, Tensor? bias = null)
    {
        using var scope = NewDisposeScope();
        long n = images.shape[0], patch = weight.shape[2], grid = images.shape[2] / patch;
        var columns = images.reshape(n, 3, grid, patch, grid, patch).permute(0, 2, 4, 1, 3, 5)    // [N, S/p, S/p, 3, p, p]
            .reshape(n, grid * grid, 3 * patch * patch);
        return products.Linear(columns, weight.flatten(1), bias).MoveToOuterDisposeScope();           // [N, (S/p)², W]
    }

    private static long Missing(long channels) => (Block - channels % Block) % Block;
}
