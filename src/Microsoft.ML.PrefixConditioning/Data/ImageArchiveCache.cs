namespace Microsoft.ML.PrefixConditioning;

/// <summary>Keeps the archives that were read last open, because reading an index again for every image would be far too slow.</summary>
/// <remarks>An archive that changed (its length or time of writing) is opened anew. Thread-safe.</remarks>
internal static class ImageArchiveCache
{
    /// <summary>Open archives that are kept; more are open only while they are being read.</summary>
    internal const int Capacity = 8;

    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, Slot> Slots = new(StringComparer.Ordinal);
    private static long _clock;

    /// <summary>Runs a read on the open archive of a path.</summary>
    /// <exception cref="FileNotFoundException">There is no such archive.</exception>
    public static T Use<T>(string path, Func<ImageArchive, T> read)
    {
        var slot = Rent(path);
        try
        {
            return read(slot.Archive.Value);
        }
        finally
        {
            Return(slot);
        }
    }

    /// <summary>Closes every archive that is not being read.</summary>
    public static void Clear()
    {
        lock (Gate)
            foreach (var slot in Slots.Values.ToArray()) Retire(slot);
    }

    /// <summary>Archives that are kept at the moment.</summary>
    internal static int Count
    {
        get { lock (Gate) return Slots.Count; }
    }

    private static Slot Rent(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists) throw new FileNotFoundException($"There is no archive '{path}'. {MissingPath.Describe(path)}", path);
        lock (Gate)
        {
            if (Slots.TryGetValue(file.FullName, out var slot) && (slot.Length != file.Length || slot.Written != file.LastWriteTimeUtc))
            {
                Retire(slot);
                slot = null;
            }
            if (slot is null)
            {
                if (Slots.Count >= Capacity) Retire(Slots.Values.MinBy(s => s.LastUse)!);
                // Lazy, so that a long index is read outside of the gate, and by one thread only
                slot = new Slot(file.FullName, file.Length, file.LastWriteTimeUtc, new Lazy<ImageArchive>(() => ImageArchive.Open(path)));
                Slots.Add(slot.Key, slot);
            }
            slot.Users++;
            slot.LastUse = ++_clock;
            return slot;
        }
    }

    private static void Return(Slot slot)
    {
        lock (Gate)
        {
            slot.Users--;
            if (!slot.Archive.IsValueCreated) Retire(slot);   // it could not be opened: try again next time
            else if (slot.IsRetired && slot.Users == 0) slot.Archive.Value.Dispose();
        }
    }

    /// <summary>Takes a slot out; the last reader closes it. To be called inside the gate.</summary>
    private static void Retire(Slot slot)
    {
        if (slot.IsRetired) return;
        slot.IsRetired = true;
        Slots.Remove(slot.Key);
        if (slot.Users == 0 && slot.Archive.IsValueCreated) slot.Archive.Value.Dispose();
    }

    private sealed class Slot(string key, long length, DateTime written, Lazy<ImageArchive> archive)
    {
        public string Key { get; } = key;
        public long Length { get; } = length;
        public DateTime Written { get; } = written;
        public Lazy<ImageArchive> Archive { get; } = archive;
        public int Users { get; set; }
        public long LastUse { get; set; }
        public bool IsRetired { get; set; }
    }
}
