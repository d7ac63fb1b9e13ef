using System.Runtime.InteropServices;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Keeps libtorch's threads from wasting the cores that other processes need.</summary>
/// <remarks>
/// libtorch's CPU builds for Linux compute with GNU OpenMP, whose threads spin for about a millisecond when they wait for each other.
/// A training step has hundreds of such waits: where another process competes for the cores, the spinning thread holds back the one it
/// waits for, and training slows down tenfold and more (docs/decisions/0008). A shorter spin keeps nearly all of the speed of an idle
/// machine. The library reads its environment once, when it is loaded; a user's own setting always wins.
/// </remarks>
internal static unsafe class OpenMpWaiting
{
    /// <summary>Spins before a waiting thread sleeps: measured, see the decision record.</summary>
    internal const string SpinCount = "10000";

    /// <summary>The variable that GNU OpenMP reads.</summary>
    internal const string SpinVariable = "GOMP_SPINCOUNT";

    /// <summary>OpenMP's own, coarser variable; where it is set, nothing is changed.</summary>
    internal const string PolicyVariable = "OMP_WAIT_POLICY";

    /// <summary>Sets the spin count unless the user chose one. To be called before libtorch is loaded; on Linux only.</summary>
    public static void Limit()
    {
        if (!OperatingSystem.IsLinux() || Environment.GetEnvironmentVariable(SpinVariable) is not null
            || Environment.GetEnvironmentVariable(PolicyVariable) is not null) return;
        try
        {
            // .NET's SetEnvironmentVariable changes a copy of its own, which native libraries do not see.
            fixed (byte* name = "GOMP_SPINCOUNT"u8, value = "10000"u8)
                _ = SetNativeVariable(name, value, overwrite: 0);   // a failure leaves the default, and only speed depends on it
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // Another C library: the default stays, and only speed depends on it.
        }
    }

    [DllImport("libc", EntryPoint = "setenv")]
    internal static extern int SetNativeVariable(byte* name, byte* value, int overwrite);
}
