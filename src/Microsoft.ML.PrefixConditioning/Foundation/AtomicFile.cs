namespace Microsoft.ML.PrefixConditioning;

/// <summary>Replaces whole files: after a crash, a file is the old one or the new one, never a mix.</summary>
internal static class AtomicFile
{
    private const string Mark = ".tmp-";

    /// <summary>A name for a file that is being written, which no other thread or process takes.</summary>
    public static string Temporary(string path) => $"{path}{Mark}{Environment.ProcessId}-{Environment.CurrentManagedThreadId}";

    /// <summary>What a file with a name by <see cref="Temporary"/> is to become; other names are given back.</summary>
    public static string Final(string path) => path.LastIndexOf(Mark, StringComparison.Ordinal) is >= 0 and var end ? path[..end] : path;

    /// <summary>Replaces a file of any size.</summary>
    /// <exception cref="IOException">The file cannot be written; an existing file is unchanged.</exception>
    public static void Replace(string path, Action<Stream> write)
    {
        try
        {
            Replace(path, Temporary(path), write);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new IOException($"'{path}' cannot be written: {e.Message} Free space there, or choose another folder.", e);
        }
    }

    /// <summary>Replaces a file through a temporary file in the same folder, which is overwritten if it exists.</summary>
    /// <exception cref="IOException">The file cannot be written; an existing file is unchanged.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public static void Replace(string path, string temporary, Action<Stream> write)
    {
        try
        {
            WriteThrough(temporary, write);
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            if (File.Exists(temporary)) File.Delete(temporary);   // its folder may not exist
            throw;
        }
    }

    /// <summary>Writes a file and flushes it to disk.</summary>
    public static void WriteThrough(string path, Action<Stream> write)
    {
        using var stream = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 1 << 16);
        write(stream);
        stream.Flush(flushToDisk: true);
    }
}
