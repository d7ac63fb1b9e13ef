namespace Microsoft.ML.PrefixConditioning;

/// <summary>Explains why a path does not exist: which part of it is missing, and whether a similar name exists.</summary>
internal static class MissingPath
{
    // A search for near names must stay cheap when thousands of images are missing from one large folder.
    private const int MostEntriesSearched = 5000;

    /// <summary>One or two sentences about a path that does not exist.</summary>
    public static string Describe(string path)
    {
        var full = Path.GetFullPath(path);
        var missing = Path.TrimEndingDirectorySeparator(full);
        while (Path.GetDirectoryName(missing) is { } parent)
        {
            if (Directory.Exists(parent))
                return Describe(parent, Path.GetFileName(missing), Path.TrimEndingDirectorySeparator(full) == missing);
            if (File.Exists(parent)) return $"'{NearName.Visible(parent)}' is a file, not a folder.";
            missing = parent;
        }
        return $"'{NearName.Visible(full)}' does not exist.";
    }

    private static string Describe(string folder, string name, bool isLast)
    {
        var sentence = isLast
            ? $"The folder '{folder}' exists, but has no '{name}'."
            : $"The folder '{Path.Combine(folder, name)}' does not exist; '{folder}' does.";
        return NearName.Visible(sentence) + NearName.Variant(name, Entries(folder));
    }

    private static string[] Entries(string folder)
    {
        try
        {
            return [.. Directory.EnumerateFileSystemEntries(folder).Take(MostEntriesSearched).Select(e => Path.GetFileName(e))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];   // a folder that may not be listed; the first sentence still holds
        }
    }
}
