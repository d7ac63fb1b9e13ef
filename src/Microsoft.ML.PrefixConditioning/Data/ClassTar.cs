namespace Microsoft.ML.PrefixConditioning;

/// <summary>Lists a TAR archive that holds the images of one class. Its index is not kept: rows are ranges of bytes.</summary>
internal static class ClassTar
{
    /// <summary>Whether a file beside class folders is a class.</summary>
    /// <exception cref="InvalidDataException">It would be, if it were not compressed.</exception>
    public static bool IsClass(string path)
    {
        if (path.EndsWith(".tar.gz", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".tgz", StringComparison.OrdinalIgnoreCase))
            throw new InvalidDataException(ShardList.CompressedReason(path));
        return path.EndsWith(".tar", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Adds the images, under the class folder <c>FILE.tar!</c>.</summary>
    /// <param name="path">The archive.</param>
    /// <param name="found">Where to add them.</param>
    /// <exception cref="InvalidDataException">The archive is damaged.</exception>
    public static void List(string path, ClassFolders found)
    {
        var folder = found.AddArchive(Path.GetFileName(path));
        var headers = new ArchiveHeaders();
        try
        {
            using var stream = RegularFile.Open(path);
            TarFormat.ReadHeaders(stream, headers);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"'{path}' is not an uncompressed TAR archive, or it is damaged: {e.Message}", e);
        }
        headers.ResolveLinks();
        var links = headers.Links.Select(l => l.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var (name, place) in headers.Files)
        {
            if (name.Split('/') is var parts && parts.Any(ImageFolderSource.IsMacMetadata)) continue;
            if (parts.Any(p => p.StartsWith('.'))) found.Remark(ClassFolders.Hidden, $"{folder}/{name}");
            else if (found.AddFile($"{folder}/{name}", new ImageSlice("", name, place.Offset, place.Length).Place)
                && links.Contains(name)) found.Remark(ClassFolders.Repeated, $"{folder}/{name}");
        }
        foreach (var (what, name) in headers.Remarks) found.Remark(what, $"{folder}/{name}");
    }
}
