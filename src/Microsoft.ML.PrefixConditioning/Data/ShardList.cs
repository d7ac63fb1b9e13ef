using System.Globalization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Expands the short form of many files: <c>{00000..00012}.tar</c>, <c>{train,val}.tar</c>, <c>*.tar</c>, joined by
/// <c>::</c>.</summary>
internal static class ShardList
{
    private const int MostFiles = 100_000;

    /// <summary>The files in order; those of a wildcard are sorted ordinally.</summary>
    /// <param name="shards">The short form.</param>
    /// <param name="wildcard">What a message suggests for the files of a folder.</param>
    /// <exception cref="ArgumentException">It names a command, a web address or compressed files, or its braces are damaged.</exception>
    /// <exception cref="FileNotFoundException">A file is missing, or a wildcard matches none.</exception>
    public static string[] Expand(string shards, string wildcard = "*.tar")
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(shards);
        var files = new List<string>();
        foreach (var part in shards.Split("::", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (part.StartsWith("pipe:", StringComparison.OrdinalIgnoreCase))
                throw new ArgumentException($"{NearName.Quoted(part)} would run a shell command, which this package never does. " +
                    "Store the shards as files.", nameof(shards));
            if (ImageLocator.RemoteReason(part) is not null)
                throw new ArgumentException($"{NearName.Quoted(part)} is a web address. Download the shards and name the files, or mount " +
                    "the address with RemoteFiles.", nameof(shards));
            foreach (var pattern in Braces(part))
            {
                files.AddRange(Files(pattern, wildcard));
                if (files.Count > MostFiles)
                    throw new ArgumentException($"{NearName.Quoted(part)} names more than {MostFiles} files.", nameof(shards));
            }
        }
        return files.Count > 0 ? [.. files] : throw new ArgumentException($"{NearName.Quoted(shards)} names no file.", nameof(shards));
    }

    /// <summary>Why a file cannot be read and what to do, if it is compressed; otherwise null.</summary>
    public static string? CompressedReason(string path)
    {
        var isTgz = path.EndsWith(".tgz", StringComparison.OrdinalIgnoreCase);
        return !isTgz && !path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? null
            : $"{NearName.Quoted(path)} is compressed, so that no image can be read alone. Unpack it once: " +
                $"gunzip --keep {(isTgz ? "--suffix=.tgz " : "")}FILE.";
    }

    private static IEnumerable<string> Braces(string pattern)
    {
        var start = pattern.IndexOf('{');
        if (start < 0) return [pattern];
        var end = pattern.IndexOf('}', start);
        if (end < 0)
            throw new ArgumentException($"{NearName.Quoted(pattern)} has an opening brace without a closing one.", nameof(pattern));
        return Choices(pattern, pattern[(start + 1)..end])
            .SelectMany(choice => Braces(pattern[(end + 1)..]).Select(rest => pattern[..start] + choice + rest));
    }

    private static IEnumerable<string> Choices(string pattern, string content)
    {
        var ends = content.Split("..");
        if (ends.Length == 1 && content.Contains(',', StringComparison.Ordinal)) return content.Split(',');
        if (ends.Length != 2 || !int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            || !int.TryParse(ends[1], NumberStyles.None, CultureInfo.InvariantCulture, out var last) || last < first)
            throw new ArgumentException($"{NearName.Quoted(pattern)}: '{{{NearName.Visible(content)}}}' is neither a range such as " +
                "{0000..0012} nor a list such as {train,val}.", nameof(pattern));
        var width = ends[0].StartsWith('0') || ends[1].StartsWith('0') ? Math.Max(ends[0].Length, ends[1].Length) : 1;
        return Numbers();

        IEnumerable<string> Numbers()
        {
            for (long i = first; i <= last; i++) yield return i.ToString($"D{width}", CultureInfo.InvariantCulture);
        }
    }

    private static string[] Files(string pattern, string wildcard)
    {
        if (RemoteFiles.IsMounted(pattern))
        {
            if (pattern.AsSpan().ContainsAny('*', '?'))
                throw new ArgumentException($"{NearName.Quoted(pattern)} is a web address, whose files cannot be listed. Give a " +
                    "range such as {00000..01242}.tar.", nameof(pattern));
            return CompressedReason(pattern) is { } remote ? throw new ArgumentException(remote, nameof(pattern)) : [pattern];
        }
        var (folder, name) = (Path.GetDirectoryName(pattern) ?? "", Path.GetFileName(pattern));
        if (name.AsSpan().ContainsAny('*', '?') && !folder.AsSpan().ContainsAny('*', '?'))
        {
            var found = Directory.Exists(folder.Length == 0 ? "." : folder)
                ? Directory.GetFiles(folder.Length == 0 ? "." : folder, name) : [];
            found = [.. found.Where(f => !f.EndsWith(WebDatasetIndex.Extension, StringComparison.Ordinal))];
            if (found.Length == 0)
                throw new FileNotFoundException($"No file matches {NearName.Quoted(pattern)}. " +
                    (folder.Length == 0 || Directory.Exists(folder) ? "" : MissingPath.Describe(folder)), pattern);
            Array.Sort(found, StringComparer.Ordinal);
            return folder.Length == 0 ? [.. found.Select(f => Path.GetFileName(f)!)] : found;
        }
        if (CompressedReason(pattern) is { } reason) throw new ArgumentException(reason, nameof(pattern));
        return File.Exists(pattern) ? [pattern] : throw new FileNotFoundException(Directory.Exists(pattern)
            ? $"{NearName.Quoted(pattern)} is a folder. Name its files, such as {NearName.Quoted(Path.Join(pattern, wildcard))}."
            : $"There is no file {NearName.Quoted(pattern)}. {MissingPath.Describe(pattern)}", pattern);
    }
}
