using System.Runtime.InteropServices;
using TorchSharp;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>NNPACK, which libtorch considers for convolutions on the CPU where oneDNN does not apply.</summary>
/// <remarks>
/// On processors and virtual machines that NNPACK does not support, libtorch writes "Could not initialize NNPACK!" to the standard error
/// stream for each of these convolutions (aten/src/ATen/native/NNPACK.cpp). TorchSharp has no counterpart to PyTorch's
/// <c>torch.backends.nnpack.set_flags</c>, so the C++ functions behind it are called by the names that libtorch exports.
/// </remarks>
internal static unsafe class Nnpack
{
    // As GCC and Clang encode at::globalContext() and at::Context::setUserEnabledNNPACK(bool). libtorch for Windows, whose compiler
    // encodes names in another way, is built without NNPACK.
    private const string GlobalContext = "_ZN2at13globalContextEv";
    private const string SetEnabled = "_ZN2at7Context20setUserEnabledNNPACKEb";

    /// <summary>Switches NNPACK off for the whole process. To be called once TorchSharp's library is loaded.</summary>
    /// <remarks>A libtorch without these functions keeps its warnings.</remarks>
    public static void Disable()
    {
        // The linker looks a name up in the library and in those that it needs, so libtorch itself need not be found.
        if (!NativeLibrary.TryLoad("LibTorchSharp", typeof(torch).Assembly, null, out var library)
            || !NativeLibrary.TryGetExport(library, GlobalContext, out var globalContext)
            || !NativeLibrary.TryGetExport(library, SetEnabled, out var setEnabled)) return;
        var context = ((delegate* unmanaged<nint>)globalContext)();   // a C++ reference; the pointer that a member function takes first
        ((delegate* unmanaged<nint, byte, void>)setEnabled)(context, 0);
    }
}
