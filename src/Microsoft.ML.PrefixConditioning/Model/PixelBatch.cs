using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Preprocessed images as one tensor.</summary>
internal static class PixelBatch
{
    /// <summary>Images of [3, S, S] each to [N, 3, S, S] on a device.</summary>
    public static Tensor ToTensor(ReadOnlySpan<float[]> images, int size, Device device)
    {
        var batch = empty([images.Length, 3, size, size], ScalarType.Float32);
        var target = MemoryMarshal.Cast<byte, float>(batch.bytes);
        for (var i = 0; i < images.Length; i++) images[i].CopyTo(target[(i * images[i].Length)..]);
        return OnDevice(batch, device);
    }

    /// <summary>N images that lie one after the other, to [N, 3, S, S] on a device.</summary>
    public static Tensor ToTensor(ReadOnlySpan<float> pixels, int count, int size, Device device)
    {
        var batch = empty([count, 3, size, size], ScalarType.Float32);
        pixels[..(count * 3 * size * size)].CopyTo(MemoryMarshal.Cast<byte, float>(batch.bytes));
        return OnDevice(batch, device);
    }

    private static Tensor OnDevice(Tensor batch, Device device) =>
        device.type == TorchSharp.DeviceType.CPU ? batch : batch.to(device, disposeAfter: true);
}
