using System.Runtime.InteropServices;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Keeps the memory of libtorch's intermediate results in the process, from one batch to the next, and in large pages.</summary>
/// <remarks>
/// GNU's C library returns large freed arrays to the system at once. The next batch gets them back page by page, each cleared by the
/// system when it is first written: up to a quarter of the time of a training step. Pages of 2 MB instead of 4 KB cause fewer faults, and
/// the processor finds their addresses sooner: on some virtual machines a step on one core takes two thirds of the time
/// (docs/decisions/0015). A user's own setting always wins.
/// </remarks>
internal static class NativeHeap
{
    private const int TrimThreshold = -1, TopPad = -2, MapThreshold = -3;   // M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD of malloc.h
    private const int MostKept = 512 << 20, LargestKept = 128 << 20;        // bytes: of all freed memory, of one array
    private const int Growth = 256 << 20;                                   // bytes that the heap has ahead, which are not in use yet
    private const int HugePage = 14, PageBytes = 2 << 20;                   // MADV_HUGEPAGE of mman.h

    private static readonly Lock Gate = new();
    private static nint _end;                                               // of what was advised; 0 where the heap is not ours to grow

    /// <summary>Keeps up to 512 MB of freed memory, without arrays of more than 128 MB. Does nothing without GNU's C library.</summary>
    public static void Keep()
    {
        if (!OperatingSystem.IsLinux() || Environment.GetEnvironmentVariables().Keys.Cast<string>().Any(IsChoice)) return;
        Try(() =>
        {
            _ = SetOption(MapThreshold, LargestKept) + SetOption(TrimThreshold, MostKept) + SetOption(TopPad, Growth);
            _end = MoveBreak(0);   // a refusal of any changes nothing
        });
    }

    /// <summary>Asks for large pages for a new array, and for all memory that the heap has grown by. To be called before the array is
    /// written: only fresh pages are large.</summary>
    public static void UseLargePages(nint start, long bytes)
    {
        if (!OperatingSystem.IsLinux()) return;
        Try(() =>
        {
            lock (Gate)
            {
                if (_end == 0 || start > MoveBreak(0)) Advise(start, bytes);
                else UseLargePages();
            }
        });
    }

    /// <inheritdoc cref="UseLargePages(nint, long)"/>
    public static void UseLargePages()
    {
        if (_end == 0) return;
        lock (Gate)
        {
            var end = MoveBreak(0);
            if (end > _end) Advise(_end, end - _end);
            _end = end;   // also where the C library has returned memory
        }
    }

    /// <summary>Returns what is kept, when no further batch is expected.</summary>
    public static void Return()
    {
        if (OperatingSystem.IsLinux()) Try(() => _ = Trim(0));
    }

    private static bool IsChoice(string variable) =>
        variable is "MALLOC_MMAP_THRESHOLD_" or "MALLOC_TRIM_THRESHOLD_" or "MALLOC_TOP_PAD_" or "GLIBC_TUNABLES" or "LD_PRELOAD";

    private static void Advise(nint start, long bytes)
    {
        var first = (start + PageBytes - 1) / PageBytes * PageBytes;
        var length = (start + bytes - first) / PageBytes * PageBytes;
        if (length > 0) _ = Advise(first, (nuint)length, HugePage);   // a refusal changes nothing
    }

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

    [DllImport("libc", EntryPoint = "sbrk")]
    private static extern nint MoveBreak(nint by);

    [DllImport("libc", EntryPoint = "madvise")]
    private static extern int Advise(nint address, nuint length, int advice);

    [DllImport("libc", EntryPoint = "malloc_trim")]
    private static extern int Trim(nuint left);
}
