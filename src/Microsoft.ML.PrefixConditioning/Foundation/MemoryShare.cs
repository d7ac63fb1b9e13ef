namespace Microsoft.ML.PrefixConditioning;

/// <summary>The memory that one image takes while it is read, decoded and preprocessed. All threads share one budget.</summary>
/// <remarks>
/// A thread whose image does not fit into the rest of the budget waits until others are done. The oldest image never waits, so that one
/// image larger than the budget is possible and no two threads wait for each other. A thread must not hold two shares.
/// </remarks>
internal sealed class MemoryShare(CancellationToken cancellation = default) : IDisposable
{
    private const long Budget = 256L << 20;

    private static readonly object Gate = new();
    private static readonly LinkedList<MemoryShare> Holders = new();   // the oldest first
    private static long _taken;

    private LinkedListNode<MemoryShare>? _place;   // null before the first bytes are taken
    private long _own;

    /// <summary>Ends the reading of the image between two pieces.</summary>
    public CancellationToken Cancellation => cancellation;

    /// <summary>Bytes that are taken now.</summary>
    internal static long Taken
    {
        get { lock (Gate) return _taken; }
    }

    /// <summary>Waits until there is room for more bytes and takes them.</summary>
    public void Take(long bytes)
    {
        lock (Gate)
        {
            _place ??= Holders.AddLast(this);
            while (_taken + bytes > Budget && Holders.First != _place) Monitor.Wait(Gate);
            (_own, _taken) = (_own + bytes, _taken + bytes);
        }
    }

    /// <summary>Gives back all bytes but these, which it holds.</summary>
    public void Keep(long bytes)
    {
        lock (Gate)
        {
            (_own, _taken) = (bytes, _taken - _own + bytes);
            Monitor.PulseAll(Gate);
        }
    }

    /// <summary>Gives back all bytes.</summary>
    public void Dispose()
    {
        lock (Gate)
        {
            if (_place is not null) Holders.Remove(_place);
            _place = null;
            (_own, _taken) = (0, _taken - _own);
            Monitor.PulseAll(Gate);
        }
    }
}
