using System.Runtime.InteropServices;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>How many files this process may have open.</summary>
internal static class OpenFileLimit
{
    private const int Unknown = 256;   // the lowest limit that a common system has: macOS

    private static readonly int Resource = OperatingSystem.IsLinux() ? 7 : 8;   // RLIMIT_NOFILE of Linux, of macOS and BSD

    /// <summary>The number; at most <see cref="int.MaxValue"/>.</summary>
    public static int Read()
    {
        if (OperatingSystem.IsWindows()) return int.MaxValue;   // it has no limit of its own
        try
        {
            return GetLimit(Resource, out var limit) == 0 ? (int)Math.Min(limit.Soft, int.MaxValue) : Unknown;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return Unknown;
        }
    }

    [DllImport("libc", EntryPoint = "getrlimit")]
    private static extern int GetLimit(int resource, out Limit limit);

    private struct Limit
    {
        public nuint Soft, Hard;
    }
}
