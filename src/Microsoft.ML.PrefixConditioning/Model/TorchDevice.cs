using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>From the option to a device that is there.</summary>
internal static class TorchDevice
{
    /// <summary>The device to compute on; ML.NET's own settings for GPUs are honoured.</summary>
    /// <param name="choice">The option.</param>
    /// <param name="gpuDeviceId"><c>MLContext.GpuDeviceId</c>.</param>
    /// <param name="fallbackToCpu"><c>MLContext.FallbackToCpu</c>.</param>
    /// <exception cref="InvalidOperationException">A GPU is asked for, there is none, and falling back is not allowed.</exception>
    public static Device Resolve(ComputeDevice choice, int? gpuDeviceId, bool fallbackToCpu)
    {
        NativeTorchLoader.EnsureLoaded();
        if (choice == ComputeDevice.Cpu) return CPU;
        var found = cuda.is_available() ? cuda.device_count() : 0;
        var wanted = gpuDeviceId ?? 0;
        if (wanted < found) return new Device(DeviceType.CUDA, wanted);
        if (choice == ComputeDevice.Auto && (gpuDeviceId is null || fallbackToCpu)) return CPU;
        if (fallbackToCpu) return CPU;
        throw new InvalidOperationException(
            $"CUDA GPU {wanted} is asked for, but TorchSharp finds {found} GPU(s). Reference TorchSharp-cuda-linux or TorchSharp-cuda-windows and check the driver, set MLContext.FallbackToCpu, or set Device to {nameof(ComputeDevice.Cpu)}.");
    }
}
