using System.Formats.Tar;
using System.IO.Compression;
using Microsoft.Win32.SafeHandles;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>An open ZIP or TAR archive with an index of its files. Safe to read from many threads.</summary>
internal abstract class ImageArchive : IDisposable
{
    // Above this size an entry's length is only believed as far as bytes arrive: it can be a lie.
    private const long TrustedEntryBytes = 1 << 24;

    private ImageArchive(string path) => ArchivePath = path;

    /// <summary>The archive's own path, as in messages.</summary>
    public string ArchivePath { get; }

    /// <summary>Files in the archive, with forward slashes; folders and links are left out.</summary>
    public abstract IReadOnlyCollection<string> EntryNames { get; }

    /// <summary>Whether a path ends like an archive that can be read.</summary>
    public static bool HasArchiveExtension(ReadOnlySpan<char> path) =>
        path.EndsWith(".zip", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".tar", StringComparison.OrdinalIgnoreCase);

    /// <summary>Opens an archive and reads its index.</summary>
    /// <exception cref="InvalidDataException">It is not a ZIP or TAR file, or it is damaged.</exception>
    public static ImageArchive Open(string path)
    {
        var isZip = path.EndsWith(".zip", StringComparison.OrdinalIgnoreCase);
        try
        {
            return isZip ? new Zip(path) : new Tar(path);
        }
        catch (Exception e) when (e is InvalidDataException or FormatException or EndOfStreamException or NotSupportedException
            or ArgumentException)
        {
            throw new InvalidDataException(
                $"'{path}' is not {(isZip ? "a ZIP" : "an uncompressed TAR")} archive, or it is damaged: {e.Message}", e);
        }
    }

    /// <summary>The bytes of one file.</summary>
    /// <param name="entry">Its name, with forward slashes.</param>
    /// <exception cref="FileNotFoundException">The archive has no such file.</exception>
    /// <exception cref="InvalidDataException">The entry is damaged, encrypted or packed in a way that cannot be read.</exception>
    public byte[] Read(string entry)
    {
        try
        {
            return TryRead(entry) ?? throw new FileNotFoundException(
                $"The archive '{ArchivePath}' has no '{entry}' among its {EntryNames.Count} files." +
                (EntryNames.FirstOrDefault(n => n.Equals(entry, StringComparison.OrdinalIgnoreCase)) is { } near
                    ? $" It has '{near}', which differs only in case." : ""), entry);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or NotSupportedException)
        {
            throw new InvalidDataException($"'{entry}' in the archive '{ArchivePath}' cannot be read: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>Null when there is no such entry.</summary>
    protected abstract byte[]? TryRead(string entry);

    /// <summary>Forward slashes only, without "./" and "x/../".</summary>
    public static string Normalize(string name)
    {
        name = name.Replace('\\', '/');
        var isNormal = !name.StartsWith('/') && !name.Contains("./", StringComparison.Ordinal)
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

    private static byte[] ReadFully(Stream stream, long length)
    {
        if (length > Array.MaxLength) throw new InvalidDataException($"it claims {length} bytes, too many for an image.");
        if (length <= TrustedEntryBytes)
        {
            var bytes = new byte[length];
            stream.ReadExactly(bytes);
            return bytes;
        }
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        if (memory.Length != length) throw new InvalidDataException($"it claims {length} bytes but has {memory.Length}.");
        return memory.ToArray();
    }

    private sealed class Zip : ImageArchive
    {
        private readonly ZipArchive _archive;
        private readonly Dictionary<string, ZipArchiveEntry> _entries = new(StringComparer.Ordinal);

        public Zip(string path) : base(path)
        {
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            try
            {
                _archive = new ZipArchive(stream, ZipArchiveMode.Read);
                foreach (var entry in _archive.Entries)
                    if (entry.Name.Length > 0 && !entry.FullName.EndsWith('\\')) _entries[Normalize(entry.FullName)] = entry;
            }
            catch
            {
                stream.Dispose();
                throw;
            }
        }

        public override IReadOnlyCollection<string> EntryNames => _entries.Keys;

        protected override byte[]? TryRead(string entry)
        {
            if (!_entries.TryGetValue(entry, out var found)) return null;
            // ZipArchive shares one stream position between its entries. Pictures are hardly compressed, so the lock is short;
            // decoding, the long part, happens outside.
            lock (_archive)
            {
                using var stream = found.Open();
                return ReadFully(stream, found.Length);
            }
        }

        public override void Dispose() => _archive.Dispose();
    }

    private sealed class Tar : ImageArchive
    {
        private readonly SafeFileHandle _file;
        private readonly Dictionary<string, (long Offset, long Length)> _entries = new(StringComparer.Ordinal);

        public Tar(string path) : base(path)
        {
            _file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, FileOptions.RandomAccess);
            try
            {
                using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
                using var reader = new TarReader(stream);
                while (reader.GetNextEntry() is { } entry)
                {
                    var name = Normalize(entry.Name);
                    if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile)
                        _entries[name] = (entry.DataOffset, entry.Length);
                    // tar writes the second name of a hard-linked file as a link to the first
                    else if (entry.EntryType is TarEntryType.HardLink && _entries.TryGetValue(Normalize(entry.LinkName), out var target))
                        _entries[name] = target;
                }
            }
            catch
            {
                _file.Dispose();
                throw;
            }
        }

        public override IReadOnlyCollection<string> EntryNames => _entries.Keys;

        protected override byte[]? TryRead(string entry)
        {
            if (!_entries.TryGetValue(entry, out var found)) return null;
            if (found.Length > Array.MaxLength || (found.Length > 0 && found.Offset + found.Length > RandomAccess.GetLength(_file)))
                throw new InvalidDataException($"it claims {found.Length} bytes, more than the archive holds.");
            var bytes = new byte[found.Length];
            for (var filled = 0; filled < bytes.Length;)
            {
                var read = RandomAccess.Read(_file, bytes.AsSpan(filled), found.Offset + filled);
                if (read == 0) throw new EndOfStreamException("the archive ends inside it.");
                filled += read;
            }
            return bytes;
        }

        public override void Dispose() => _file.Dispose();
    }
}
