using System.Globalization;
using System.Runtime.InteropServices;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Tells the next rank that this one is alive, and ends the job when the previous rank is silent.</summary>
/// <remarks>
/// A time limit on operations could not tell a lost rank from one that is busy, for example with a validation. A rank that has left on
/// purpose is no loss until this one has waited for the others for a while: the rank that left will not take part. Beats are counted, not
/// seconds, so that a machine may be suspended together with the whole job.
/// </remarks>
internal sealed unsafe class Heartbeat
{
    private const int Tag = 0x7ead;
    private const int Interval = 250;   // milliseconds
    private const int MissedLimit = 32, AbandonedLimit = 16;   // intervals: 8 and 4 seconds
    private const byte Alive = 0, Left = 1;

    private readonly MpiLibrary _mpi;
    private readonly Lock _gate;
    private readonly int _rank, _next, _previous;
    private readonly Thread? _thread;
    private readonly byte* _sent, _received;
    private nint _send, _receive;
    private bool _isSending, _previousLeft;
    private int _missed, _abandoned;   // intervals in turn
    private volatile bool _isLeaving, _isStopped, _isWaiting;

    /// <param name="mpi">The library.</param>
    /// <param name="gate">Held during every call of it.</param>
    /// <param name="rank">This rank.</param>
    /// <param name="count">Ranks; a single one has no neighbor.</param>
    public Heartbeat(MpiLibrary mpi, Lock gate, int rank, int count)
    {
        (_mpi, _gate, _rank, _next, _previous) = (mpi, gate, rank, (rank + 1) % count, (rank + count - 1) % count);
        if (count == 1) return;
        _sent = (byte*)NativeMemory.AllocZeroed(2);   // for as long as the process: MPI may write to it up to its end
        _received = _sent + 1;
        lock (_gate) Receive();
        _thread = new Thread(Run) { IsBackground = true, Name = "MPI heartbeat" };
        _thread.Start();
    }

    /// <summary>Whether an operation is waited for.</summary>
    public bool IsWaiting => _isWaiting;

    /// <summary>Whether <see cref="Leave"/> was called.</summary>
    public bool IsLeaving => _isLeaving;

    /// <summary>From now on this rank waits for the others.</summary>
    public void BeginWaiting() => _isWaiting = true;

    /// <summary>This rank no longer waits.</summary>
    public void EndWaiting() => _isWaiting = false;

    /// <summary>Says that this rank takes part in nothing more.</summary>
    public void Leave() => _isLeaving = true;

    /// <summary>Stops for good, when all ranks have left.</summary>
    public void Stop()
    {
        if (_thread is null) return;
        _isStopped = true;
        _thread.Join();
        lock (_gate)
            fixed (nint* request = &_receive)
            {
                _ = _mpi.Cancel(request);
                while (!IsDone(ref _receive)) Thread.Yield();
            }
    }

    private void Run()
    {
        while (!_isStopped)
        {
            // Without the lock for long, the training thread hangs inside MPI.
            if (_gate.TryEnter(TimeSpan.FromMilliseconds(Interval)))
                try
                {
                    Beat();
                }
                finally
                {
                    _gate.Exit();
                }
            if (++_missed > MissedLimit)
                MpiGroup.Abort(_mpi, string.Create(CultureInfo.InvariantCulture,
                    $"Rank {_rank} has heard nothing from rank {_previous} for {MissedLimit * Interval / 1000} seconds: its machine, ") +
                    "its link or its process hangs. All ranks end; start the job again to resume from the last checkpoint.");
            _abandoned = _previousLeft && _isWaiting ? _abandoned + 1 : 0;
            if (_abandoned > AbandonedLimit)
                MpiGroup.Abort(_mpi, string.Create(CultureInfo.InvariantCulture,
                    $"Rank {_rank} waits for the other ranks, but rank {_previous} has left the group; see its messages. ") +
                    "All ranks end.");
            Thread.Sleep(Interval);
        }
    }

    private void Beat()
    {
        if (!_isSending || IsDone(ref _send))
        {
            *_sent = _isLeaving ? Left : Alive;
            fixed (nint* request = &_send)
                _ = _mpi.SendStart(_sent, 1, _mpi.Byte, _next, Tag, _mpi.World, request);
            _isSending = true;
        }
        while (IsDone(ref _receive))
        {
            _missed = 0;
            _previousLeft = *_received == Left;
            Receive();
        }
    }

    private void Receive()
    {
        fixed (nint* request = &_receive)
            _ = _mpi.ReceiveStart(_received, 1, _mpi.Byte, _previous, Tag, _mpi.World, request);
    }

    private bool IsDone(ref nint request)
    {
        int done;
        fixed (nint* pending = &request) _ = _mpi.Test(pending, &done, _mpi.IgnoredStatus);
        return done != 0;
    }
}
