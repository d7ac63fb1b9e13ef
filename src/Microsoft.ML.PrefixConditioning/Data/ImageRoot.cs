using System.Collections.Concurrent;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Where the images of a table are, and whether its rows may name files elsewhere.</summary>
/// <remarks>
/// Names are checked when the table is loaded. Links are checked when an image is opened, because asking for each file of a large table
/// would take minutes; until then, the folders of its images are remembered for the whole process.
/// </remarks>
internal sealed class ImageRoot
{
    private const int MostLinks = 40;   // as the kernel of Linux allows

    private static readonly ConcurrentDictionary<string, Folder> Folders = new(StringComparer.Ordinal);

    private readonly string _prefix;    // of relative images: "", a folder with a slash, or an archive with its mark
    private readonly bool _isGiven, _isConfined;
    private readonly string? _real;     // what links must not leave; null if they may, or if there are none

    /// <summary>Checks the root.</summary>
    /// <param name="table">The table; its folder is the root if none is given.</param>
    /// <param name="imageRoot">A folder, or an archive with or without a folder in it.</param>
    /// <param name="allowOutsideRoot">Whether rows may name any file.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    public ImageRoot(string table, string? imageRoot, bool allowOutsideRoot)
    {
        (_isGiven, _isConfined) = (imageRoot is not null, !allowOutsideRoot);
        var root = imageRoot ?? (RemoteFiles.IsMounted(table) ? table[..(table.LastIndexOf('/') + 1)] : Path.GetDirectoryName(table)) ?? "";
        if (ImageLocator.TrySplit(root, out var archive, out var inner))
        {
            _prefix = ImageLocator.Join(archive, inner.Length == 0 || inner.EndsWith('/') ? inner : inner + "/");
            return;
        }
        if (ImageArchive.HasArchiveExtension(root) && (RemoteFiles.IsMounted(root) || File.Exists(root)))
        {
            _prefix = ImageLocator.Join(root, "");
            return;
        }
        if (RemoteFiles.IsMounted(root))
        {
            _prefix = root.EndsWith('/') ? root : root + "/";
            return;
        }
        // The table's own folder is checked by opening the table.
        if (_isGiven && root.Length > 0 && !Directory.Exists(root))
            throw new DirectoryNotFoundException(File.Exists(root)
                ? $"imageRoot '{root}' is a file. Give a folder, a .zip or a .tar archive."
                : $"There is no imageRoot '{root}'. {MissingPath.Describe(root)}");
        _prefix = root.Length == 0 || root[^1] is '/' or '\\' ? root : root + "/";
        if (_isConfined) _real = Path.TrimEndingDirectorySeparator(Real(root)) + Path.DirectorySeparatorChar;
    }

    /// <summary>Why a row may not name an image; null if it may.</summary>
    /// <param name="image">A path with forward slashes.</param>
    public string? Refusal(string image)
    {
        if (!_isConfined || ImageLocator.RemoteReason(image) is not null || IsInside(image)) return null;
        return $"the image {NearName.Quoted(image)} is outside of the image root. If the table is trusted, set allowOutsideRoot to true.";
    }

    /// <summary>The locator of an image; null if there is none.</summary>
    public string? Locator(string image)
    {
        if (image.Length == 0) return null;
        var isRooted = Path.IsPathRooted(image);
        var locator = isRooted || ImageLocator.SchemeEnd(image) >= 0 ? image : _prefix + image;
        if (_real is not null && (_isGiven || !isRooted)) Remember(locator, _real);
        return locator;
    }

    /// <summary>Checks a file before it is opened, if a table that may not leave its root named its folder.</summary>
    /// <exception cref="InvalidDataException">A link leads out of the root.</exception>
    public static void CheckLinks(string file)
    {
        var end = FolderEnd(file);
        if (!Folders.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(file.AsSpan(0, end), out var folder)) return;
        folder.Real ??= Path.TrimEndingDirectorySeparator(Real(file[..end])) + Path.DirectorySeparatorChar;
        var real = new FileInfo(file).LinkTarget is null ? folder.Real : Real(file);
        if (!real.StartsWith(folder.Root, StringComparison.Ordinal))
            throw new InvalidDataException($"'{NearName.Visible(file)}' is a link to a file outside of the image root, or in a folder " +
                "that is. If the table is trusted, set allowOutsideRoot to true.");
    }

    private bool IsInside(string image)
    {
        if (RemoteFiles.IsMounted(image)) return image.StartsWith(_prefix, StringComparison.Ordinal) && RemoteFiles.IsMounted(_prefix);
        if (image.Split('/').Contains("..") || image.StartsWith("//", StringComparison.Ordinal)) return false;
        if (!Path.IsPathRooted(image) || !_isGiven) return true;
        var root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(_prefix.Length == 0 ? "." : _prefix)) + Path.DirectorySeparatorChar;
        return _real is not null && Path.GetFullPath(image).StartsWith(root, StringComparison.Ordinal);
    }

    private static void Remember(string locator, string root)
    {
        if (locator.Contains('!', StringComparison.Ordinal)) locator = ImageLocator.FileOf(locator, out _);
        var name = locator.AsSpan(0, FolderEnd(locator));
        var folders = Folders.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!folders.ContainsKey(name)) folders.TryAdd(name, new Folder(root));
    }

    private static int FolderEnd(string file) => file.LastIndexOfAny(['/', '\\']) + 1;

    /// <summary>The full path without links. Parts that do not exist stay as they are.</summary>
    private static string Real(string path)
    {
        var (real, links) = ("", 0);
        var parts = new Stack<string>();
        Push(Path.Join(Path.IsPathFullyQualified(path) ? "" : Directory.GetCurrentDirectory(), path));
        while (parts.TryPop(out var part))
        {
            if (part == "..") real = Path.GetDirectoryName(real) ?? real;
            else if (new FileInfo(Path.Join(real, part)).LinkTarget is not { } target) real = Path.Join(real, part);
            else if (links++ < MostLinks) Push(target);
            else throw new InvalidDataException($"'{NearName.Visible(path)}' has too many links.");
        }
        return real;

        void Push(string more)
        {
            if (Path.GetPathRoot(more) is { Length: > 0 } top) (real, more) = (top, more[top.Length..]);
            foreach (var part in more.Split('/', Path.DirectorySeparatorChar).Reverse())
                if (part is not ("" or ".")) parts.Push(part);
        }
    }

    private sealed class Folder(string root)
    {
        public string Root { get; } = root;
        public string? Real { get; set; }
    }
}
