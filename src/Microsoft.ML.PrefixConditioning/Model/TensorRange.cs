using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Numbers of rows and tokens as tensors.</summary>
internal static class TensorRange
{
    /// <summary>0, 1, ..., count - 1 as 64-bit integers.</summary>
    public static Tensor Of(long count, Device device)
    {
        using var end = count.ToScalar();   // TorchSharp does not keep a scalar alive during a call
        return arange(end, ScalarType.Int64, device);
    }
}
