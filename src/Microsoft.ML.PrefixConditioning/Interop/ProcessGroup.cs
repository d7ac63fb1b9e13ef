using System.Runtime.InteropServices;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The processes that train one model together. Each prepares and encodes its own part of every batch.</summary>
/// <remarks>
/// Set <see cref="PrefixClipOptions.ProcessGroup"/> on all ranks and call <c>Fit</c> on all of them with the same rows and options. A group
/// serves one call of <c>Fit</c> at a time.
/// </remarks>
public abstract class ProcessGroup : IDisposable
{
    private const int PieceBytes = 4 << 20;   // one sum of a whole model is many times slower than its pieces in shared memory

    internal ProcessGroup()
    {
    }

    /// <summary>Joins the group of the processes that <c>mpirun</c> started. Without <c>mpirun</c>, a group of one process.</summary>
    /// <remarks>
    /// Uses the system's Open MPI or MPICH, on Windows Microsoft MPI. MPI starts once per process and ends with it. If a rank is killed or
    /// hears nothing from its neighbor for 8 seconds, all ranks end, with a message on the standard error stream.
    /// </remarks>
    /// <exception cref="DllNotFoundException">MPI is not installed; the message names the packages.</exception>
    /// <exception cref="InvalidOperationException">The process called this before; or the installed MPI is not that of the
    /// <c>mpirun</c> which started the process, or cannot be used from several threads.</exception>
    public static ProcessGroup Mpi() => MpiGroup.Start();

    /// <summary>Number of this process, from 0. Rank 0 reports progress and reads and writes checkpoints.</summary>
    public abstract int Rank { get; }

    /// <summary>Number of processes.</summary>
    public abstract int Count { get; }

    /// <summary>Number of this process among those on the same machine, from 0.</summary>
    internal abstract int LocalRank { get; }

    /// <summary>A rank's share of something that is divided among ranks: contiguous, and as large as the others' or one more.</summary>
    /// <param name="length">What is divided.</param>
    /// <param name="rank">The rank.</param>
    /// <param name="ranks">Number of ranks.</param>
    internal static (int First, int Count) Part(int length, int rank, int ranks)
    {
        var first = (int)((long)length * rank / ranks);
        return (first, (int)((long)length * (rank + 1) / ranks) - first);
    }

    /// <summary>Adds up the values of all ranks, in place. The sums have the same bits on every rank.</summary>
    /// <param name="values">This rank's values.</param>
    /// <param name="isUrgent">Whether to wait with a core's full attention, asked again and again; otherwise the core is left to other
    /// threads. Null for always.</param>
    internal void Sum(Span<float> values, Func<bool>? isUrgent = null)
    {
        const int PieceLength = PieceBytes / sizeof(float);
        for (var first = 0; first < values.Length; first += PieceLength)
            SumPiece(values.Slice(first, Math.Min(PieceLength, values.Length - first)), isUrgent);
    }

    /// <summary>Copies rank 0's values to all ranks.</summary>
    internal void Broadcast(Span<byte> values)
    {
        for (var first = 0; first < values.Length; first += PieceBytes)
            BroadcastPiece(values.Slice(first, Math.Min(PieceBytes, values.Length - first)));
    }

    /// <summary>A text from each rank, given to every rank. An exchange of empty texts costs four bytes per rank.</summary>
    internal string[] Exchange(string own)
    {
        var bytes = Encoding.UTF8.GetBytes(own);
        var sizes = new byte[Count * sizeof(int)];
        Gather(BitConverter.GetBytes(bytes.Length), sizes, [.. Enumerable.Repeat(sizeof(int), Count)]);
        int[] lengths = [.. MemoryMarshal.Cast<byte, int>(sizes)];
        var all = new byte[lengths.Sum()];
        if (all.Length > 0) Gather(bytes, all, lengths);
        var texts = new string[Count];
        for (int rank = 0, first = 0; rank < Count; first += lengths[rank++])
            texts[rank] = Encoding.UTF8.GetString(all, first, lengths[rank]);
        return texts;
    }

    /// <summary>Collects bytes of all ranks, in the order of the ranks.</summary>
    /// <param name="own">This rank's.</param>
    /// <param name="all">Receives everything.</param>
    /// <param name="lengths">Bytes from each rank.</param>
    internal abstract void Gather(ReadOnlySpan<byte> own, Span<byte> all, int[] lengths);

    /// <summary><see cref="Sum"/> of at most 4 MB.</summary>
    private protected abstract void SumPiece(Span<float> values, Func<bool>? isUrgent);

    /// <summary><see cref="Broadcast"/> of at most 4 MB.</summary>
    private protected abstract void BroadcastPiece(Span<byte> values);

    /// <summary>Leaves the group. The other ranks go on until they need this one.</summary>
    public abstract void Dispose();
}
