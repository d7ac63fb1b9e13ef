namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A process group whose ranks are threads of this process.</summary>
internal sealed class ThreadGroup : ProcessGroup
{
    private static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(60);

    private readonly Meeting _meeting;

    private ThreadGroup(int rank, Meeting meeting) => (Rank, _meeting) = (rank, meeting);

    public override int Rank { get; }

    internal override int LocalRank => Rank;

    public override int Count => _meeting.Values.Length;

    /// <summary>Does the same work on every rank.</summary>
    /// <returns>What each rank gave, or how it failed.</returns>
    public static (T? Result, Exception? Fault)[] Run<T>(int count, Func<ProcessGroup, T> work)
    {
        var meeting = new Meeting(count);
        var results = new (T?, Exception?)[count];
        Thread[] threads = [.. Enumerable.Range(0, count).Select(rank => new Thread(() =>
        {
            try
            {
                results[rank] = (work(new ThreadGroup(rank, meeting)), null);
            }
            catch (Exception e)
            {
                results[rank] = (default, e);
            }
        }))];
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        return results;
    }

    internal override void Gather(ReadOnlySpan<byte> own, Span<byte> all, int[] lengths)
    {
        var first = 0;
        foreach (var values in Exchange<byte>(own))
        {
            Assert.AreEqual(lengths[Array.IndexOf(_meeting.Values, values)], values.Length);
            values.CopyTo(all[first..]);
            first += values.Length;
        }
        Assert.AreEqual(all.Length, first);
        Meet();
    }

    private protected override void SumPiece(Span<float> values, Func<bool>? isUrgent)
    {
        var all = Exchange<float>(values);
        values.Clear();
        foreach (var other in all)
            for (var i = 0; i < values.Length; i++) values[i] += other[i];
        Meet();
    }

    private protected override void BroadcastPiece(Span<byte> values)
    {
        Exchange<byte>(values)[0].CopyTo(values);
        Meet();
    }

    public override void Dispose()
    {
    }

    private T[][] Exchange<T>(ReadOnlySpan<T> own)
    {
        _meeting.Values[Rank] = own.ToArray();
        Meet();
        return [.. _meeting.Values.Select(v => (T[])v)];
    }

    private void Meet() => Assert.IsTrue(_meeting.Barrier.SignalAndWait(TimeLimit), $"Rank {Rank} waits for a rank that does not come.");

    private sealed class Meeting(int count)
    {
        public Array[] Values { get; } = new Array[count];

        public Barrier Barrier { get; } = new(count);
    }
}
