using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The index of a ZIP or TAR archive. It takes little memory and keeps no file open. Safe for use from many threads.</summary>
internal sealed class ImageArchive
{
    private const int MaxSearches = 20;   // a search for a similar name decodes every name; many rows may name missing files

    private readonly bool _isZip;
    private readonly byte[] _names;           // UTF-8, one after the other, in the order of their bytes
    private readonly int[] _nameEnds;
    private readonly ArchivePlace[] _places;
    private int _searches;

    private ImageArchive(string path, bool isZip, ArchiveHeaders headers)
    {
        (ArchivePath, _isZip, Folders, Links, Remarks) = (path, isZip, headers.Folders, headers.Links, headers.Remarks);
        var names = headers.Files.Keys.Select(Encoding.UTF8.GetBytes).ToArray();
        _places = [.. headers.Files.Values];
        Array.Sort(names, _places, Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b)));
        _names = new byte[names.Sum(n => n.Length)];
        _nameEnds = new int[names.Length];
        for (int i = 0, at = 0; i < names.Length; at = _nameEnds[i++])
        {
            names[i].CopyTo(_names, at);
            _nameEnds[i] = at + names[i].Length;
        }
    }

    /// <summary>The path of the archive, as messages name it.</summary>
    public string ArchivePath { get; }

    /// <summary>Files in the archive, with forward slashes, including links to files; sorted.</summary>
    public IEnumerable<string> EntryNames => Enumerable.Range(0, _places.Length).Select(i => Encoding.UTF8.GetString(Name(i)));

    /// <summary>Folders with an entry of their own.</summary>
    public IReadOnlyList<string> Folders { get; }

    /// <summary>The files that are links, with the file that each points to.</summary>
    public IReadOnlyList<(string Name, string Target)> Links { get; }

    /// <summary>Remarks about entries for the user: one of the constants of <see cref="ClassFolders"/>, and the name.</summary>
    public IReadOnlyList<(string What, string Name)> Remarks { get; }

    /// <summary>Whether a path has the extension of a supported archive.</summary>
    public static bool HasArchiveExtension(ReadOnlySpan<char> path) => HasZipExtension(path)
        || path.EndsWith(".tar", StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads the index of an archive.</summary>
    /// <exception cref="InvalidDataException">It is not a ZIP or TAR file, or it is damaged.</exception>
    public static ImageArchive ReadIndex(string path, FileStream stream)
    {
        var isZip = HasZipExtension(path);
        var headers = new ArchiveHeaders();
        try
        {
            if (isZip) ZipFormat.ReadHeaders(stream, headers);
            else TarFormat.ReadHeaders(stream, headers);
            headers.ResolveLinks();
            return new ImageArchive(path, isZip, headers);
        }
        catch (Exception e) when (e is InvalidDataException or FormatException or EndOfStreamException or NotSupportedException
            or ArgumentException or OverflowException)
        {
            throw new InvalidDataException(
                $"'{NearName.Visible(path)}' is not {(isZip ? "a ZIP" : "an uncompressed TAR")} archive, or it is damaged: {e.Message}", e);
        }
    }

    /// <summary>Reads the bytes of one file. Thread-safe.</summary>
    /// <param name="file">The open archive.</param>
    /// <param name="entry">The file's name, with forward slashes.</param>
    /// <param name="memory">Takes the bytes before they are read; null if nobody counts them.</param>
    /// <exception cref="FileNotFoundException">The archive has no such file.</exception>
    /// <exception cref="InvalidDataException">The entry is damaged, too large, encrypted or compressed with an unsupported
    /// method.</exception>
    public byte[] Read(SafeFileHandle file, string entry, MemoryShare? memory = null)
    {
        var index = IndexOf(entry);
        if (index < 0)
            throw new FileNotFoundException(
                $"The archive '{NearName.Visible(ArchivePath)}' has no '{NearName.Visible(entry)}' among its {_places.Length} files." +
                (Interlocked.Increment(ref _searches) <= MaxSearches ? NearName.Variant(entry, EntryNames) : ""), entry);
        try
        {
            var place = _places[index];
            var length = place.Method == 0 ? place.Length : (long)place.StoredLength + place.Length;   // both are in memory at once
            if (length > ImageLocator.MaxBytes)
                throw new InvalidDataException($"it takes {length} bytes to read; at most {ImageLocator.MaxBytes} are allowed.");
            memory?.Take(length);
            var cancellation = memory?.Cancellation ?? default;
            return _isZip ? ZipFormat.ReadFile(file, place, cancellation) : ReadBytes(file, place.Offset, place.Length, cancellation);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new InvalidDataException(
                $"'{NearName.Visible(entry)}' in the archive '{NearName.Visible(ArchivePath)}' cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Normalizes a name to forward slashes, without "./" and "x/../".</summary>
    public static string Normalize(string name)
    {
        name = name.Replace('\\', '/');
        var isNormal = !name.StartsWith('/') && !name.EndsWith('/') && !name.Contains("./", StringComparison.Ordinal)
            && !name.Contains("//", StringComparison.Ordinal);
        if (isNormal) return name;
        var parts = new List<string>();
        foreach (var part in name.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == ".." && parts.Count > 0) parts.RemoveAt(parts.Count - 1);
            else if (part is not ("." or "..")) parts.Add(part);
        }
        return string.Join('/', parts);
    }

    /// <summary>Reads bytes at a position of the archive.</summary>
    /// <exception cref="InvalidDataException">The archive is too short, or the data do not fit into an array.</exception>
    public static byte[] ReadBytes(SafeFileHandle file, long offset, int length, CancellationToken cancellation = default)
    {
        if (length > Array.MaxLength) throw new InvalidDataException("it has 2 GB or more, too many for an image.");
        if (offset < 0 || offset > RandomAccess.GetLength(file) - length)
            throw new InvalidDataException($"it claims {length} bytes, more than the archive holds.");
        var bytes = LargeArray.Allocate(length);
        return SmallFile.ReadPieces(file, offset, bytes, cancellation) == bytes.Length ? bytes
            : throw new EndOfStreamException("the archive ends inside it.");
    }

    private static bool HasZipExtension(ReadOnlySpan<char> path) => path.EndsWith(".zip", StringComparison.OrdinalIgnoreCase);

    private ReadOnlySpan<byte> Name(int index) => _names.AsSpan((index == 0 ? 0 : _nameEnds[index - 1]).._nameEnds[index]);

    /// <summary>Binary search; -1 if there is no such file.</summary>
    private int IndexOf(string entry)
    {
        var name = Encoding.UTF8.GetBytes(entry);
        for (int low = 0, high = _places.Length - 1; low <= high;)
        {
            var middle = low + (high - low) / 2;
            var order = Name(middle).SequenceCompareTo(name);
            if (order == 0) return middle;
            if (order < 0) low = middle + 1;
            else high = middle - 1;
        }
        return -1;
    }
}
