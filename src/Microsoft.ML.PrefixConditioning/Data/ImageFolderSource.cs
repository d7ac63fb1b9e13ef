using System.IO.Enumeration;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Class-name folders, or an archive of them -> rows.</summary>
internal static class ImageFolderSource
{
    // What archivers on macOS add; its files end like images but are none.
    private const string MacMetadata = "__MACOSX";

    /// <summary>Lists the images; nothing is decoded.</summary>
    /// <returns>Columns image, text, dataset type and label, sorted ordinally by class folder, then by path.</returns>
    public static IDataView Load(string path, string datasetType, IReadOnlyDictionary<string, string>? classNames, SourceColumns columns)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        var isArchive = TryFindArchive(path, out var archive, out var inner);
        if (!isArchive && !Directory.Exists(path))
        {
            if (File.Exists(path))
                throw new InvalidDataException($"'{path}' is a file, but neither .zip nor .tar. " +
                    "Give a folder of class-name folders or such an archive; unpack others first.");
            throw new DirectoryNotFoundException($"There is no image folder '{path}'. {MissingPath.Describe(path)}");
        }
        IEnumerable<string> files = isArchive ? ListArchive(archive, inner) : ListFolder(path);
        var images = new List<(string Class, string File)>();
        var outsideClasses = 0;
        var others = 0;
        foreach (var file in files)
        {
            if (!ImageLocator.HasImageExtension(file)) others++;
            else if (file.IndexOf('/') is var slash and >= 0) images.Add((file[..slash], file[(slash + 1)..]));
            else outsideClasses++;
        }
        if (images.Count == 0)
        {
            throw new InvalidDataException(
                $"'{path}' has no images in class-name folders: it holds {outsideClasses} image(s) outside of any and " +
                $"{others} other file(s). " +
                $"Expected <class name>/<image>, with the extensions {string.Join(", ", ImageLocator.Extensions)}.");
        }
        return Rows(images, isArchive ? ImageLocator.Join(archive, inner) : path, datasetType, classNames, columns);
    }

    private static TextRowsView Rows(
        List<(string Class, string File)> images, string root, string datasetType,
        IReadOnlyDictionary<string, string>? classNames, SourceColumns columns)
    {
        images.Sort((a, b) =>
            string.CompareOrdinal(a.Class, b.Class) is var order and not 0 ? order : string.CompareOrdinal(a.File, b.File));
        // One string per class and one short one per image: the path is put together when a row is read.
        var rests = new string[images.Count];
        var classes = new int[images.Count];
        var folders = new List<string>();
        for (var i = 0; i < rests.Length; i++)
        {
            if (folders.Count == 0 || folders[^1] != images[i].Class) folders.Add(images[i].Class);
            rests[i] = images[i].File;
            classes[i] = folders.Count - 1;
        }
        var prefixes = folders.ConvertAll(f => root.Length == 0 || root[^1] is '/' or '\\' ? $"{root}{f}/" : $"{root}/{f}/");
        var names = folders.ConvertAll(f => classNames is not null && classNames.TryGetValue(f, out var name) ? name : f);
        return new TextRowsView(
            rests.Length,
            (columns.Image, i => prefixes[classes[i]] + rests[i]),
            (columns.Text, i => names[classes[i]]),
            (columns.DatasetType, _ => datasetType),
            (columns.Label, i => names[classes[i]]));
    }

    private static bool TryFindArchive(string path, out string archive, out string inner)
    {
        if (ImageLocator.TrySplit(path, out archive, out inner)) return true;
        archive = path;
        return ImageArchive.HasArchiveExtension(path) && File.Exists(path);
    }

    private static List<string> ListArchive(string archive, string inner)
    {
        var prefix = inner.Length == 0 ? "" : inner.TrimEnd('/') + "/";
        return ImageArchiveCache.Use(archive, a => a.EntryNames
            .Where(n => n.StartsWith(prefix, StringComparison.Ordinal))
            .Select(n => n[prefix.Length..])
            .Where(n => !n.Split('/').Any(IsHidden)).ToList());
    }

    private static FileSystemEnumerable<string> ListFolder(string root)
    {
        var length = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root)).Length;
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            AttributesToSkip = FileAttributes.Hidden | FileAttributes.System,
            IgnoreInaccessible = false,   // a class that may not be read must not be left out silently
        };
        return new FileSystemEnumerable<string>(
            Path.GetFullPath(root), (ref FileSystemEntry entry) => Relative(entry.ToFullPath(), length), options)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory && !IsHidden(entry.FileName),
            ShouldRecursePredicate = (ref FileSystemEntry entry) => !IsHidden(entry.FileName) && !IsLoop(ref entry),
        };
    }

    private static string Relative(string fullPath, int rootLength)
    {
        var relative = fullPath[rootLength..].TrimStart(Path.DirectorySeparatorChar);
        return Path.DirectorySeparatorChar == '/' ? relative : relative.Replace(Path.DirectorySeparatorChar, '/');
    }

    private static bool IsHidden(string name) => IsHidden(name.AsSpan());

    private static bool IsHidden(ReadOnlySpan<char> name) => name.StartsWith('.') || name.SequenceEqual(MacMetadata);

    /// <summary>Whether a link leads back to a folder that it lies in; other links are followed.</summary>
    private static bool IsLoop(ref FileSystemEntry entry)
    {
        if ((entry.Attributes & FileAttributes.ReparsePoint) == 0) return false;
        if (Directory.ResolveLinkTarget(entry.ToFullPath(), returnFinalTarget: true) is not { } target) return false;
        var above = Path.TrimEndingDirectorySeparator(target.FullName) + Path.DirectorySeparatorChar;
        return entry.ToFullPath().StartsWith(above, StringComparison.Ordinal);
    }
}
