using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Keeps the scan of each shard in a small file, so that the next load does not read the shard.</summary>
/// <remarks>Content of the envelope: text of the state | what <see cref="WebDatasetShard.Write"/> writes.</remarks>
internal static class WebDatasetIndex
{
    /// <summary>Extension of the files.</summary>
    public const string Extension = ".index";

    private static readonly Envelope Format = new("WDINDEX", 1, "index of a shard");

    /// <summary>The samples of a shard: from its index, or if that is missing, outdated or damaged, from a scan.</summary>
    /// <param name="path">The shard.</param>
    /// <param name="folder">Folder of the index; null for that of the shard.</param>
    /// <param name="members">What to read of each sample.</param>
    /// <param name="phase">Counts the files that are scanned.</param>
    /// <returns>The shard, and why its index cannot be written; null if there is one.</returns>
    public static (WebDatasetShard Shard, string? Unwritten) Open(
        string path, string? folder, WebDatasetMembers members, LongPhase phase)
    {
        phase.Advance();
        // Before the scan: a shard that is changed meanwhile is scanned again next time
        var state = $"{RemoteFiles.State(path, phase) ?? StateOf(new FileInfo(path))} {members}";
        var index = folder is null ? RemoteFiles.Beside(path, Extension) : Path.Join(folder, Name(path));
        if (Read(index, path, members, state) is { } known) return (known, null);
        var shard = WebDatasetShard.Scan(path, members, phase);
        try
        {
            if (folder is not null) Directory.CreateDirectory(folder);
            AtomicFile.Replace(index, stream => Format.Write(stream, shard.Count, writer =>
            {
                writer.Write(state);
                shard.Write(writer);
            }));
            return (shard, null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (shard, e.Message);
        }
    }

    /// <summary>Shards of the same name in different folders have different indexes.</summary>
    private static string Name(string path) => Path.GetFileName(path) +
        $"-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(RemoteFiles.FullPath(path))))[..16]}{Extension}";

    private static string StateOf(FileInfo file) =>
        string.Create(CultureInfo.InvariantCulture, $"{file.Length} {file.LastWriteTimeUtc.Ticks}");

    private static WebDatasetShard? Read(string index, string path, WebDatasetMembers members, string state)
    {
        if (!File.Exists(index)) return null;
        try
        {
            using var stream = File.OpenRead(index);
            return Format.Read(stream, (count, reader) =>
            {
                if (reader.ReadString() == state) return WebDatasetShard.Read(path, members, count, reader);
                reader.BaseStream.Position = reader.BaseStream.Length;
                return null;
            });
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
