using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A loop on all cores whose caller waits only for work that has started, never for a thread of the pool.</summary>
/// <remarks>
/// <see cref="Parallel"/> also waits for helpers that the pool has not even started. In a server whose pool is exhausted, for instance by
/// requests that wait for this loop, that can take very long or forever. A tower runs many short loops one after the other, and waking a
/// thread takes as long as a short loop: threads look out for the next loop for a moment before they sleep.
/// </remarks>
internal sealed class ParallelLoop
{
    /// <summary>Multiplications from which on several cores are faster than one: about 20 microseconds of work, what it takes to share
    /// it.</summary>
    public const long WorthSharing = 2_000_000;

    private static readonly long LookoutTicks = Stopwatch.Frequency / 20_000;   // 50 microseconds

    private static volatile ParallelLoop? _newest;
    private static int _lookouts;   // threads that look out for a loop

    private readonly int _count;
    private readonly Action<int> _body;
    private readonly CancellationToken _cancellation;
    private readonly object _gate = new();
    private ExceptionDispatchInfo? _fault;
    private int _next, _left;

    private ParallelLoop(int count, Action<int> body, CancellationToken cancellation) =>
        (_count, _left, _body, _cancellation) = (count, count, body, cancellation);

    /// <summary>Calls the body once for every index from 0, in any order.</summary>
    /// <param name="count">Number of indexes.</param>
    /// <param name="body">Must be thread-safe. After a fault, the remaining indexes are skipped and the first fault is thrown.</param>
    /// <param name="cancellation">Skips the remaining indexes.</param>
    /// <exception cref="OperationCanceledException">The token was canceled before the last index had started.</exception>
    public static void Run(int count, Action<int> body, CancellationToken cancellation = default)
    {
        if (count == 0) return;
        var loop = new ParallelLoop(count, body, cancellation);
        if (count > 1)
        {
            _newest = loop;
            for (var helper = 1 + Volatile.Read(ref _lookouts); helper < Math.Min(count, Environment.ProcessorCount); helper++)
                ThreadPool.UnsafeQueueUserWorkItem(static l => l.Help(), loop, preferLocal: false);
        }
        loop.Work();
        loop.WaitForHelpers();
        Interlocked.CompareExchange(ref _newest, null, loop);
        loop._fault?.Throw();
    }

    private void Work()
    {
        while (true)
        {
            var index = Interlocked.Increment(ref _next) - 1;
            if (index >= _count) return;
            try
            {
                if (_fault is null)
                {
                    _cancellation.ThrowIfCancellationRequested();
                    _body(index);
                }
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref _fault, ExceptionDispatchInfo.Capture(e), null);
            }
            if (Interlocked.Decrement(ref _left) > 0) continue;
            lock (_gate) Monitor.PulseAll(_gate);
        }
    }

    private void Help()
    {
        Work();
        Interlocked.Increment(ref _lookouts);
        for (var start = Stopwatch.GetTimestamp(); Stopwatch.GetTimestamp() - start < LookoutTicks; Thread.SpinWait(10))
        {
            if (_newest is not { } loop || Volatile.Read(ref loop._next) >= loop._count) continue;
            Interlocked.Decrement(ref _lookouts);
            loop.Work();
            Interlocked.Increment(ref _lookouts);
            start = Stopwatch.GetTimestamp();
        }
        Interlocked.Decrement(ref _lookouts);
    }

    private void WaitForHelpers()
    {
        for (var start = Stopwatch.GetTimestamp(); Stopwatch.GetTimestamp() - start < LookoutTicks; Thread.SpinWait(10))
            if (Volatile.Read(ref _left) <= 0) return;
        lock (_gate)
            while (Volatile.Read(ref _left) > 0) Monitor.Wait(_gate);
    }
}
