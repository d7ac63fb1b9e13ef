using System.Security.Cryptography;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Puts patched copies of native libraries on disk, once per user and content, for the dynamic linker to load.</summary>
/// <remarks>
/// Any number of processes and threads may do so at once: a copy is written under a name of its own and then renamed, which is atomic,
/// and replaces a file without touching the one that another process may have mapped.
/// </remarks>
internal static class PatchedLibraryCache
{
    private const string FolderName = "Microsoft.ML.PrefixConditioning";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>The user's cache folder (XDG_CACHE_HOME, or .cache in the home folder); null when the user has neither.</summary>
    /// <remarks>Source: XDG Base Directory Specification, which also says to ignore a relative path.</remarks>
    public static string? DefaultDirectory()
    {
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (!Path.IsPathFullyQualified(cache ?? ""))
        {
            var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            if (!Path.IsPathFullyQualified(home)) return null;
            cache = Path.Combine(home, ".cache");
        }
        return Path.Combine(cache!, FolderName, "native");
    }

    /// <summary>Makes sure that the folder holds the content, and says where.</summary>
    /// <param name="directory">Created when missing, for this user only.</param>
    /// <param name="fileName">The library's file name; the content's hash is added to it.</param>
    /// <param name="content">The whole file. A file of that name with any other content is replaced.</param>
    /// <returns>The full path of the copy.</returns>
    /// <exception cref="IOException">The folder cannot be created or written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder cannot be created or written.</exception>
    public static string Store(string directory, string fileName, ReadOnlySpan<byte> content)
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(directory);
        else Directory.CreateDirectory(directory, OwnerOnly);
        var hash = Convert.ToHexStringLower(SHA256.HashData(content))[..16];
        var path = Path.Combine(directory, $"{Path.GetFileNameWithoutExtension(fileName)}-{hash}{Path.GetExtension(fileName)}");
        if (Holds(path, content)) return path;

        var temporary = Path.Combine(directory, $"{hash}-{Environment.ProcessId}-{Guid.NewGuid():N}.tmp");
        try
        {
            File.WriteAllBytes(temporary, content);
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
        return path;
    }

    /// <summary>Whether the file is there, complete and unharmed; a few megabytes are read in a millisecond.</summary>
    private static bool Holds(string path, ReadOnlySpan<byte> content)
    {
        var file = new FileInfo(path);
        return file.Exists && file.Length == content.Length && File.ReadAllBytes(path).AsSpan().SequenceEqual(content);
    }
}
