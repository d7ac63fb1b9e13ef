namespace Microsoft.ML.PrefixConditioning;

/// <summary>Tells the garbage collector of native memory that an object holds, until this is disposed or collected. Otherwise objects that
/// nobody disposes wait for a collection that nothing else makes necessary.</summary>
internal sealed class MemoryPressure : IDisposable
{
    private long _bytes;

    /// <param name="bytes">0 or more.</param>
    public MemoryPressure(long bytes)
    {
        _bytes = bytes;
        if (bytes > 0) GC.AddMemoryPressure(bytes);
    }

    ~MemoryPressure() => Remove();

    /// <inheritdoc/>
    public void Dispose()
    {
        Remove();
        GC.SuppressFinalize(this);
    }

    private void Remove()
    {
        if (Interlocked.Exchange(ref _bytes, 0) is > 0 and var bytes) GC.RemoveMemoryPressure(bytes);
    }
}
