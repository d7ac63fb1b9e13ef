using System.Runtime.InteropServices;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed unsafe class OpenMpWaitingTests
{
    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public void Limit_UserSetNothing_NativeVariableIsSetOnce()
    {
        TorchLibrary.EnsureLoaded();
        var chosen = Environment.GetEnvironmentVariable(OpenMpWaiting.SpinVariable);
        var expected = chosen ?? (Environment.GetEnvironmentVariable(OpenMpWaiting.PolicyVariable) is null ? OpenMpWaiting.SpinCount
            : null);
        Assert.AreEqual(expected, Native());
        OpenMpWaiting.Limit();
        Assert.AreEqual(expected, Native());
    }

    private static string? Native()
    {
        fixed (byte* name = "GOMP_SPINCOUNT"u8) return Marshal.PtrToStringUTF8((nint)GetNativeVariable(name));
    }

    [DllImport("libc", EntryPoint = "getenv")]
    private static extern byte* GetNativeVariable(byte* name);
}
