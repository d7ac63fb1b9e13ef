namespace Microsoft.ML.PrefixConditioning;

/// <summary>Turns the text of an image column into bytes: a file's path, or <c>archive.zip!/inner/path.png</c>.</summary>
internal static class ImageLocator
{
    /// <summary>Files are recognized as images by these extensions, whatever their case.</summary>
    public static readonly string[] Extensions = [".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif"];

    private const string ArchiveMark = "!/";

    /// <summary>Reads the encoded image that a locator names. Thread-safe.</summary>
    /// <exception cref="FileNotFoundException">There is no such file, folder, archive or entry; the message says which part is
    /// missing.</exception>
    /// <exception cref="InvalidDataException">It is a folder, or the archive is damaged.</exception>
    public static byte[] ReadAllBytes(string locator)
    {
        ArgumentException.ThrowIfNullOrEmpty(locator);
        byte[] bytes;
        if (TrySplit(locator, out var archive, out var entry))
        {
            bytes = ImageArchiveCache.Read(archive, entry);
        }
        else
        {
            try
            {
                bytes = File.ReadAllBytes(locator);
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                throw new FileNotFoundException($"There is no image '{locator}'. {Reason(locator)}", locator, e);
            }
            catch (UnauthorizedAccessException) when (Directory.Exists(locator))
            {
                throw new InvalidDataException($"'{locator}' is a folder; an image column names files.");
            }
        }
        return bytes;   // what they hold, if anything, is the decoder's to judge
    }

    /// <summary>Whether an image lies on the web, which nothing here reads.</summary>
    public static bool IsWebAddress(ReadOnlySpan<char> locator) => locator.Contains("://", StringComparison.Ordinal);

    /// <summary>Whether a file name ends like an image.</summary>
    public static bool HasImageExtension(ReadOnlySpan<char> name)
    {
        var extension = Path.GetExtension(name);
        foreach (var known in Extensions)
            if (extension.Equals(known, StringComparison.OrdinalIgnoreCase)) return true;
        return false;
    }

    /// <summary>Takes <c>archive.zip!/inner/path.png</c> apart; the entry may be empty.</summary>
    /// <remarks>
    /// A folder may end in ".zip!" too, strange as it is: then the locator is a plain path. Otherwise the first mark after an
    /// archive's extension counts, so that entries may hold exclamation marks.
    /// </remarks>
    public static bool TrySplit(string locator, out string archive, out string entry)
    {
        for (var at = locator.IndexOf('!'); at >= 0; at = locator.IndexOf('!', at + 1))
        {
            archive = locator[..at];
            if (at + 1 == locator.Length || locator[at + 1] is not ('/' or '\\') || !ImageArchive.HasArchiveExtension(archive)) continue;
            if (Directory.Exists(archive + "!")) continue;
            entry = ImageArchive.Normalize(locator[(at + ArchiveMark.Length)..]);
            return true;
        }
        archive = entry = "";
        return false;
    }

    /// <summary>The locator of a file inside an archive.</summary>
    public static string Join(string archive, string entry) => $"{archive}{ArchiveMark}{entry}";

    private static string Reason(string locator) => IsWebAddress(locator)
        ? "It looks like a web address; download the image and name the file."
        : $"{MissingPath.Describe(locator)} If a caption table names it, check imageRoot.";
}
