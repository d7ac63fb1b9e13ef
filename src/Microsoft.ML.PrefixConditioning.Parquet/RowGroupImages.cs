namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reads single images of Parquet files: keeps the images of the row groups that were read last.</summary>
/// <remarks>A file that has changed (length or modification time) is read again. Thread-safe.</remarks>
internal static class RowGroupImages
{
    /// <summary>Bytes of images that are kept; one row group is kept whatever its size.</summary>
    internal static long Limit { get; set; } = 256L << 20;

    private static readonly Lock Gate = new();
    private static readonly Dictionary<Key, Slot> Slots = [];
    private static readonly LinkedList<Slot> Order = new();   // the one used last at the end
    private static long _size;

    /// <summary>Row groups that were read, for tests.</summary>
    internal static long ReadCount { get; private set; }

    /// <summary>Bytes of images that are kept now.</summary>
    internal static long Size
    {
        get { lock (Gate) return _size; }
    }

    /// <summary>Reads the images of files with this extension here.</summary>
    public static void Register(string extension) => ImageSlice.Readers[extension] = Read;

    /// <summary>The bytes of an image.</summary>
    /// <param name="image">A file and a column; the offset is the row group, the length is the row.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or has no such image.</exception>
    public static byte[] Read(ImageSlice image) => RemoteFiles.Read(image.File, local => Read(image, new FileInfo(local)));

    private static byte[] Read(ImageSlice image, FileInfo file)
    {
        if (!file.Exists)
            throw new FileNotFoundException($"There is no file '{image.File}'. {MissingPath.Describe(image.File)}", image.File);
        var slot = Find(new Key(file.FullName, file.Length, file.LastWriteTimeUtc, image.Name, image.Offset));
        byte[]?[] images;
        try
        {
            images = slot.Images.Value;   // outside of the gate, and by one thread only
        }
        catch
        {
            lock (Gate) Remove(slot);
            throw;
        }
        lock (Gate) Keep(slot, images);
        return image.Length < images.Length && images[image.Length] is { } bytes ? bytes
            : throw new InvalidDataException($"Row group {image.Offset} of '{image.File}' has no image in row {image.Length} of column " +
                $"{NearName.Quoted(image.Name)}. The file was changed; load it again.");
    }

    private static Slot Find(Key key)
    {
        lock (Gate)
        {
            if (!Slots.TryGetValue(key, out var slot))
            {
                slot = new Slot(key);
                Slots.Add(key, slot);
                Order.AddLast(slot.Place);
                ReadCount++;
            }
            else if (slot.Place.List is not null)
            {
                Order.Remove(slot.Place);
                Order.AddLast(slot.Place);
            }
            return slot;
        }
    }

    private static void Keep(Slot slot, byte[]?[] images)
    {
        if (slot.Place.List is null || slot.Size > 0) return;   // another thread was first
        slot.Size = images.Sum(i => 24L + (i?.Length ?? 0));
        _size += slot.Size;
        for (var oldest = Order.First; _size > Limit && oldest is not null;)
        {
            var next = oldest.Next;
            if (oldest.Value.Size > 0 && oldest.Value != slot) Remove(oldest.Value);   // those without a size are being read
            oldest = next;
        }
    }

    private static void Remove(Slot slot)
    {
        if (slot.Place.List is null) return;
        Order.Remove(slot.Place);
        Slots.Remove(slot.Key);
        _size -= slot.Size;
    }

    private static byte[]?[] ReadGroup(Key key)
    {
        if (key.Group > int.MaxValue) return [];
        var column = ParquetColumn.ForBytes();
        var rows = ParquetShard.ReadGroup(key.Path, (int)key.Group, [(column, key.Column)]);
        var images = new byte[]?[rows];
        for (var row = 0; row < rows; row++) images[row] = column.Bytes(row);
        return images;
    }

    private readonly record struct Key(string Path, long Length, DateTime Written, string Column, long Group);

    private sealed class Slot
    {
        public Slot(Key key)
        {
            (Key, Place) = (key, new LinkedListNode<Slot>(this));
            Images = new Lazy<byte[]?[]>(() => ReadGroup(key));
        }

        public Key Key { get; }
        public Lazy<byte[]?[]> Images { get; }
        public LinkedListNode<Slot> Place { get; }   // in the order of use
        public long Size { get; set; }               // 0 while it is read
    }
}
