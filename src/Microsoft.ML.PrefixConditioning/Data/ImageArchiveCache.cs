using Microsoft.Win32.SafeHandles;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Keeps the index of every archive that was read, and the most recently read files open: archives, and files of slices.</summary>
/// <remarks>A file that has changed (length or modification time) is opened again, and its index read again. Thread-safe.</remarks>
internal static class ImageArchiveCache
{
    private const int MostOpen = 4096;   // reopening a file costs microseconds; beyond this, so does the system's own bookkeeping

    /// <summary>Maximum number of unused files that stay open: half of what the system allows, 4,096 at most.</summary>
    internal static int Capacity { get; set; } = Math.Min(OpenFileLimit.Read() / 2, MostOpen);

    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, Slot> Slots = new(StringComparer.Ordinal);
    private static readonly LinkedList<Slot> Idle = new();   // open files that nobody reads, the one used last at the end

    /// <summary>The index of an archive.</summary>
    /// <exception cref="FileNotFoundException">There is no such archive.</exception>
    public static ImageArchive Index(string path) => Use(path, null, slot => slot.Archive.Value);

    /// <summary>The bytes of a file in an archive.</summary>
    /// <exception cref="FileNotFoundException">There is no such archive, or no such file in it.</exception>
    public static byte[] Read(string path, string entry, MemoryShare? memory = null) =>
        Use(path, memory, slot => slot.Archive.Value.Read(slot.File!.Value, entry, memory));

    /// <summary>A range of bytes of a file; no index is read.</summary>
    /// <param name="path">Any file.</param>
    /// <param name="offset">Position of the first byte.</param>
    /// <param name="length">Number of bytes.</param>
    /// <param name="name">What the range is, for messages.</param>
    /// <param name="memory">Takes the bytes before they are read; null if nobody counts them.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is too short, or the range too long.</exception>
    public static byte[] Read(string path, long offset, int length, string name, MemoryShare? memory = null) => Use(path, memory, slot =>
    {
        if (length <= slot.Length && offset <= slot.Length - length)
        {
            if (length > ImageLocator.MaxBytes)
                throw new InvalidDataException(
                    $"{NearName.Quoted(name)} has {length} bytes; at most {ImageLocator.MaxBytes} are read.");
            memory?.Take(length);
            return ImageArchive.ReadBytes(slot.File!.Value, offset, length, memory?.Cancellation ?? default);
        }
        throw new InvalidDataException($"{NearName.Quoted(name)} in '{NearName.Visible(path)}' should have {length} bytes from byte " +
            $"{offset} on, but the file has {slot.Length} bytes. It was changed or cut off; load it again.");
    });

    /// <summary>Drops every archive that is not being read.</summary>
    public static void Clear()
    {
        lock (Gate)
            foreach (var slot in Slots.Values.ToArray()) Retire(slot);
    }

    /// <summary>Open files without a reader, kept for the next one.</summary>
    internal static int IdleCount
    {
        get { lock (Gate) return Idle.Count; }
    }

    /// <summary>Closes a file that is to be deleted, as soon as nobody reads it.</summary>
    /// <param name="path">Full path.</param>
    public static void Close(string path)
    {
        lock (Gate)
            if (Slots.TryGetValue(path, out var slot)) Retire(slot);
    }

    private static T Use<T>(string path, MemoryShare? memory, Func<Slot, T> read) => RemoteFiles.Read(path, local =>
    {
        var slot = Rent(path, local);
        try
        {
            return read(slot);
        }
        finally
        {
            Return(slot);
        }
    }, cancellation: memory?.Cancellation ?? default);

    private static Slot Rent(string path, string local)
    {
        var file = new FileInfo(local);
        if (!file.Exists)
            throw new FileNotFoundException($"There is no archive '{NearName.Visible(path)}'. {MissingPath.Describe(path)}", path);
        lock (Gate)
        {
            if (Slots.TryGetValue(file.FullName, out var slot) && (slot.Length != file.Length || slot.Written != file.LastWriteTimeUtc))
            {
                Retire(slot);
                slot = null;
            }
            if (slot is null)
            {
                slot = new Slot(path, file);
                Slots.Add(slot.Key, slot);
            }
            if (slot.Users++ == 0 && slot.File is not null) Idle.Remove(slot.Place);
            // Lazy, so that a file is opened and a long index read outside of the gate, and by one thread only
            slot.File ??= new Lazy<SafeFileHandle>(() => Open(slot.Key));
            return slot;
        }
    }

    private static void Return(Slot slot)
    {
        lock (Gate)
        {
            if (slot.IsUnreadable) Retire(slot);   // its index: try again next time
            if (--slot.Users > 0) return;
            if (!slot.File!.IsValueCreated) slot.File = null;
            else if (slot.IsRetired) slot.File.Value.Dispose();
            else Idle.AddLast(slot.Place);
            if (Idle.Count <= Capacity) return;
            var longestIdle = Idle.First!.Value;
            Idle.RemoveFirst();
            longestIdle.File!.Value.Dispose();
            longestIdle.File = null;
        }
    }

    /// <summary>Removes a slot; its last reader closes the file. Call it inside the gate.</summary>
    private static void Retire(Slot slot)
    {
        if (slot.IsRetired) return;
        slot.IsRetired = true;
        Slots.Remove(slot.Key);
        if (slot.Users > 0 || slot.File is null) return;
        Idle.Remove(slot.Place);
        slot.File.Value.Dispose();
    }

    private static SafeFileHandle Open(string path)
    {
        RegularFile.Check(path);
        return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, FileOptions.RandomAccess);
    }

    private sealed class Slot
    {
        public Slot(string path, FileInfo file)
        {
            (Key, Length, Written, Place) = (file.FullName, file.Length, file.LastWriteTimeUtc, new LinkedListNode<Slot>(this));
            Archive = new Lazy<ImageArchive>(() =>
            {
                IsUnreadable = true;
                using var stream = new FileStream(Open(Key), FileAccess.Read);
                var archive = ImageArchive.ReadIndex(path, stream);
                IsUnreadable = false;
                return archive;
            });
        }

        public string Key { get; }
        public long Length { get; }
        public DateTime Written { get; }
        public Lazy<ImageArchive> Archive { get; }
        public Lazy<SafeFileHandle>? File { get; set; }   // null when no file is open
        public int Users { get; set; }
        public LinkedListNode<Slot> Place { get; }        // in the list of idle ones
        public bool IsRetired { get; set; }
        public bool IsUnreadable { get; private set; }
    }
}
