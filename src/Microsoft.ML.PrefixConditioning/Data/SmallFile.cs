namespace Microsoft.ML.PrefixConditioning;

/// <summary>Whole small files: read within a limit, written so that a file is the old one or the new one and never half of it.</summary>
internal static class SmallFile
{
    private const long MaxBytes = 16 << 20;

    /// <summary>A file's bytes.</summary>
    /// <exception cref="InvalidDataException">The file is larger than any such file is.</exception>
    public static byte[] Read(string path)
    {
        var length = new FileInfo(path).Length;
        return length <= MaxBytes ? File.ReadAllBytes(path)
            : throw new InvalidDataException($"'{path}' has {length} bytes; at most {MaxBytes} are expected. It is another kind of file.");
    }

    /// <summary>Writes a file of any size to a temporary one beside it and moves that into place.</summary>
    /// <exception cref="IOException">The file cannot be written; an older one is still whole.</exception>
    public static void Replace(string path, Action<Stream> write)
    {
        var temporary = $"{path}.tmp-{Environment.ProcessId}";
        try
        {
            using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e)
        {
            if (File.Exists(temporary)) File.Delete(temporary);   // its folder may not exist
            if (e is UnauthorizedAccessException or IOException)
                throw new IOException($"'{path}' cannot be written: {e.Message} Free space there, or choose another folder.", e);
            throw;
        }
    }
}
