using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Images by class folder. It counts what it skips and reports it once.</summary>
/// <param name="root">The folder or archive, as messages name it.</param>
internal sealed class ClassFolders(string root)
{
    /// <summary>Remarks about files, which follow their number.</summary>
    internal const string OtherType = "file(s) of other types left out",
        Hidden = "hidden file(s) or folder(s) left out",
        OutsideOfClasses = "image(s) outside of class folders left out",
        NotFollowed = "link(s) not followed",
        Repeated = "image(s) listed again through links",
        Replaced = "file(s) replaced by a later one of the same name",
        CutOff = "file(s) last in an archive without an end mark, which may be cut off",
        Appended = "file(s) last before an end mark with more data behind it, which is not read",
        CodePage = "name(s) neither marked as UTF-8 nor valid in it, read as code page 437";

    private const char DamagedCharacter = '\uFFFD';

    private readonly List<(string Class, string File)> _images = [];
    private readonly HashSet<string> _archives = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, int> _imageCounts = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Class, string What), (int Count, string Example)> _remarks = [];

    /// <summary>Adds a class folder, which may still be empty.</summary>
    public void AddClass(string name) => _imageCounts.TryAdd(name, 0);

    /// <summary>Adds an archive of one class and returns its class folder, <c>FILE.tar!</c>.</summary>
    public string AddArchive(string file)
    {
        AddClass(file + '!');
        _archives.Add(file + '!');
        return file + '!';
    }

    /// <summary>The name of a class folder or an archive of one class, without its extension.</summary>
    public string ClassName(string folder) => _archives.Contains(folder) ? Path.GetFileNameWithoutExtension(folder) : folder;

    /// <summary>Adds a file by its path from the root, with forward slashes; returns whether it is an image of a class.</summary>
    /// <param name="path">The path.</param>
    /// <param name="place">What names the file in its class folder; null for the rest of the path.</param>
    public bool AddFile(string path, string? place = null)
    {
        var (name, file) = path.IndexOf('/') is var slash and >= 0 ? (path[..slash], path[(slash + 1)..]) : ("", path);
        if (name.Length > 0) AddClass(name);
        if (!ImageLocator.HasImageExtension(path)) Remark(OtherType, path);
        else if (name.Length == 0) Remark(OutsideOfClasses, path);
        else
        {
            CheckName(path);
            _images.Add((name, place ?? file));
            _imageCounts[name]++;
            return true;
        }
        return false;
    }

    /// <summary>Counts a remark about a path.</summary>
    public void Remark(string what, string path)
    {
        var key = (path.IndexOf('/') is var slash and >= 0 ? path[..slash] : "", what);
        _remarks[key] = _remarks.TryGetValue(key, out var remark) ? remark with { Count = remark.Count + 1 } : (1, path);
    }

    /// <summary>Checks that a path could be decoded.</summary>
    /// <exception cref="InvalidDataException">The path could not be decoded, so it is unknown what it names.</exception>
    public void CheckName(string path)
    {
        if (path.Contains(DamagedCharacter, StringComparison.Ordinal))
            throw new InvalidDataException($"The name '{NearName.Visible(path)}' in '{root}' is not UTF-8 (\\ufffd stands for what " +
                "cannot be decoded). Rename it, or unpack or pack the archive that it comes from with the right encoding.");
    }

    /// <summary>Returns the images ordered by class and name, and logs everything else that was found.</summary>
    /// <exception cref="InvalidDataException">There are no images, or none in one of the class folders.</exception>
    public List<(string Class, string File)> Complete(IChannel channel)
    {
        const string advice = "Files are recognized as images by their extension:";
        var extensions = string.Join(", ", ImageLocator.Extensions);
        if (_images.Count == 0)
            throw new InvalidDataException($"'{root}' has no images in class folders: {Remarks(_ => true)}. " +
                $"Expected <class name>/<image>. {advice} {extensions}.");
        string[] empty = [.. _imageCounts.Where(c => c.Value == 0).Select(c => c.Key)];
        if (empty.Length > 0)
            throw new InvalidDataException($"{empty.Length} of {_imageCounts.Count} class folder(s) in '{root}' have no images: " +
                $"{NearName.List(empty)}. In '{NearName.Visible(empty[0])}': {Remarks(c => c == empty[0])}. " +
                $"{advice} {extensions}. Convert the files, or move the folder elsewhere.");
        if (_remarks.Count > 0)
            channel.Warning(MessageSensitivity.None, "{0}",
                $"'{root}': {_images.Count} image(s) in {_imageCounts.Count} class folder(s); {Remarks(_ => true)}.");
        _images.Sort((a, b) =>
            string.CompareOrdinal(a.Class, b.Class) is var order and not 0 ? order : string.CompareOrdinal(a.File, b.File));
        return _images;
    }

    private string Remarks(Func<string, bool> isMeant)
    {
        var parts = _remarks.Where(r => isMeant(r.Key.Class)).GroupBy(r => r.Key.What).OrderBy(g => g.Key, StringComparer.Ordinal)
            .Select(g => $"{g.Sum(r => r.Value.Count)} {g.Key}, such as '{NearName.Visible(g.First().Value.Example)}'").ToArray();
        return parts.Length == 0 ? "it is empty" : string.Join("; ", parts);
    }
}
