using System.Runtime.Intrinsics;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The parts of a tower outside its transformer blocks, on a processor, for a forward pass without gradients.</summary>
/// <remarks>
/// libtorch uses threads of its own even for the norm of one image. They spin after their work, on the cores where the kernels of the
/// blocks run next. N sequences of L tokens, W width, D embedding size.
/// </remarks>
internal abstract class InferenceKernels
{
    private static readonly InferenceKernels Widest =
        Vector512.IsHardwareAccelerated ? new InferenceKernels<Lanes512>() : new InferenceKernels<Lanes256>();

    /// <summary>The kernels for the widest vectors of this processor; null where a weight is trained, because passes with and without
    /// gradients must be the same, and where libtorch is faster.</summary>
    /// <param name="rounded">Whether matrices are rounded to bfloat16 before they are multiplied.</param>
    /// <param name="weights">One weight of each part that the kernels compute: a part is trained or frozen as a whole.</param>
    public static InferenceKernels? For(bool rounded, params ReadOnlySpan<Tensor> weights)
    {
        if (is_grad_enabled() || !(rounded ? TorchTile.IsThere : Vector256.IsHardwareAccelerated)) return null;
        foreach (var weight in weights)
            if (weight.requires_grad) return null;
        return Widest;
    }

    /// <summary>Patches behind a class token, with positions: [N, 3, S, S] -> [N, L, W], with L = 1 + (S / p)².</summary>
    /// <param name="images">[N, 3, S, S].</param>
    /// <param name="patches">[W, 3, p, p].</param>
    /// <param name="classToken">[W].</param>
    /// <param name="positions">[L, W].</param>
    public abstract Tensor Embed(Tensor images, FusedWeight patches, Tensor classToken, Tensor positions);

    /// <summary>Layer normalization: [..., W] -> [..., W].</summary>
    public abstract Tensor Normalize(Tensor x, Tensor gain, Tensor bias);

    /// <summary>Layer normalization and a matrix product: [N, W] -> [N, D].</summary>
    /// <param name="x">[N, W].</param>
    /// <param name="gain">[W], of the norm.</param>
    /// <param name="bias">[W], of the norm.</param>
    /// <param name="projection">[W, D].</param>
    /// <param name="rounded">As in <see cref="For"/>.</param>
    public abstract Tensor Project(Tensor x, Tensor gain, Tensor bias, Tensor projection, bool rounded);
}

/// <summary>The kernels for one width of vectors.</summary>
/// <typeparam name="V">The vector.</typeparam>
internal sealed unsafe class InferenceKernels<V> : InferenceKernels where V : struct, ILanes<V>
{
    /// <inheritdoc/>
    public override Tensor Embed(Tensor images, FusedWeight patches, Tensor classToken, Tensor positions)
    {
        using var scope = NewDisposeScope();
        long n = images.shape[0], size = images.shape[2], width = patches.Rows, depth = patches.Matrix.shape[1];
        int tokens = (int)positions.shape[0], patch = (int)Math.Sqrt(depth / 3);
        var columns = empty(n * tokens, depth, ScalarType.Float32);                    // the class token's are zeros
        var result = empty(n, tokens, width, ScalarType.Float32);
        float* left = MatrixBuffer.Pointer(columns), y = MatrixBuffer.Pointer(result);
        Unfold(n, (int)size, patch, MatrixBuffer.Pointer(images.contiguous()), left);
        float* token = MatrixBuffer.Pointer(classToken), position = MatrixBuffer.Pointer(positions);
        patches.Multiply<V>((int)n * tokens, left, (int)width, y, firstRow: 0, (row, rows, column, count) =>
        {
            for (var i = row; i < row + rows; i++)
            {
                var values = new Span<float>(y + i * width + column, count);
                TensorPrimitives.Add(values, new ReadOnlySpan<float>(position + i % tokens * width + column, count), values);
                if (i % tokens == 0) TensorPrimitives.Add(values, new ReadOnlySpan<float>(token + column, count), values);
            }
        });
        return result.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor Normalize(Tensor x, Tensor gain, Tensor bias)
    {
        using var scope = NewDisposeScope();
        var width = x.shape[^1];
        var result = empty(x.shape, ScalarType.Float32);
        RowKernels<V>.AddAndNormalize(x.numel() / width, (int)width, MatrixBuffer.Pointer(x.contiguous()), null, null, null,
            new(MatrixBuffer.Pointer(gain), MatrixBuffer.Pointer(bias)), MatrixBuffer.Pointer(result), null);
        return result.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor Project(Tensor x, Tensor gain, Tensor bias, Tensor projection, bool rounded)
    {
        using var scope = NewDisposeScope();
        int n = (int)x.shape[0], width = (int)projection.shape[0], size = (int)projection.shape[1];
        var result = empty(n, size, ScalarType.Float32);
        MatrixOperand left = new(MatrixBuffer.Pointer(Normalize(x, gain, bias)), width);
        MatrixOperand right = new(MatrixBuffer.Pointer(projection.to(ScalarType.Float32)), size);
        if (rounded) RoundedProduct.Run(n, size, width, left, right, MatrixBuffer.Pointer(result));
        else MatrixProduct<V>.Run(n, size, width, left, right, MatrixBuffer.Pointer(result));
        return result.MoveToOuterDisposeScope();
    }

    /// <summary>[N, 3, S, S] -> [N, L, 3 p p], with zeros for the class token.</summary>
    private static void Unfold(long n, int size, int patch, float* images, float* columns)
    {
        int grid = size / patch, tokens = 1 + grid * grid, depth = 3 * patch * patch;
        RowChunks.Run(n * tokens, (begin, end) =>
        {
            for (var row = begin; row < end; row++)
            {
                var to = new Span<float>(columns + row * depth, depth);
                var (image, token) = Math.DivRem(row, tokens);
                if (token == 0) to.Clear();
                var (y, x) = Math.DivRem(token - 1, grid);
                var from = images + image * 3 * size * size + y * patch * size + x * patch;
                for (var line = 0; line < 3 * patch && token > 0; line++)   // of a channel, one channel after the other
                    new ReadOnlySpan<float>(from + ((line / patch * size) + line % patch) * size, patch).CopyTo(to[(line * patch)..]);
            }
        });
    }
}
