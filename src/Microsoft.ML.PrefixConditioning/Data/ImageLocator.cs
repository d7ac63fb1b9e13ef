namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reads the bytes that the text of an image column refers to: a file path, <c>archive.zip!/inner/path.png</c>, or a range of
/// bytes of a file (<see cref="ImageSlice"/>).</summary>
internal static class ImageLocator
{
    /// <summary>Files with these extensions are recognized as images, in any case.</summary>
    public static readonly string[] Extensions = [".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif"];

    /// <summary>The most bytes that an encoded image may have. Archives and files are asked for the number before they are
    /// read.</summary>
    internal const int MaxBytes = 256 << 20;

    private const string ArchiveMark = "!/";

    /// <summary>Reads the encoded image that a locator names. Thread-safe.</summary>
    /// <param name="locator">A path, an entry of an archive, or a range of bytes.</param>
    /// <param name="memory">Takes the bytes before they are read; null if nobody counts them.</param>
    /// <exception cref="FileNotFoundException">The file, folder, archive or entry does not exist; the message says which part of the path
    /// is missing.</exception>
    /// <exception cref="InvalidDataException">It is too large, not a regular file or behind a link out of its
    /// table's image root, or the archive is damaged.</exception>
    public static byte[] ReadAllBytes(string locator, MemoryShare? memory = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(locator);
        byte[] bytes;
        if (ImageSlice.TryParse(locator, out var slice))
        {
            ImageRoot.CheckLinks(slice.File);
            bytes = slice.Read(memory);
        }
        else if (TrySplit(locator, out var archive, out var entry))
        {
            ImageRoot.CheckLinks(archive);
            bytes = ImageArchiveCache.Read(archive, entry, memory);
        }
        else
        {
            try
            {
                ImageRoot.CheckLinks(locator);
                bytes = RemoteFiles.Read(locator, path => SmallFile.Read(path, MaxBytes, memory),
                    cancellation: memory?.Cancellation ?? default);
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException && !RemoteFiles.IsMounted(locator))
            {
                throw new FileNotFoundException($"There is no image {NearName.Quoted(locator)}. {Reason(locator)}", locator, e);
            }
            catch (UnauthorizedAccessException) when (Directory.Exists(locator))
            {
                throw new InvalidDataException($"{NearName.Quoted(locator)} is a folder; an image column names files.");
            }
        }
        return bytes;   // what they hold, if anything, is the decoder's to judge
    }

    /// <summary>The path of a local file given as a URI, such as <c>file:///images/a%20cat.png</c>; other locators are returned
    /// unchanged.</summary>
    /// <remarks>Source: RFC 8089, section 2 and appendix B.</remarks>
    public static string FromFileUri(string locator)
    {
        if (!locator.StartsWith("file:/", StringComparison.OrdinalIgnoreCase)) return locator;
        var path = locator["file:".Length..];
        if (path.StartsWith("//localhost/", StringComparison.OrdinalIgnoreCase)) path = path["//localhost".Length..];
        else if (path.StartsWith("///", StringComparison.Ordinal)) path = path["//".Length..];
        else if (path.StartsWith("//", StringComparison.Ordinal)) return locator;   // on another machine
        path = Uri.UnescapeDataString(path);
        return OperatingSystem.IsWindows() && path is ['/', _, ':', ..] ? path[1..] : path;
    }

    /// <summary>Why an image cannot be read and what to do, if its locator is a URI of another machine that is not mounted;
    /// otherwise null.</summary>
    public static string? RemoteReason(string locator)
    {
        if (SchemeEnd(locator) < 0 || RemoteFiles.IsMounted(locator)) return null;
        return locator.StartsWith("file:", StringComparison.OrdinalIgnoreCase)
            ? "A file URI with two slashes names a machine. Write file:/// with three slashes, or the path alone."
            : "It is a web address. Download the image and name the file, or mount the address with RemoteFiles.";
    }

    /// <summary>Where the scheme of an address ends, such as https in <c>https://</c>; -1 for paths.</summary>
    public static int SchemeEnd(string locator)
    {
        var end = locator.IndexOf("://", StringComparison.Ordinal);
        return end >= 2 && locator.Take(end).All(char.IsAsciiLetterOrDigit) ? end : -1;   // "C://" is a drive
    }

    /// <summary>Whether a file name has the extension of an image.</summary>
    public static bool HasImageExtension(ReadOnlySpan<char> name)
    {
        var extension = Path.GetExtension(name);
        foreach (var known in Extensions)
            if (extension.Equals(known, StringComparison.OrdinalIgnoreCase)) return true;
        return false;
    }

    /// <summary>Splits <c>archive.zip!/inner/path.png</c> into archive and entry; the entry may be empty.</summary>
    /// <remarks>
    /// A folder may also end in ".zip!"; then the locator is a plain path. Otherwise the first mark after an archive's extension counts, so
    /// that entries may contain exclamation marks.
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

    /// <summary>The file that a locator leads to.</summary>
    /// <param name="locator">Any locator.</param>
    /// <param name="isContainer">Whether the file holds the image among others: an archive, or the file of a range of bytes.</param>
    public static string FileOf(string locator, out bool isContainer)
    {
        isContainer = true;
        if (ImageSlice.TryParse(locator, out var slice)) return slice.File;
        if (TrySplit(locator, out var archive, out _)) return archive;
        isContainer = false;
        return locator;
    }

    /// <summary>The locator of a file inside an archive.</summary>
    public static string Join(string archive, string entry) => $"{archive}{ArchiveMark}{entry}";

    private static string Reason(string locator) =>
        RemoteReason(locator) ?? $"{MissingPath.Describe(locator)} If a caption table names it, check imageRoot.";
}
