using System.IO.Enumeration;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Lists class folders on disk. Links are followed, but a class never reads a folder twice.</summary>
internal sealed class ClassFolderWalk
{
    private const int MostLinks = 40;   // in one path, as in Linux

    private readonly string _root, _realRoot;
    private readonly ClassFolders _found;
    private readonly LongPhase _phase;
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);   // real folders that some class has read

    private ClassFolderWalk(string root, ClassFolders found, LongPhase phase) =>
        (_root, _realRoot, _found, _phase) = (Path.GetFullPath(root), RealPath(Path.GetFullPath(root)) ?? root, found, phase);

    /// <summary>Lists everything below a root.</summary>
    /// <exception cref="InvalidDataException">A name is not UTF-8.</exception>
    /// <exception cref="UnauthorizedAccessException">A folder is not readable; its class must not be skipped silently.</exception>
    public static void List(string root, ClassFolders found, LongPhase phase)
    {
        var walk = new ClassFolderWalk(root, found, phase);
        foreach (var folder in walk.Read(new Folder("", walk._realRoot))) walk.ReadClass(folder);
    }

    private void ReadClass(Folder top)
    {
        _found.AddClass(top.Path);
        var read = new HashSet<string>(StringComparer.Ordinal);
        // Links come last, so that a folder is read under its own name where it has one below the class.
        var (folders, links) = (new Queue<Folder>(), new Queue<Folder>());
        var folder = top;
        do
        {
            var isAtOrAboveRoot = folder.Real == _realRoot || IsBelow(_realRoot, folder.Real);
            if (isAtOrAboveRoot || !read.Add(folder.Real)) _found.Remark(ClassFolders.NotFollowed, folder.Path);
            else foreach (var inner in Read(folder)) (inner.IsLink ? links : folders).Enqueue(inner);
        }
        while (folders.TryDequeue(out folder) || links.TryDequeue(out folder));
    }

    /// <summary>Adds a folder's files and returns its folders.</summary>
    private List<Folder> Read(Folder folder)
    {
        var isRepeated = !_read.Add(folder.Real);
        var folders = new List<Folder>();
        foreach (var entry in Entries(folder))
        {
            var path = folder.Path.Length == 0 ? entry.Name : $"{folder.Path}/{entry.Name}";
            if (ImageFolderSource.IsMacMetadata(entry.Name)) continue;
            if (entry.IsHidden)
            {
                _found.Remark(ClassFolders.Hidden, path);
                continue;
            }
            _found.CheckName(path);   // .NET can neither open what it cannot decode nor tell whether it is a folder
            var real = Path.Combine(folder.Real, entry.Name);
            if (entry.IsLink) real = RealPath(real);
            if (real is null || (entry.IsLink && !Path.Exists(real))) _found.Remark(ClassFolders.NotFollowed, path);
            else if (entry.IsFolder) folders.Add(new Folder(path, real, entry.IsLink));
            else if (folder.Path.Length == 0 && ClassTar.IsClass(Path.Join(_root, path))) ClassTar.List(Path.Join(_root, path), _found);
            else if (_found.AddFile(path) && (isRepeated || (entry.IsLink && IsBelow(real, _realRoot))))
                _found.Remark(ClassFolders.Repeated, path);
        }
        return folders;
    }

    private IEnumerable<Entry> Entries(Folder folder) => new FileSystemEnumerable<Entry>(
        Path.Combine(_root, folder.Path),
        (ref FileSystemEntry e) =>
        {
            _phase.Advance();
            var attributes = (int)e.Attributes == -1 ? 0 : e.Attributes;   // unknown
            return new Entry(e.FileName.ToString(), e.IsDirectory, attributes.HasFlag(FileAttributes.ReparsePoint),
                IsHidden: e.FileName.StartsWith('.') || (attributes & (FileAttributes.Hidden | FileAttributes.System)) != 0);
        },
        new EnumerationOptions { AttributesToSkip = 0, IgnoreInaccessible = false }).OrderBy(e => e.Name, StringComparer.Ordinal);

    private static bool IsBelow(string path, string folder) =>
        path.StartsWith(Path.TrimEndingDirectorySeparator(folder) + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    /// <summary>A full path with all links resolved; null if they lead in a circle.</summary>
    private static string? RealPath(string path)
    {
        var real = Path.GetPathRoot(path)!;
        var parts = new Stack<string>(Parts(path[real.Length..]));
        for (var links = 0; parts.TryPop(out var part);)
        {
            var next = part == ".." ? Path.GetDirectoryName(real) ?? real : Path.Combine(real, part);
            if (new DirectoryInfo(next).LinkTarget is not { } target)
            {
                real = next;
                continue;
            }
            if (++links > MostLinks) return null;
            if (Path.GetPathRoot(target) is { Length: > 0 } start) (real, target) = (start, target[start.Length..]);
            foreach (var inner in Parts(target)) parts.Push(inner);
        }
        return real;
    }

    /// <summary>The parts of a path, last part first.</summary>
    private static IEnumerable<string> Parts(string path) =>
        path.Split([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries)
            .Where(p => p != ".").Reverse();

    private readonly record struct Folder(string Path, string Real, bool IsLink = false);

    private readonly record struct Entry(string Name, bool IsFolder, bool IsLink, bool IsHidden);
}
