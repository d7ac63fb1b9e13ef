namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reads whole small files within a limit.</summary>
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
}
