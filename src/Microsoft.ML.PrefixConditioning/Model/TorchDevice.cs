using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Resolves the device option to an available device.</summary>
internal static class TorchDevice
{
    /// <summary>The device to compute on; ML.NET's own settings for GPUs are honored.</summary>
    /// <param name="choice">The option.</param>
    /// <param name="settings">What the <see cref="MLContext"/> says of GPUs.</param>
    /// <param name="localRank">Number of the process among those on this machine, which share its GPUs.</param>
    /// <exception cref="InvalidOperationException">A GPU was requested, there is none, and fallback is not allowed.</exception>
    public static Device Resolve(ComputeDevice choice, GpuSettings settings, int localRank = 0)
    {
        TorchLibrary.EnsureLoaded();
        if (choice == ComputeDevice.Cpu) return CPU;
        var found = cuda.is_available() ? cuda.device_count() : 0;
        var wanted = settings.Choose(found, localRank);
        if (wanted < found) return new Device(DeviceType.CUDA, wanted);
        if (settings.FallbackToCpu || (choice == ComputeDevice.Auto && settings.DeviceId is null)) return CPU;
        throw new InvalidOperationException(
            $"CUDA GPU {wanted} was requested, but TorchSharp finds {found} GPU(s). Reference TorchSharp-cuda-linux or " +
                "TorchSharp-cuda-windows and check the driver, set MLContext.FallbackToCpu, or set Device to " +
                $"{nameof(ComputeDevice.Cpu)}.");
    }
}

/// <summary>What an <see cref="MLContext"/> says of GPUs.</summary>
/// <param name="DeviceId">The GPU to use, or null where none is named.</param>
/// <param name="FallbackToCpu">Whether to use the processor if there is no such GPU.</param>
internal readonly record struct GpuSettings(int? DeviceId, bool FallbackToCpu)
{
    /// <summary>The GPU to use: the named one, else the processes of a machine take its GPUs in turn.</summary>
    public int Choose(int found, int localRank) => DeviceId ?? localRank % Math.Max(found, 1);

    /// <summary>The settings of an environment.</summary>
    public static GpuSettings Of(IHostEnvironment environment) => environment is IHostEnvironmentInternal settings
        ? new GpuSettings(settings.GpuDeviceId, settings.FallbackToCpu) : default;
}
