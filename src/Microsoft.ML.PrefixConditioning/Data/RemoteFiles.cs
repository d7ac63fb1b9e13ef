namespace Microsoft.ML.PrefixConditioning;

/// <summary>Files on other machines, read through a delegate and kept in a folder of this machine.</summary>
/// <remarks>
/// <para>While an address is mounted, every source of this package and every image column accept addresses as they accept paths: shards,
/// archives, tables, image roots and single images. A file is downloaded whole when any part of it is first read. When the folder is full,
/// the least recently used files are deleted, and downloaded again when they are needed; <c>ShuffleWindow</c> keeps a run from needing all
/// shards at once.</para>
/// <para>A download that is cut off resumes where it ended. A failed request is retried for about ten minutes, with growing pauses; then
/// reading throws a <see cref="TimeoutException"/>: an outage never counts as a bad row. A delegate that has never succeeded is tried four
/// times.</para>
/// <para>The content of an address must not change. The length and hash of shards, archives and tables are kept; a file that differs when
/// it is downloaded again is an <see cref="InvalidOperationException"/>.</para>
/// <para>Several processes can share the folder. Addresses are not saved with models; each process mounts what it reads.</para>
/// </remarks>
/// <example>
/// <code>
/// using var http = new HttpClient();
/// using var files = RemoteFiles.Mount("https://data.example.com/cc12m/", async (address, offset, length, cancellation) =>
/// {
///     using var request = new HttpRequestMessage(HttpMethod.Get, address);
///     request.Headers.Range = new(offset, offset + length - 1);
///     var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
///     return await response.EnsureSuccessStatusCode().Content.ReadAsStreamAsync(cancellation);
/// }, cacheFolder: "cache");
/// IDataView captioned = mlContext.Data.LoadWebDataset("https://data.example.com/cc12m/{00000..01242}.tar");
/// </code>
/// </example>
public sealed class RemoteFiles : IDisposable
{
    private static readonly Lock Gate = new();
    private static RemoteFiles[] _mounted = [];   // replaced, never changed

    private readonly string _address;
    private readonly RemoteCache _cache;

    private RemoteFiles(string address, RemoteCache cache) => (_address, _cache) = (address, cache);

    /// <summary>Makes the files below an address readable in this process.</summary>
    /// <param name="address">What the addresses begin with, such as <c>https://data.example.com/cc12m/</c> or <c>s3://bucket/</c>: any
    /// scheme but file, and a slash at the end.</param>
    /// <param name="open">Opens bytes of a file. It receives the address, the position of the first byte, the number of bytes, and a
    /// token. It returns a stream of these bytes, or of those that the file has; none at the end of the file. It throws a
    /// <see cref="FileNotFoundException"/> for a file that does not exist. Status codes of an <see cref="HttpRequestException"/> mean what
    /// HTTP says: 404 is a missing file, 416 the end of the file, other codes from 400 to 499 are final. It is called by several threads at
    /// a time.</param>
    /// <param name="cacheFolder">Folder for downloaded files, created if it does not exist. Delete it to forget them.</param>
    /// <param name="maxCacheBytes">The most bytes of downloaded files, those that are not complete included. A file that is larger than
    /// all before it can exceed this while it is downloaded. Default 64 GiB.</param>
    /// <returns>Ends the mount when it is disposed; files stay in the folder.</returns>
    /// <exception cref="ArgumentException">The address has another form, or overlaps with one that is mounted.</exception>
    /// <exception cref="IOException">The folder cannot be made.</exception>
    public static RemoteFiles Mount(string address, Func<string, long, long, CancellationToken, ValueTask<Stream>> open,
        string cacheFolder, long maxCacheBytes = 64L << 30) =>
        Mount(address, new RemoteCache(open, cacheFolder, maxCacheBytes));

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (Gate) _mounted = [.. _mounted.Where(m => m != this)];
    }

    internal static RemoteFiles Mount(string address, RemoteCache cache)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(address);
        var end = ImageLocator.SchemeEnd(address);
        if (end < 0 || address.StartsWith("file:", StringComparison.OrdinalIgnoreCase) || !address.EndsWith('/')
            || address[(end + "://".Length)..] is "" or ['/', ..] || address.Contains('!', StringComparison.Ordinal) || !IsNormal(address))
            throw new ArgumentException($"{NearName.Quoted(address)} is no address to mount. Expected a scheme and a slash at the end, " +
                "such as https://data.example.com/cc12m/ or s3://bucket/.", nameof(address));
        lock (Gate)
        {
            var other = _mounted.FirstOrDefault(m => m.Has(address) || address.Length < m._address.Length
                && m._address.StartsWith(address, StringComparison.Ordinal));
            if (other is not null)
                throw new ArgumentException($"{NearName.Quoted(address)} overlaps with {NearName.Quoted(other._address)}, which is " +
                    "mounted. Dispose that first.", nameof(address));
            var mount = new RemoteFiles(address, cache);
            _mounted = [.. _mounted, mount];
            return mount;
        }
    }

    /// <summary>Whether a path is the address of a mounted file.</summary>
    internal static bool IsMounted(string path) => Find(path) is not null;

    /// <summary>Reads a file, which is downloaded first if its path is a mounted address and the cache does not have it.</summary>
    /// <param name="path">Any path.</param>
    /// <param name="read">Reads the file from the path that the system knows. It is called again if the file was deleted meanwhile, because
    /// the cache is full.</param>
    /// <param name="phase">Ends the download, if it is canceled; null for none.</param>
    /// <param name="cancellation">Ends the download too; what has arrived is kept.</param>
    /// <exception cref="FileNotFoundException">There is no such remote file.</exception>
    /// <exception cref="TimeoutException">The remote file could not be read for too long.</exception>
    /// <exception cref="InvalidOperationException">The delegate failed in another way, the folder cannot be written or is too small, or
    /// the content has changed.</exception>
    internal static T Read<T>(string path, Func<string, T> read, LongPhase? phase = null, CancellationToken cancellation = default) =>
        Find(path) is not { } mount ? read(path) : mount._cache.Read(Checked(path), read, phase, cancellation);

    /// <summary>The full path of a file; addresses stay as they are.</summary>
    internal static string FullPath(string path) => IsMounted(path) ? path : Path.GetFullPath(path);

    /// <summary>Length and hash of a mounted file, from which its content can be told; null for other paths. What is known is not
    /// downloaded again.</summary>
    /// <inheritdoc cref="Read"/>
    internal static string? State(string path, LongPhase? phase = null, CancellationToken cancellation = default) =>
        Find(path)?._cache.State(Checked(path), phase, cancellation);

    /// <summary>A local path for a file that is kept beside a file, under its name and an extension.</summary>
    internal static string Beside(string path, string extension) => (Find(path)?._cache.PathOf(path) ?? path) + extension;

    private static RemoteFiles? Find(string path)
    {
        foreach (var mount in _mounted)
            if (mount.Has(path)) return mount;
        return null;
    }

    private bool Has(string path) => path.StartsWith(_address, StringComparison.Ordinal);

    private static string Checked(string address) => IsNormal(address) ? address : throw new InvalidDataException(
        $"{NearName.Quoted(address)} has a part that leads elsewhere, such as '..'. Give the plain address.");

    private static bool IsNormal(string address) => !address.Contains('\\', StringComparison.Ordinal)
        && !address.Split('/').Any(part => Uri.UnescapeDataString(part) is "." or "..");
}
