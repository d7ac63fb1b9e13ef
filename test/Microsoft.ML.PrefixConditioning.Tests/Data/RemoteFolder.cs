using System.Collections.Concurrent;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A folder that is mounted as if it were on another machine, which can misbehave.</summary>
internal sealed class RemoteFolder : IDisposable
{
    private readonly string _folder;
    private readonly RemoteFiles _files;

    public RemoteFolder(string folder, string cacheFolder, long maxCacheBytes = 1 << 30)
    {
        (_folder, CacheFolder) = (folder, cacheFolder);
        _files = Mount(maxCacheBytes);
    }

    /// <summary>An address that no other test mounts.</summary>
    public string Address { get; } = $"test://{Guid.NewGuid():N}/";

    public string CacheFolder { get; }

    /// <summary>What was asked for: names and positions.</summary>
    public ConcurrentQueue<(string Name, long Offset)> Requests { get; } = [];

    /// <summary>Gives another answer than a good server, to the request of a number from 1 on; null for that one.</summary>
    public Func<int, string, long, Stream?> Instead { get; set; } = (_, _, _) => null;

    /// <summary>Names of the complete files in the cache.</summary>
    public string[] Cached => [.. Directory.GetFiles(CacheFolder).Select(f => Path.GetFileName(f))
        .Where(n => Path.GetExtension(n) is not (".lock" or ".state" or ".index" or ".incomplete")).Select(n => n[33..]).Order()];

    /// <summary>Another process, which shares the cache.</summary>
    public RemoteCache Cache(long maxCacheBytes = 1 << 30) =>
        new((address, offset, length, _) => ValueTask.FromResult(Open(address, offset, length)), CacheFolder, maxCacheBytes)
        {
            FirstPause = TimeSpan.Zero,
        };

    public RemoteFiles Mount(long maxCacheBytes = 1 << 30) => RemoteFiles.Mount(Address, Cache(maxCacheBytes));

    public void Dispose() => _files.Dispose();

    private Stream Open(string address, long offset, long length)
    {
        var name = address[Address.Length..];
        int number;
        lock (Requests)
        {
            Requests.Enqueue((name, offset));
            number = Requests.Count;
        }
        if (Instead(number, name, offset) is { } other) return other;
        var path = Path.Join(_folder, name);
        if (!File.Exists(path)) throw new FileNotFoundException($"The bucket has no '{name}'.", name);
        var bytes = File.ReadAllBytes(path);
        return new MemoryStream(bytes[(int)Math.Min(offset, bytes.Length)..(int)Math.Min(offset + length, bytes.Length)]);
    }
}
