using System.Globalization;
using System.Security.Cryptography;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What the files of a run's images are: size and time of last modification, or a hash of their content.</summary>
/// <remarks>
/// An archive counts once, whatever the number of its images. A million files on a local disk take a few seconds without hashes; they are
/// asked in parallel, because each question to a network file system waits for its answer.
/// </remarks>
/// <param name="hash">Whether files are read.</param>
/// <param name="cancellation">Stops the work.</param>
internal sealed class ImageFiles(bool hash, CancellationToken cancellation)
{
    private const int RowsPerPass = 4096;   // bounds the memory for paths

    private readonly Dictionary<string, string> _archives = new(StringComparer.Ordinal);

    /// <summary>Writes what the file of each row is, in the order of the rows.</summary>
    /// <param name="writer">Receives it.</param>
    /// <param name="count">Number of rows.</param>
    /// <param name="locatorOf">Locator of a row's image; null for an image in memory.</param>
    public void Write(BinaryWriter writer, int count, Func<int, string?> locatorOf)
    {
        for (var begin = 0; begin < count; begin += RowsPerPass)
        {
            var files = new List<(string Path, bool IsArchive)>();
            for (var row = begin; row < Math.Min(count, begin + RowsPerPass); row++)
                if (locatorOf(row) is { Length: > 0 } locator)
                    files.Add((FullPath(ImageLocator.FileOf(locator, out var isArchive)), isArchive));
            var asked = files.Distinct().Where(file => !_archives.ContainsKey(file.Path)).ToArray();
            var contents = new string[asked.Length];
            ParallelLoop.Run(asked.Length, i => contents[i] = ContentOf(asked[i].Path, asked[i].IsArchive), cancellation);
            var ofPass = asked.Zip(contents).ToDictionary(f => f.First.Path, f => f.Second, StringComparer.Ordinal);
            foreach (var ((path, isArchive), content) in asked.Zip(contents))
                if (isArchive) _archives.Add(path, content);
            foreach (var (path, isArchive) in files) writer.Write(isArchive ? _archives[path] : ofPass[path]);
        }
    }

    /// <summary>A locator with the full path of its file: the same for relative and absolute paths of the same image.</summary>
    public static string FullName(string locator) =>
        ImageSlice.TryParse(locator, out var slice) ? $"{slice with { File = FullPath(slice.File) }}"
        : ImageLocator.TrySplit(locator, out var archive, out var entry) ? ImageLocator.Join(FullPath(archive), entry)
        : FullPath(locator);

    private static string FullPath(string path) => path.Contains('\0') ? path : RemoteFiles.FullPath(path);   // such a file cannot exist

    private string ContentOf(string path, bool isArchive)
    {
        try
        {
            if (RemoteFiles.IsMounted(path))
                return hash || isArchive ? RemoteFiles.State(path, cancellation: cancellation)! : "remote";   // too many to download
            if (hash)
            {
                using var stream = RegularFile.Open(path);
                return Convert.ToHexStringLower(SHA256.HashDataAsync(stream, cancellation).AsTask().GetAwaiter().GetResult());
            }
            var file = new FileInfo(path);
            if (file.LinkTarget is not null && file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target) file = target;
            return string.Create(CultureInfo.InvariantCulture, $"{file.Length} {file.LastWriteTimeUtc.Ticks}");
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException or ArgumentException)
        {
            return "unreadable";   // as an image of the run, it is judged when it is decoded
        }
    }
}
