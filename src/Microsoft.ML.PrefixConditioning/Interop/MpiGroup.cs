using System.Globalization;
using System.Numerics.Tensors;
using Microsoft.Win32.SafeHandles;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The processes that an MPI launcher started.</summary>
/// <remarks>
/// Operations are started and then polled, so that no thread is ever inside MPI for long: one lock serves the training thread and
/// <see cref="Heartbeat"/>, which notices a lost neighbor whatever the ranks are busy with.
/// </remarks>
internal sealed unsafe class MpiGroup : ProcessGroup
{
    private const int SerializedThreads = 2;   // MPI_THREAD_SERIALIZED: any thread, one at a time

    private static int _started;

    private readonly MpiLibrary _mpi;
    private readonly Lock _gate = new();
    private readonly nint _last;   // a communicator for the end: the other ranks may still be training when one rank ends
    private readonly Heartbeat _heartbeat;
    private float[] _parts = [];   // of all ranks, to be added up

    private MpiGroup(MpiLibrary mpi)
    {
        _mpi = mpi;
        int rank, count, localRank;
        nint last = 0, machine = 0;
        _ = mpi.CommRank(mpi.World, &rank);
        _ = mpi.CommSize(mpi.World, &count);
        _ = mpi.CommDuplicate(mpi.World, &last);
        _ = mpi.CommSplit(mpi.World, mpi.SharedMemory, rank, mpi.NoInfo, &machine);
        _ = mpi.CommRank(machine, &localRank);
        (Rank, Count, LocalRank, _last) = (rank, count, localRank, last);
        _heartbeat = new Heartbeat(mpi, _gate, rank, count);
    }

    /// <inheritdoc/>
    public override int Rank { get; }

    /// <inheritdoc/>
    public override int Count { get; }

    /// <inheritdoc/>
    internal override int LocalRank { get; }

    /// <summary>Starts MPI.</summary>
    public static MpiGroup Start()
    {
        // UCX, which MPICH uses, takes over SIGSEGV as soon as it is loaded; .NET needs the signal to throw NullReferenceException.
        if (!OperatingSystem.IsWindows())
            fixed (byte* name = "UCX_ERROR_SIGNALS"u8, none = "\0"u8)
                _ = OpenMpWaiting.SetNativeVariable(name, none, overwrite: 0);
        var mpi = MpiLibrary.Load();
        if (Interlocked.Exchange(ref _started, 1) != 0)
            throw new InvalidOperationException("MPI starts once per process. Keep the group until all models are trained.");
        int provided;
        _ = mpi.InitThread(null, null, SerializedThreads, &provided);
        var group = new MpiGroup(mpi);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => group.End();
        if (provided < SerializedThreads)
            throw new InvalidOperationException("The installed MPI cannot be used from several threads. Install one that can, such as " +
                "the system's package.");
        if (MpiLibrary.LaunchedCount(Environment.GetEnvironmentVariable) is { } launched && launched != group.Count)
            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture,
                $"The launcher started {launched} processes, but MPI knows {group.Count}: mpirun and the library are of different ") +
                "MPIs. Use the mpirun of the installed library: with Debian's packages mpirun.openmpi or mpirun.mpich.");
        return group;
    }

    /// <remarks>
    /// Each rank receives a part of the piece from all others, adds it up in the order of the ranks, and sends the sums to all. So a rank
    /// sends and receives less than twice the piece, whatever the number of ranks, and all ranks add at the same time. Open MPI's own sum
    /// that can be polled goes up and down a tree (docs/decisions/0016).
    /// </remarks>
    private protected override void SumPiece(Span<float> values, Func<bool>? isUrgent)
    {
        var length = values.Length;
        var (first, own) = Part(length, Rank, Count);
        int[] parts = [.. Enumerable.Range(0, Count).Select(rank => Part(length, rank, Count).Count * sizeof(float))];   // bytes
        if (_parts.Length < own * Count) _parts = new float[own * Count];
        fixed (float* all = values, received = _parts)
        {
            Exchange(all, parts, received, [.. Enumerable.Repeat(parts[Rank], Count)], isUrgent);
            var sum = values.Slice(first, own);
            _parts.AsSpan(0, own).CopyTo(sum);
            for (var rank = 1; rank < Count; rank++) TensorPrimitives.Add(sum, _parts.AsSpan(rank * own, own), sum);
            Gather((void*)_mpi.InPlace, 0, all, parts, isUrgent);
        }
    }

    internal override void Gather(ReadOnlySpan<byte> own, Span<byte> all, int[] lengths)
    {
        fixed (byte* source = own, target = all) Gather(source, own.Length, target, lengths, isUrgent: null);
    }

    private void Gather(void* own, int ownLength, void* all, int[] lengths, Func<bool>? isUrgent)
    {
        fixed (int* length = lengths, place = Places(lengths))
        {
            nint request = 0;
            lock (_gate) _ = _mpi.GatherStart(own, ownLength, _mpi.Byte, all, length, place, _mpi.Byte, _mpi.World, &request);
            Complete(request, isUrgent);
        }
    }

    /// <summary>Gives a part to each rank, and receives one from each.</summary>
    private void Exchange(void* given, int[] givenLengths, void* received, int[] receivedLengths, Func<bool>? isUrgent)
    {
        fixed (int* givenLength = givenLengths, givenPlace = Places(givenLengths))
        fixed (int* receivedLength = receivedLengths, receivedPlace = Places(receivedLengths))
        {
            nint request = 0;
            lock (_gate)
                _ = _mpi.ExchangeStart(given, givenLength, givenPlace, _mpi.Byte, received, receivedLength, receivedPlace, _mpi.Byte,
                    _mpi.World, &request);
            Complete(request, isUrgent);
        }
    }

    private static int[] Places(int[] lengths)
    {
        var places = new int[lengths.Length];
        for (var rank = 1; rank < places.Length; rank++) places[rank] = places[rank - 1] + lengths[rank - 1];
        return places;
    }

    private protected override void BroadcastPiece(Span<byte> values)
    {
        fixed (byte* first = values)
        {
            nint request = 0;
            lock (_gate) _ = _mpi.BroadcastStart(first, values.Length, _mpi.Byte, 0, _mpi.World, &request);
            Complete(request, isUrgent: null);
        }
    }

    private void Complete(nint request, Func<bool>? isUrgent)
    {
        ObjectDisposedException.ThrowIf(_heartbeat.IsLeaving, this);
        _heartbeat.BeginWaiting();
        Poll(request, isUrgent);
        _heartbeat.EndWaiting();
    }

    /// <summary>Waits for an operation: at first as fast as it can, later or where it is not urgent without using up a core.</summary>
    private void Poll(nint request, Func<bool>? isUrgent = null)
    {
        const int QuickMilliseconds = 50;
        long? start = null;
        while (true)
        {
            int done;
            lock (_gate) _ = _mpi.Test(&request, &done, _mpi.IgnoredStatus);
            if (done != 0) return;
            if (isUrgent?.Invoke() != false) start ??= Environment.TickCount64;
            if (start is null || Environment.TickCount64 - start > QuickMilliseconds) Thread.Sleep(1);
            else Thread.Yield();
        }
    }

    /// <summary>Ends MPI with the process, once all ranks have come to this point.</summary>
    private void End()
    {
        if (_heartbeat.IsWaiting) Abort(_mpi, $"Rank {Rank} exits in the middle of training. All ranks end.");
        _heartbeat.Leave();
        WaitForAll();
        _heartbeat.Stop();
        WaitForAll();   // under MPICH, a heartbeat to a rank that has finished keeps the sender from finishing
        // MPICH over TCP at times waits without end for a rank that has finished before. All work is done by now.
        var finish = new Thread(() =>
        {
            lock (_gate) _ = _mpi.Finish();
        })
        { IsBackground = true };
        finish.Start();
        if (!finish.Join(TimeSpan.FromSeconds(5)))
            Write($"Rank {Rank} has finished, but MPI does not end. The process ends without it.");
    }

    private void WaitForAll()
    {
        nint request = 0;
        lock (_gate) _ = _mpi.BarrierStart(_last, &request);
        Poll(request);
    }

    /// <inheritdoc/>
    public override void Dispose() => _heartbeat.Leave();

    /// <summary>Ends the whole job.</summary>
    /// <param name="mpi">The library.</param>
    /// <param name="message">Why; written to the standard error stream.</param>
    public static void Abort(MpiLibrary mpi, string message)
    {
        // MPI itself may hang where a link is down.
        new Thread(() => { Thread.Sleep(TimeSpan.FromSeconds(2)); Environment.FailFast(message); }) { IsBackground = true }.Start();
        Write(message);
        Thread.Sleep(TimeSpan.FromSeconds(0.5));   // a launcher that is told to abort drops what it has not forwarded yet
        _ = mpi.Abort(mpi.World, 1);
    }

    /// <summary>Writes to the standard error stream, whoever holds a lock on the console.</summary>
    private static void Write(string message)
    {
        if (OperatingSystem.IsWindows()) return;
        using var error = new FileStream(new SafeFileHandle(2, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        error.Write(System.Text.Encoding.UTF8.GetBytes(message + "\n"));
    }
}
