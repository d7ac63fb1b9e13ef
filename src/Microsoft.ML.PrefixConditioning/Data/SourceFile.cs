namespace Microsoft.ML.PrefixConditioning;

/// <summary>A file with the rows of a source. It is checked when the source is loaded and read again by each cursor.</summary>
/// <param name="path">The file, as messages name it.</param>
internal sealed class SourceFile(string path)
{
    private readonly string _file = RemoteFiles.FullPath(path);   // the current folder may change
    private string? _state;

    /// <summary>Opens the file.</summary>
    /// <param name="bufferSize">Bytes to read ahead; 1 for a reader with a buffer of its own, or in random order.</param>
    /// <exception cref="FileNotFoundException">There is no such file, or it is a folder.</exception>
    /// <exception cref="InvalidDataException">The file has been changed since it was opened first, or is no regular file.</exception>
    public FileStream Open(int bufferSize = 1)
    {
        FileStream file;
        try
        {
            file = RemoteFiles.Read(_file, local => RegularFile.Open(local, bufferSize));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException && !RemoteFiles.IsMounted(_file))
        {
            throw new FileNotFoundException(
                $"There is no caption table '{NearName.Visible(path)}'. {MissingPath.Describe(path)}", path, e);
        }
        catch (UnauthorizedAccessException) when (Directory.Exists(_file))
        {
            throw new FileNotFoundException($"'{NearName.Visible(path)}' is a folder. Give the caption table, a .tsv or .csv file; " +
                "imageRoot is the folder of the images.", path);
        }
        var state = RemoteFiles.State(_file) ?? $"{file.Length} {File.GetLastWriteTimeUtc(file.SafeFileHandle).Ticks}";
        if ((_state ??= state) == state) return file;
        file.Dispose();
        throw Changed();
    }

    /// <summary>Opens byte ranges of the file for one cursor.</summary>
    /// <param name="isRandom">Whether they are read in random order.</param>
    public RangeReader OpenRanges(bool isRandom) => new(this, Open(isRandom ? 1 : 1 << 16));

    /// <summary>The error for a file that is not the one that was loaded.</summary>
    public InvalidDataException Changed() =>
        new($"{NearName.Quoted(path)} has been changed since it was loaded. Load it again, and leave it unchanged while it is in use.");

    /// <summary>Reads byte ranges.</summary>
    internal sealed class RangeReader(SourceFile source, FileStream stream) : IDisposable
    {
        private byte[] _buffer = [];

        /// <summary>The bytes of a range, until the next call.</summary>
        /// <exception cref="InvalidDataException">The file is shorter.</exception>
        public ReadOnlyMemory<byte> Read(long offset, int length)
        {
            if (_buffer.Length < length) _buffer = new byte[Math.Max(length, 2 * _buffer.Length)];
            stream.Position = offset;
            return stream.ReadAtLeast(_buffer.AsSpan(0, length), length, throwOnEndOfStream: false) == length
                ? _buffer.AsMemory(0, length) : throw source.Changed();
        }

        /// <inheritdoc/>
        public void Dispose() => stream.Dispose();
    }
}
