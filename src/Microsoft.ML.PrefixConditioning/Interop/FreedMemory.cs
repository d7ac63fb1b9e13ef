using System.Runtime.InteropServices;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Keeps the memory of libtorch's intermediate results in the process, from one batch to the next.</summary>
/// <remarks>
/// GNU's C library returns large freed arrays to the system at once. The next batch gets them back page by page, each cleared by the
/// system when it is first written: up to a quarter of the time of a training step (docs/decisions/0015). A user's own setting always wins.
/// </remarks>
internal static class FreedMemory
{
    private const int TrimThreshold = -1, MapThreshold = -3;             // M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
    private const int MostKept = 512 << 20, LargestKept = 128 << 20;     // bytes: of all freed memory, of one array

    /// <summary>Keeps up to 512 MB of freed memory, without arrays of more than 128 MB. Does nothing without GNU's C library.</summary>
    public static void Keep()
    {
        if (!OperatingSystem.IsLinux() || Environment.GetEnvironmentVariables().Keys.Cast<string>().Any(IsChoice)) return;
        Try(() => _ = SetOption(MapThreshold, LargestKept) + SetOption(TrimThreshold, MostKept));   // a refusal changes nothing
    }

    /// <summary>Returns what is kept, when no further batch is expected.</summary>
    public static void Return()
    {
        if (OperatingSystem.IsLinux()) Try(() => _ = Trim(0));
    }

    private static bool IsChoice(string variable) =>
        variable is "MALLOC_MMAP_THRESHOLD_" or "MALLOC_TRIM_THRESHOLD_" or "GLIBC_TUNABLES" or "LD_PRELOAD";

    private static void Try(Action call)
    {
        try
        {
            call();
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // Another C library: only speed depends on it.
        }
    }

    [DllImport("libc", EntryPoint = "mallopt")]
    private static extern int SetOption(int option, int value);

    [DllImport("libc", EntryPoint = "malloc_trim")]
    private static extern int Trim(nuint left);
}
