namespace Microsoft.ML.PrefixConditioning;

/// <summary>The device to run on.</summary>
public enum ComputeDevice
{
    /// <summary>The GPU that <c>MLContext.GpuDeviceId</c> selects, otherwise the first CUDA GPU, otherwise the CPU. In a process group,
    /// the ranks of a machine take its GPUs in turn.</summary>
    Auto,

    /// <summary>The CPU.</summary>
    Cpu,

    /// <summary>The CUDA GPU that <c>MLContext.GpuDeviceId</c> selects, otherwise the first one; in a process group, the
    /// ranks of a machine take its GPUs in turn. Without a GPU, an error unless <c>MLContext.FallbackToCpu</c> is set.</summary>
    Cuda,
}
