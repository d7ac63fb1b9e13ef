using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Decoded training images by row, within a fixed number of bytes. Thread-safe.</summary>
/// <remarks>
/// An image that no longer fits is not stored, and none is ever evicted: every row is used once per epoch, in random order, so a cache with
/// eviction would serve no more rows on average and do more work.
/// </remarks>
internal sealed class DecodedImageCache
{
    private readonly ConcurrentDictionary<int, RgbImage> _images = new();
    private readonly long _capacity;
    private long _used, _lookups, _hits;

    /// <summary>An empty cache.</summary>
    /// <param name="capacity">Upper limit of the images' memory in bytes; 0 keeps nothing.</param>
    public DecodedImageCache(long capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        _capacity = capacity;
    }

    /// <summary>Images held.</summary>
    public int Count => _images.Count;

    /// <summary>Bytes held.</summary>
    public long UsedBytes => Interlocked.Read(ref _used);

    /// <summary>Share of the lookups that found an image; 0 before the first.</summary>
    public double HitRate => Interlocked.Read(ref _hits) / (double)Math.Max(1, Interlocked.Read(ref _lookups));

    /// <summary>Finds the row's image.</summary>
    /// <returns>True if it is held.</returns>
    public bool TryGet(int row, [NotNullWhen(true)] out RgbImage? image)
    {
        Interlocked.Increment(ref _lookups);
        if (!_images.TryGetValue(row, out image)) return false;
        Interlocked.Increment(ref _hits);
        return true;
    }

    /// <summary>Keeps a row's image if it fits and none is held for the row.</summary>
    /// <returns>True if the image is now held.</returns>
    public bool TryAdd(int row, RgbImage image)
    {
        if (Interlocked.Add(ref _used, image.ByteSize) <= _capacity && _images.TryAdd(row, image)) return true;
        Interlocked.Add(ref _used, -image.ByteSize);
        return false;
    }
}
