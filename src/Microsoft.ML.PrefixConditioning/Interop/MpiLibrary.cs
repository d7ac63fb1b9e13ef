using System.Globalization;
using System.Runtime.InteropServices;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The functions and constants of the system's MPI library.</summary>
/// <remarks>
/// There are two binary interfaces. Open MPI's handles are addresses of exported variables; those of MPICH, Intel MPI and Microsoft MPI are
/// 32-bit integers. A native integer holds either. By default MPI ends the job on an error, so return values need no check.
/// </remarks>
internal sealed unsafe class MpiLibrary
{
    private const string OpenMpiMark = "ompi_mpi_comm_world";

    public readonly delegate* unmanaged<int*, byte***, int, int*, int> InitThread;
    public readonly delegate* unmanaged<nint, int*, int> CommRank, CommSize;
    public readonly delegate* unmanaged<nint, nint*, int> CommDuplicate;
    public readonly delegate* unmanaged<nint, int, int, nint, nint*, int> CommSplit;
    public readonly delegate* unmanaged<void*, int*, int*, nint, void*, int*, int*, nint, nint, nint*, int> ExchangeStart;
    public readonly delegate* unmanaged<void*, int, nint, void*, int*, int*, nint, nint, nint*, int> GatherStart;
    public readonly delegate* unmanaged<void*, int, nint, int, nint, nint*, int> BroadcastStart;
    public readonly delegate* unmanaged<nint, nint*, int> BarrierStart;
    public readonly delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int> SendStart, ReceiveStart;
    public readonly delegate* unmanaged<nint*, int*, nint, int> Test;
    public readonly delegate* unmanaged<nint*, int> Cancel;
    public readonly delegate* unmanaged<nint, int, int> Abort;
    public readonly delegate* unmanaged<int> Finish;
    public readonly nint World, Byte, NoInfo, InPlace, IgnoredStatus;
    public readonly int SharedMemory;

    private MpiLibrary(nint library)
    {
        nint Export(string name) => NativeLibrary.GetExport(library, name);
        InitThread = (delegate* unmanaged<int*, byte***, int, int*, int>)Export("MPI_Init_thread");
        CommRank = (delegate* unmanaged<nint, int*, int>)Export("MPI_Comm_rank");
        CommSize = (delegate* unmanaged<nint, int*, int>)Export("MPI_Comm_size");
        CommDuplicate = (delegate* unmanaged<nint, nint*, int>)Export("MPI_Comm_dup");
        CommSplit = (delegate* unmanaged<nint, int, int, nint, nint*, int>)Export("MPI_Comm_split_type");
        ExchangeStart = (delegate* unmanaged<void*, int*, int*, nint, void*, int*, int*, nint, nint, nint*, int>)Export("MPI_Ialltoallv");
        GatherStart = (delegate* unmanaged<void*, int, nint, void*, int*, int*, nint, nint, nint*, int>)Export("MPI_Iallgatherv");
        BroadcastStart = (delegate* unmanaged<void*, int, nint, int, nint, nint*, int>)Export("MPI_Ibcast");
        BarrierStart = (delegate* unmanaged<nint, nint*, int>)Export("MPI_Ibarrier");
        SendStart = (delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int>)Export("MPI_Isend");
        ReceiveStart = (delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int>)Export("MPI_Irecv");
        Test = (delegate* unmanaged<nint*, int*, nint, int>)Export("MPI_Test");
        Cancel = (delegate* unmanaged<nint*, int>)Export("MPI_Cancel");
        Abort = (delegate* unmanaged<nint, int, int>)Export("MPI_Abort");
        Finish = (delegate* unmanaged<int>)Export("MPI_Finalize");
        // mpi.h of Open MPI 4.1; of MPICH 4.0 and, by the agreement of the MPICH derivatives, of all since 3.1.
        (World, Byte, NoInfo, InPlace, IgnoredStatus, SharedMemory) =
            NativeLibrary.TryGetExport(library, OpenMpiMark, out var world)
                ? (world, Export("ompi_mpi_byte"), Export("ompi_mpi_info_null"), 1, 0, 0)
                : (0x44000000, 0x4c00010d, 0x1c000000, -1, 1, 1);
    }

    /// <summary>Loads the library that belongs to the launcher of this process; without a launcher, the first that is found.</summary>
    /// <exception cref="DllNotFoundException">There is none.</exception>
    public static MpiLibrary Load() => Load(Names(Environment.GetEnvironmentVariable));

    internal static MpiLibrary Load(IReadOnlyList<string> names)
    {
        foreach (var name in names)
            if (NativeLibrary.TryLoad(name, out var library)) return new MpiLibrary(library);
        throw new DllNotFoundException(
            $"MPI was not found; the system has none of {string.Join(", ", names)}. Install it on every machine of the group: on Debian " +
            "and Ubuntu the package openmpi-bin or mpich; on Red Hat and Fedora openmpi or mpich, and run 'module load mpi'; on Windows " +
            "Microsoft MPI (msmpisetup.exe). Then start the program with mpirun.");
    }

    /// <summary>Number of processes that the launcher started; null without a launcher.</summary>
    public static int? LaunchedCount(Func<string, string?> variable) =>
        int.TryParse(variable("OMPI_COMM_WORLD_SIZE") ?? variable("PMI_SIZE"), CultureInfo.InvariantCulture, out var count) ? count : null;

    /// <summary>The libraries to try, in order: where both are installed, the launcher decides.</summary>
    internal static string[] Names(Func<string, string?> variable)
    {
        if (OperatingSystem.IsWindows()) return ["msmpi.dll"];
        string[] open, mpich;
        (open, mpich) = OperatingSystem.IsMacOS()
            ? ((string[])["libmpi.40.dylib"], (string[])["libmpi.12.dylib"])
            : ((string[])["libmpi.so.40"], (string[])["libmpich.so.12", "libmpi.so.12"]);
        var isMpich = variable("OMPI_COMM_WORLD_SIZE") is null && variable("PMI_SIZE") is not null;
        return isMpich ? [.. mpich, .. open] : [.. open, .. mpich];
    }
}
