using System.Globalization;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The checkpoints of a run: the last few, and the one after the best validation. One process at a time uses the folder.</summary>
/// <remarks>
/// A file's name has its step. A lock file is held open while the folder is in use; the lock of a killed process is free. A checkpoint is
/// written to a temporary file and moved into place, and older ones are deleted afterwards, so a killed process leaves whole ones.
/// </remarks>
internal sealed class CheckpointFolder : IDisposable
{
    private const string Prefix = "checkpoint-", Extension = ".safetensors";

    // What opening a file gives that another process holds: EWOULDBLOCK of Linux and macOS, ERROR_SHARING_VIOLATION.
    private static readonly int[] InUse = [11, 35, unchecked((int)0x80070020)];

    private readonly string _path;
    private readonly int _keep;
    private readonly FileStream _lock;
    private readonly List<int> _damaged = [];   // steps; deleted with the next whole checkpoint

    /// <param name="path">Created if it does not exist.</param>
    /// <param name="keep">Number of checkpoints to keep besides the best.</param>
    /// <exception cref="IOException">Another process uses the folder, or it cannot be created or written to.</exception>
    public CheckpointFolder(string path, int keep)
    {
        (_path, _keep) = (path, keep);
        var lockPath = Path.Combine(path, ".lock");
        try
        {
            Directory.CreateDirectory(path);
            _lock = new FileStream(lockPath, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose);
            _lock.SetLength(0);
            _lock.Write(Encoding.UTF8.GetBytes(string.Create(
                CultureInfo.InvariantCulture, $"process {Environment.ProcessId} on {Environment.MachineName}\n")));
            _lock.Flush();
            foreach (var rest in Directory.GetFiles(path, $"{Prefix}*.tmp-*")) File.Delete(rest);   // of killed processes: the lock is ours
        }
        catch (IOException e) when (_lock is null && InUse.Contains(e.HResult))
        {
            throw new IOException($"The checkpoint folder '{path}' is in use by another process, which its file '{lockPath}' names. Wait " +
                "until that process has ended, or set Checkpoints.Folder to another folder.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            _lock?.Dispose();
            throw new IOException($"The checkpoint folder '{path}' cannot be written to: {e.Message} Set Checkpoints.Folder to a " +
                "folder that can.", e);
        }
    }

    /// <summary>Path of the checkpoint after a step.</summary>
    public string PathOf(int step) => Path.Combine(_path, FileName(step));

    /// <summary>Name of the file in the folder.</summary>
    public static string FileName(int step) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{step:00000000}{Extension}");

    /// <summary>The newest checkpoint that is whole; null where there is none at all.</summary>
    /// <param name="fingerprint">Equal for runs that differ in their seed only.</param>
    /// <param name="totalSteps">Steps of the whole run.</param>
    /// <param name="inform">Told of the file that is read.</param>
    /// <param name="warn">Told of damaged checkpoints.</param>
    /// <param name="cancellation">Stops reading.</param>
    /// <exception cref="InvalidDataException">No checkpoint is whole, or they belong to a run with other options or data.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public Checkpoint? Newest(
        string fingerprint, int totalSteps, Action<string> inform, Action<string> warn, CancellationToken cancellation)
    {
        var faults = new List<InvalidDataException>();
        foreach (var step in Steps())
        {
            Checkpoint checkpoint;
            try
            {
                inform($"Reading the checkpoint '{PathOf(step)}', {new FileInfo(PathOf(step)).Length >> 20} MiB.");
                checkpoint = Checkpoint.Read(PathOf(step), totalSteps, cancellation);
            }
            catch (InvalidDataException e)
            {
                faults.Add(e);
                _damaged.Add(step);
                continue;
            }
            if (checkpoint.Fingerprint == fingerprint)
            {
                if (faults.Count > 0) warn($"{Told(faults)} The run goes on from '{PathOf(step)}'.");
                return checkpoint;
            }
            checkpoint.Dispose();
            throw new InvalidDataException(
                $"The checkpoint '{PathOf(step)}' belongs to a run with other options or other data. Images count by path, size and " +
                "time, or by their content with Checkpoints.HashImages. Set Checkpoints.Folder to an empty folder, or delete its files " +
                "to start anew.");
        }
        if (faults.Count == 0) return null;
        var them = faults.Count == 1 ? "it" : "one of them";
        throw new InvalidDataException(
            $"{Told(faults)} Restore {them} from a copy, or delete {(faults.Count == 1 ? "it" : "them")} to start anew.", faults[0]);
    }

    /// <summary>Writes a checkpoint and deletes those that are no longer kept.</summary>
    /// <param name="step">The step that it follows.</param>
    /// <param name="bestStep">The step after which validation was best.</param>
    /// <param name="write">Writes the file.</param>
    /// <exception cref="IOException">The file cannot be written; the ones before it are still whole.</exception>
    public void Write(int step, int? bestStep, Action<Stream> write)
    {
        var path = PathOf(step);
        try
        {
            AtomicFile.Replace(path, AtomicFile.Temporary(path), write);
            _damaged.Remove(step);
            int[] surplus = [.. Steps().Except(_damaged).Skip(_keep).Where(s => s != bestStep), .. _damaged];
            foreach (var old in surplus) File.Delete(PathOf(old));
            _damaged.Clear();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The checkpoint '{path}' cannot be written: {e.Message} Free space there, or set Checkpoints.Folder " +
                "to another folder.", e);
        }
    }

    /// <summary>The steps that have a file, the last first.</summary>
    private int[] Steps() =>
    [
        .. from file in Directory.GetFiles(_path, $"{Prefix}*{Extension}")
           let number = Path.GetFileNameWithoutExtension(file)[Prefix.Length..]
           let step = int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var parsed) ? parsed : -1
           where Path.GetFileName(file) == FileName(step)
           orderby step descending
           select step,
    ];

    private static string Told(List<InvalidDataException> faults) => string.Join(' ', faults.Select(f => f.Message));

    /// <summary>Frees the folder for other processes.</summary>
    public void Dispose() => _lock.Dispose();
}
