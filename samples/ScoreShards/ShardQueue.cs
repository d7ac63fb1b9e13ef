using System.Globalization;
using System.Security.Cryptography;

namespace ScoreShards;

/// <summary>The shards of a run, which any number of processes write into one folder, each shard once.</summary>
/// <remarks>
/// A process takes a shard by locking a file, and the system releases the lock when the process ends, however it ends. A shard's file
/// appears in one move, complete and after its digest, and is never written again. The folder must support file locks.
/// </remarks>
internal sealed class ShardQueue
{
    private const int MaxAttempts = 3;   // of one process at one shard

    private readonly string _folder;
    private readonly int[] _failures;

    /// <param name="folder">Created if missing; shards that it already has are kept.</param>
    /// <param name="count">Number of shards.</param>
    /// <exception cref="ArgumentException">There are no shards, or the folder has another number of them.</exception>
    public ShardQueue(string folder, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        Directory.CreateDirectory(folder);
        (_folder, _failures) = (folder, new int[count]);
        var suffix = Path.GetFileName(PathOf(0))[^"-00000.tsv".Length..];
        if (Directory.EnumerateFiles(folder, "shard-*.tsv").FirstOrDefault(f => !f.EndsWith(suffix, StringComparison.Ordinal)) is { } other)
            throw new ArgumentException($"'{other}' belongs to another number of shards than {count}. Give its number or another folder.");
    }

    /// <summary>Scores shards until every shard has its file, whichever process writes it.</summary>
    /// <param name="score">Gives the lines of a shard; called with its index and the number of shards.</param>
    public void Work(Func<int, int, IEnumerable<string>> score)
    {
        var open = Enumerable.Range(0, _failures.Length);
        while ((open = [.. open.Where(shard => !File.Exists(PathOf(shard)))]).Any())
        {
            var scored = 0;
            foreach (var shard in open)
                if (TryScore(shard, score)) scored++;
            if (scored == 0) Thread.Sleep(TimeSpan.FromSeconds(1));   // others score the rest; if one is killed, its shard is free again
        }
    }

    private bool TryScore(int shard, Func<int, int, IEnumerable<string>> score)
    {
        var (path, claim) = (PathOf(shard), PathOf(shard) + ".lock");
        FileStream? taken = null;
        try
        {
            taken = new FileStream(claim, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose);
            if (File.Exists(path)) return false;
            Write(path, score(shard, _failures.Length));
            Console.WriteLine($"{Path.GetFileName(path)}");
            return true;
        }
        catch (IOException) when (taken is null && File.Exists(claim))
        {
            return false;   // another process has it
        }
        catch (Exception e) when (++_failures[shard] < MaxAttempts)   // also where a lock was gone again before it was looked for
        {
            Console.Error.WriteLine($"{Path.GetFileName(path)} is tried again: {e.Message}");
            return false;
        }
        finally
        {
            taken?.Dispose();
        }
    }

    private static void Write(string path, IEnumerable<string> lines)
    {
        var unfinished = path + ".unfinished";   // that of a killed process is overwritten
        using (var stream = File.Create(unfinished))
        {
            using var writer = new StreamWriter(stream);
            foreach (var line in lines) writer.Write(line + "\n");
            writer.Flush();
            stream.Flush(flushToDisk: true);
        }
        var digest = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(unfinished)));
        File.WriteAllText(path + ".sha256", $"{digest}  {Path.GetFileName(path)}\n");   // read by sha256sum -c
        File.Move(unfinished, path);
    }

    private string PathOf(int shard) => Path.Combine(_folder,
        string.Create(CultureInfo.InvariantCulture, $"shard-{shard:00000}-of-{_failures.Length:00000}.tsv"));
}
