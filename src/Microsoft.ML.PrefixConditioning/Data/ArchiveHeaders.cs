namespace Microsoft.ML.PrefixConditioning;

/// <summary>Where a file is in an archive.</summary>
/// <param name="Offset">Position of the data in a TAR archive, of the local header in a ZIP archive.</param>
/// <param name="StoredLength">Bytes in the archive; <see cref="int.MaxValue"/> means more than an image can have.</param>
/// <param name="Length">Bytes of the file, in the same way.</param>
/// <param name="Method">Compression method of the ZIP format; 0 means none.</param>
internal readonly record struct ArchivePlace(long Offset, int StoredLength, int Length, ushort Method);

/// <summary>Collects the headers of an archive in their order.</summary>
internal sealed class ArchiveHeaders
{
    private const int MostLinks = 40;   // one after the other, as in Linux

    private readonly Dictionary<string, string?> _links = new(StringComparer.Ordinal);

    /// <summary>Files by name, with forward slashes. If several files have the same name, the last one counts, as after
    /// unpacking.</summary>
    public Dictionary<string, ArchivePlace> Files { get; } = new(StringComparer.Ordinal);

    /// <summary>Folders with an entry of their own.</summary>
    public List<string> Folders { get; } = [];

    /// <summary>Links to files of the archive, after <see cref="ResolveLinks"/>.</summary>
    public List<(string Name, string Target)> Links { get; } = [];

    /// <summary>Remarks about names for the user: one of the constants of <see cref="ClassFolders"/>, and the name.</summary>
    public List<(string What, string Name)> Remarks { get; } = [];

    /// <summary>Adds a file.</summary>
    public void AddFile(string name, ArchivePlace place)
    {
        if (_links.Remove(name) || !Files.TryAdd(name, place)) Remarks.Add((ClassFolders.Replaced, name));
        Files[name] = place;
    }

    /// <summary>Adds a link, or with a null target an entry that cannot be read as a file.</summary>
    /// <param name="name">The entry's name.</param>
    /// <param name="target">The file that the link points to, from the root of the archive.</param>
    public void AddLink(string name, string? target)
    {
        if (Files.Remove(name) || !_links.TryAdd(name, target)) Remarks.Add((ClassFolders.Replaced, name));
        _links[name] = target;
    }

    /// <summary>The target of a symbolic link, from the root of the archive; null if it is outside the archive.</summary>
    public static string? FromRoot(string link, string target)
    {
        if (target.StartsWith('/') || target.Length == 0) return null;
        var path = $"{Path.GetDirectoryName(link)}/{target}".Replace('\\', '/');
        var depth = 0;   // normalizing alone would drop a ".." above the root, and the link would lead back inside
        foreach (var part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
            if (part != "." && (depth += part == ".." ? -1 : 1) < 0) return null;
        return ImageArchive.Normalize(path);
    }

    /// <summary>Resolves links to files. Other links, such as those to folders, are not followed.</summary>
    public void ResolveLinks()
    {
        foreach (var (name, first) in _links)
        {
            var target = first;
            for (var i = 0; i < MostLinks && target is not null && _links.TryGetValue(target, out var next); i++) target = next;
            if (target is not null && Files.ContainsKey(target)) Links.Add((name, target));
            else Remarks.Add((ClassFolders.NotFollowed, name));
        }
        foreach (var (name, target) in Links) Files.Add(name, Files[target]);
    }
}
