using System.Runtime.InteropServices;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Asks the system for large pages for large arrays, which cause fewer page faults and TLB misses.</summary>
internal static class LargePages
{
    private const int MadviseHugePage = 14, PageBytes = 2 << 20;

    /// <summary>Advises once for a range that has not been written yet; where the system has no such call, nothing happens.</summary>
    public static void Advise(nint start, long bytes)
    {
        if (!OperatingSystem.IsLinux()) return;
        var first = (start + PageBytes - 1) / PageBytes * PageBytes;
        var length = (start + bytes - first) / PageBytes * PageBytes;
        if (length <= 0) return;
        try
        {
            _ = Madvise(first, (nuint)length, MadviseHugePage);   // advice: a refusal changes nothing
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // Another C library: only speed depends on it.
        }
    }

    [DllImport("libc", EntryPoint = "madvise")]
    private static extern int Madvise(nint address, nuint length, int advice);
}
