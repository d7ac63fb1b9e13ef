using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

internal static class LiveTensors
{
    /// <summary>Tensors that somebody holds; those that earlier tests dropped are collected first.</summary>
    public static long Count()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Tensor.TotalCount;
    }
}
