using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Preprocessed images as one tensor.</summary>
internal static class PixelBatch
{
    private const int PartBytes = 1 << 30; // a span of bytes ends at 2 GiB; a batch need not

    /// <summary>How many images one array holds: as many as are wanted, and fewer only where they are huge.</summary>
    /// <param name="wanted">At least 1.</param>
    /// <param name="length">Numbers of one image, 3 S S.</param>
    public static int Most(int wanted, int length) => Math.Clamp(Array.MaxLength / length, 1, wanted);

    /// <summary>N images that lie one after the other, to [N, 3, S, S] on a device.</summary>
    public static Tensor ToTensor(ReadOnlySpan<float> pixels, int count, int size, Device device)
    {
        using var scope = NewDisposeScope();
        var image = 3 * size * size;
        var batch = empty([count, 3, size, size], ScalarType.Float32);
        var step = Math.Max(1, PartBytes / sizeof(float) / image);   // images
        for (var begin = 0; begin < count; begin += step)
        {
            var part = batch.narrow(0, begin, Math.Min(step, count - begin));
            pixels.Slice(begin * image, (int)part.numel()).CopyTo(MemoryMarshal.Cast<byte, float>(part.bytes));
        }
        return batch.to(device).MoveToOuterDisposeScope();
    }
}
