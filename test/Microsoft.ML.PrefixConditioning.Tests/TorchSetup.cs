using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using TorchSharp;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Makes torch usable in every test of the assembly.</summary>
[TestClass]
public static class TorchSetup
{
    [AssemblyInitialize]
    public static void LoadNativeLibrary(TestContext context)
    {
        TorchLibrary.EnsureLoaded();
        torch.set_num_threads(1);   // on tensors this small, threads only wait for each other
        context.DisplayMessage(MessageLevel.Informational, $".NET uses vectors of {VectorBits} bits, FMA {Fma.IsSupported}; torch "
            + $"{Environment.GetEnvironmentVariable("ATEN_CPU_CAPABILITY") ?? "as the processor"}, oneDNN "
            + $"{Environment.GetEnvironmentVariable("ONEDNN_MAX_CPU_ISA") ?? "as the processor"}.");
    }

    private static int VectorBits =>
        Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : Vector128.IsHardwareAccelerated ? 128 : 0;
}

/// <summary>Marks the tests of numbers that depend on the processor: CI runs them again with some of its instructions switched
/// off.</summary>
internal static class Numeric
{
    public const string Category = "Numeric";
}
