using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Turns class-name folders, or an archive of them, into rows.</summary>
/// <param name="ClassNames">Class names by folder name, for some or all folders.</param>
/// <param name="DatasetType">Value of the dataset-type column.</param>
/// <param name="Columns">Names of the columns.</param>
internal sealed record ImageFolderSource(IReadOnlyDictionary<string, string>? ClassNames, string DatasetType, SourceColumns Columns)
    : DatasetSource(DatasetType, Columns)
{
    /// <inheritdoc/>
    public override void Check()
    {
        base.Check();
        foreach (var (folder, name) in ClassNames ?? new Dictionary<string, string>())
            if (string.IsNullOrWhiteSpace(name))
                throw new ArgumentException($"The class name of the folder '{folder}' is empty.", "classNames");
    }

    /// <summary>Lists the images; nothing is decoded.</summary>
    /// <returns>Columns image, text, dataset type and label, sorted ordinally by class folder, then by path.</returns>
    public override IDataView Load(LongPhase phase, string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        var isArchive = TryFindArchive(path, out var archive, out var inner);
        if (!isArchive && !Directory.Exists(path))
        {
            if (RemoteFiles.IsMounted(path))
                throw new InvalidDataException($"{NearName.Quoted(path)} is a remote folder, whose files cannot be listed. Give an " +
                    "archive, .zip or .tar.");
            if (File.Exists(path))
                throw new InvalidDataException($"'{path}' is a file, but neither .zip nor .tar. " +
                    "Give a folder of class-name folders or such an archive; unpack others first.");
            throw new DirectoryNotFoundException($"There is no image folder '{path}'. {MissingPath.Describe(path)}");
        }
        var found = new ClassFolders(path);
        if (isArchive) ListArchive(ImageArchiveCache.Index(archive), inner, found);
        else ClassFolderWalk.List(path, found, phase);
        return Rows(phase.Channel, found, isArchive ? ImageLocator.Join(archive, inner) : path);
    }

    /// <summary>Whether macOS or its archivers added this name, so that it is not the user's data.</summary>
    public static bool IsMacMetadata(string name) =>
        name is "__MACOSX" or ".DS_Store" || name.StartsWith("._", StringComparison.Ordinal);

    /// <inheritdoc/>
    protected override LongPhase Start(IHostEnvironment environment) => new(environment, "LoadImageFolder", "files and folders");

    private TextRowsView Rows(IChannel channel, ClassFolders found, string root)
    {
        var images = found.Complete(channel);
        // One string per class and a few bytes per image: the path is put together when a row is read.
        var pool = new TextPool();
        var rests = new int[images.Count];
        var classes = new int[images.Count];
        var folders = new List<string>();
        for (var i = 0; i < rests.Length; i++)
        {
            if (folders.Count == 0 || folders[^1] != images[i].Class) folders.Add(images[i].Class);
            rests[i] = pool.Add(images[i].File);
            classes[i] = folders.Count - 1;
        }
        pool.Complete();
        var prefixes = folders.ConvertAll(f => root.Length == 0 || root[^1] is '/' or '\\' ? $"{root}{f}/" : $"{root}/{f}/");
        var names = folders.ConvertAll(found.ClassName)
            .ConvertAll(c => ClassNames is not null && ClassNames.TryGetValue(c, out var name) ? name : c);
        foreach (var merged in folders.Zip(names).GroupBy(p => p.Second, p => p.First).Where(g => g.Count() > 1))
            channel.Warning(MessageSensitivity.None, "{0}",
                $"'{root}': {NearName.List([.. merged])} become one class, because " +
                $"{(merged.All(f => found.ClassName(f) == merged.Key) ? "their name is" : "classNames calls them all")} '{merged.Key}'.");
        return new TextRowsView(
            rests.Length,
            (Columns.Image, i => prefixes[classes[i]] + pool.Text(rests[i])),
            (Columns.Text, i => names[classes[i]]),
            (Columns.DatasetType, _ => DatasetType),
            (Columns.Label, i => names[classes[i]]));
    }

    private static bool TryFindArchive(string path, out string archive, out string inner)
    {
        if (ImageLocator.TrySplit(path, out archive, out inner)) return true;
        archive = path;
        return ImageArchive.HasArchiveExtension(path) && (RemoteFiles.IsMounted(path) || File.Exists(path));
    }

    private static void ListArchive(ImageArchive archive, string inner, ClassFolders found)
    {
        var links = archive.Links.Where(l => Below(l.Target) is not null).Select(l => l.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var folder in archive.Folders)
            if (Below(folder) is { } path && !IsHidden(path)) found.AddClass(path.Split('/')[0]);
        foreach (var name in archive.EntryNames)
        {
            if (Below(name) is not { } path) continue;
            if (IsHidden(path)) found.Remark(ClassFolders.Hidden, path);
            else if (found.AddFile(path) && links.Contains(name)) found.Remark(ClassFolders.Repeated, path);
        }
        foreach (var (what, name) in archive.Remarks)
            if (Below(name) is { } path) found.Remark(what, path);

        // Null for what does not count
        string? Below(string name)
        {
            var prefix = inner.Length == 0 ? "" : inner + "/";
            if (!name.StartsWith(prefix, StringComparison.Ordinal) || name.Length == prefix.Length) return null;
            return name.Split('/').Any(IsMacMetadata) ? null : name[prefix.Length..];
        }

        static bool IsHidden(string path) => path.Split('/').Any(p => p.StartsWith('.'));
    }
}
