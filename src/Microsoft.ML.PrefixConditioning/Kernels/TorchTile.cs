using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using TorchSharp;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The innermost part of a product in bfloat16, which libtorch lends from oneDNN.</summary>
/// <remarks>
/// libtorch's own attention uses it on one thread at a time (<c>at::native::cpublas::brgemm</c>, aten/src/ATen/native/CPUBlas.h). For
/// each combination of sizes, oneDNN compiles a tile, for AVX-512 or AMX, which the thread keeps.
/// </remarks>
internal static unsafe class TorchTile
{
    // As GCC and Clang encode brgemm(long, ..., bool, BFloat16 const*, BFloat16 const*, float*, bool) and brgemm_release(bool).
    private const string Brgemm = "_ZN2at6native7cpublas6brgemmEllllllbPKN3c108BFloat16ES5_Pfb";
    private const string BrgemmRelease = "_ZN2at6native7cpublas14brgemm_releaseEb";

    /// <summary>Whether this processor has instructions for products of bfloat16 numbers.</summary>
    public static bool ProcessorHasBFloat16 { get; } = FindBFloat16();

    private static readonly Functions Found = ProcessorHasBFloat16 ? Find() : default;   // in this order

    /// <summary>Whether this processor multiplies bfloat16 numbers and libtorch lends its tile.</summary>
    public static bool IsThere => Found.Multiply != 0;

    /// <summary>c = a b, or c += a b.</summary>
    /// <param name="m">Rows of a and c.</param>
    /// <param name="n">Columns of b and c.</param>
    /// <param name="k">Columns of a, rows of b; even.</param>
    /// <param name="a">[m, k / 2], pairs along the row.</param>
    /// <param name="aRow">Numbers, of which two are a pair, from one row of a to the next.</param>
    /// <param name="b">[k / 2, n], pairs along the column.</param>
    /// <param name="bRow">Pairs from one row of b to the next.</param>
    /// <param name="c">[m, n].</param>
    /// <param name="cRow">Values from one row of c to the next.</param>
    /// <param name="add">Whether the product is added to c.</param>
    public static void Multiply(int m, int n, int k, uint* a, int aRow, uint* b, int bRow, float* c, long cRow, bool add) =>
        ((delegate* unmanaged<long, long, long, long, long, long, byte, uint*, uint*, float*, byte, void>)Found.Multiply)(
            m, n, k, aRow, bRow, cRow, add ? (byte)1 : (byte)0, a, b, c, 1);

    /// <summary>Gives back what the processor reserves for a thread's tiles. To be called after the last product of a thread.</summary>
    public static void Release() => ((delegate* unmanaged<byte, void>)Found.Release)(1);

    private static Functions Find()
    {
        TorchLibrary.EnsureLoaded();
        // The names are those of 64-bit Linux, where a C++ long has 64 bits. The variables make oneDNN ignore instructions; then libtorch
        // would end the process.
        return OperatingSystem.IsLinux()
            && Environment.GetEnvironmentVariable("ONEDNN_MAX_CPU_ISA") is null
            && Environment.GetEnvironmentVariable("DNNL_MAX_CPU_ISA") is null
            && NativeLibrary.TryLoad("LibTorchSharp", typeof(torch).Assembly, null, out var library)
            && NativeLibrary.TryGetExport(library, Brgemm, out var multiply)
            && NativeLibrary.TryGetExport(library, BrgemmRelease, out var release)
            ? new Functions(multiply, release) : default;
    }

    private static bool FindBFloat16()
    {
        if (!Avx512F.IsSupported) return false;
        const int Avx512BFloat16 = 1 << 5, AmxBFloat16 = 1 << 22;
        return (X86Base.CpuId(7, 1).Eax & Avx512BFloat16) != 0 || (X86Base.CpuId(7, 0).Edx & AmxBFloat16) != 0;
    }

    private readonly record struct Functions(nint Multiply, nint Release);
}
