using System.Security.Cryptography;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The files of one model in the cache that Hugging Face's tools share.</summary>
/// <remarks>
/// Layout: <c>models--owner--name/blobs/ETAG</c> has the content, <c>snapshots/COMMIT/FILE</c> is a link to it (a copy where links are not
/// possible), <c>refs/REVISION</c> has the commit. An unfinished download is <c>blobs/ETAG.incomplete</c>.
/// </remarks>
internal sealed class HubCache(HubSettings settings, HubModel model)
{
    private readonly string _root = Path.Combine(settings.Cache, $"models--{model.Owner}--{model.Name}");

    /// <summary>The folder with the files of a commit.</summary>
    public string Snapshot(string commit) => Path.Combine(_root, "snapshots", commit);

    /// <summary>Path of a blob.</summary>
    public string Blob(string etag) => Path.Combine(_root, "blobs", etag);

    /// <summary>The snapshot that the revision had last; null if it was never downloaded.</summary>
    public string? Known()
    {
        var commit = File.Exists(Ref) ? File.ReadAllText(Ref).Trim() : model.Revision;
        return RegularFile.IsName(commit) && Directory.Exists(Snapshot(commit)) ? Snapshot(commit) : null;
    }

    /// <summary>Notes the revision's commit, when all of its files are there.</summary>
    public void SetCommit(string commit)
    {
        if (commit == model.Revision) return;
        Directory.CreateDirectory(Path.GetDirectoryName(Ref)!);
        AtomicFile.Replace(Ref, stream => stream.Write(Encoding.ASCII.GetBytes(commit)));
    }

    /// <summary>Makes a blob a file of a snapshot.</summary>
    public void Link(string commit, string file, string etag)
    {
        var path = Path.Combine(Snapshot(commit), file);
        Directory.CreateDirectory(Snapshot(commit));
        if (File.Exists(path)) return;
        if (new FileInfo(path).LinkTarget is not null) File.Delete(path);   // its blob was deleted
        try
        {
            File.CreateSymbolicLink(path, Path.Combine("..", "..", "blobs", etag));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException && !File.Exists(path))
        {
            using var blob = File.OpenRead(Blob(etag));
            AtomicFile.Replace(path, blob.CopyTo);
        }
        catch (IOException)
        {
            // Another process was faster.
        }
    }

    /// <summary>Waits until nobody else writes a blob or a reference, and keeps others away until the result is disposed.</summary>
    public Task<IDisposable> Lock(string name, CancellationToken cancellation)
    {
        var path = Path.Combine(settings.Cache, ".locks", Path.GetFileName(_root), $"{name}.lock");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        Directory.CreateDirectory(Path.Combine(_root, "blobs"));
        return LockFile.Acquire(path, cancellation);
    }

    /// <summary>Whether a file has the content that its entity tag promises: SHA-256 of large files, git's SHA-1 of small ones. Other tags
    /// promise nothing.</summary>
    public static bool Fits(string path, string etag)
    {
        using var stream = File.OpenRead(path);
        if (etag.Length == 2 * SHA256.HashSizeInBytes && IsHex(etag))
            return Convert.ToHexString(SHA256.HashData(stream)).Equals(etag, StringComparison.OrdinalIgnoreCase);
        if (etag.Length != 2 * SHA1.HashSizeInBytes || !IsHex(etag)) return true;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);   // git's choice
        hash.AppendData(Encoding.ASCII.GetBytes($"blob {stream.Length}\0"));
        var buffer = new byte[1 << 16];
        for (var count = stream.Read(buffer); count > 0; count = stream.Read(buffer)) hash.AppendData(buffer, 0, count);
        return Convert.ToHexString(hash.GetHashAndReset()).Equals(etag, StringComparison.OrdinalIgnoreCase);
    }

    private string Ref => Path.Combine(_root, "refs", model.Revision);

    private static bool IsHex(string text) => text.All(char.IsAsciiHexDigit);
}
