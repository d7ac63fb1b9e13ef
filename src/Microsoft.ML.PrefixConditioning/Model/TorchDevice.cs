using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Resolves the options for device and precision to what there is.</summary>
internal static class TorchDevice
{
    private const int LeastRoundedWidth = 192;   // with 128, rounding takes longer than the faster products save

    private static readonly ConcurrentDictionary<int, bool> GpuIsFasterRounded = new();

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

    /// <summary>The type that matrices are rounded to before they are multiplied.</summary>
    /// <param name="choice">The option.</param>
    /// <param name="device">The device that multiplies.</param>
    /// <param name="towers">Sizes of the model.</param>
    /// <param name="host">Where the choice of <see cref="Precision.Auto"/> is logged.</param>
    public static ScalarType ProductType(Precision choice, Device device, ClipArchitecture towers, IHostEnvironment host)
    {
        if (choice != Precision.Auto) return choice == Precision.BFloat16 ? ScalarType.BFloat16 : ScalarType.Float32;
        var isRounded = device.type == DeviceType.CPU
            ? TorchTile.ProcessorHasBFloat16 && Math.Min(towers.VisionWidth, towers.TextWidth) >= LeastRoundedWidth
            : GpuIsFasterRounded.GetOrAdd(device.index, IsFasterRounded);
        using var channel = host.Register(nameof(TorchDevice)).Start(nameof(Precision));
        var chosen = isRounded ? "bfloat16" : "single precision";
        channel.Info(MessageSensitivity.None, "{0}", $"Matrix products are in {chosen} on {device}.");
        return isRounded ? ScalarType.BFloat16 : ScalarType.Float32;
    }

    /// <summary>Measures a product of two 2,048 x 2,048 matrices in both types; GPUs without such units are several times slower.</summary>
    private static bool IsFasterRounded(int index)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var device = new Device(DeviceType.CUDA, index);
        TimeSpan Time(ScalarType type)
        {
            var x = ones([2048, 2048], type, device);
            _ = x.mm(x);                    // the first call prepares the library
            cuda.synchronize(device);
            var watch = Stopwatch.StartNew();
            for (var i = 0; i < 5; i++) _ = x.mm(x);
            cuda.synchronize(device);
            return watch.Elapsed;
        }
        return Time(ScalarType.BFloat16) < Time(ScalarType.Float32);
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
