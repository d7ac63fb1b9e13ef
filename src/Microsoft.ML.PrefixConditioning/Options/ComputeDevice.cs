namespace Microsoft.ML.PrefixConditioning;

/// <summary>Where to compute.</summary>
public enum ComputeDevice
{
    /// <summary>The GPU that <c>MLContext.GpuDeviceId</c> names, else the first CUDA GPU, else the processor.</summary>
    Auto,

    /// <summary>The processor.</summary>
    Cpu,

    /// <summary>A CUDA GPU: <c>MLContext.GpuDeviceId</c>, or the first. An error if there is none and <c>MLContext.FallbackToCpu</c> is not
    /// set.</summary>
    Cuda,
}
