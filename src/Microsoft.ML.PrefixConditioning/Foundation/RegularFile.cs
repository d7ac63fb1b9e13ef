using System.Runtime.InteropServices;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Tells regular files from pipes, sockets and devices, whose opening or reading may never end.</summary>
internal static class RegularFile
{
    private const int CurrentFolder = -100, StatusLength = 256, ModeOffset = 28;   // AT_FDCWD; struct statx and its stx_mode
    private const uint TypeMask = 1;                                               // STATX_TYPE
    private const int KindMask = 0xF000, Regular = 0x8000, Folder = 0x4000;        // S_IFMT, S_IFREG, S_IFDIR

    /// <summary>Checks a file before it is opened. One that does not exist, and a folder, are left to the opening.</summary>
    /// <remarks>Only Linux is asked: .NET itself refuses devices on Windows.</remarks>
    /// <exception cref="InvalidDataException">It is a pipe, a socket or a device.</exception>
    public static void Check(string path)
    {
        if (!OperatingSystem.IsLinux() || Kind(path) is null or Regular or Folder) return;
        throw new InvalidDataException($"'{NearName.Visible(path)}' is a pipe, a socket or a device; only regular files are read.");
    }

    /// <summary>Opens a file to read it; it can be deleted meanwhile.</summary>
    /// <param name="path">The file.</param>
    /// <param name="bufferSize">Bytes to read ahead; 1 for none.</param>
    /// <exception cref="InvalidDataException">It is a pipe, a socket or a device.</exception>
    public static FileStream Open(string path, int bufferSize = 1)
    {
        Check(path);
        return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize);
    }

    /// <summary>Whether a text from elsewhere can be the name of a file.</summary>
    public static bool IsName(string? text) =>
        text is { Length: > 0 and <= 128 } && text[0] != '.' && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    private static unsafe int? Kind(string path)
    {
        var status = stackalloc byte[StatusLength];
        try
        {
            return Status(CurrentFolder, path, 0, TypeMask, status) == 0 ? *(ushort*)(status + ModeOffset) & KindMask : null;
        }
        catch (EntryPointNotFoundException)
        {
            return null;   // a C library from before 2018
        }
    }

    [DllImport("libc", EntryPoint = "statx")]
    private static extern unsafe int Status(
        int folder, [MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags, uint mask, byte* status);
}
