using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>An entry as any program may write it.</summary>
internal sealed record RawZipEntry(byte[] Name, byte[] Content)
{
    public RawZipEntry(string name, string content = "x") : this(Encoding.UTF8.GetBytes(name), Encoding.UTF8.GetBytes(content)) { }

    public ushort Flags { get; init; }

    public ushort Method { get; init; }

    public ushort UnixMode { get; init; }

    public byte[] Extra { get; init; } = [];

    public bool HasLongNumbers { get; init; }
}

/// <summary>Writes ZIP archives byte by byte, with what .NET's own writer cannot write.</summary>
internal static class RawZip
{
    public static string Write(string path, params RawZipEntry[] entries)
    {
        using var file = new BinaryWriter(File.Create(path));
        var offsets = new long[entries.Length];
        for (var i = 0; i < entries.Length; i++)
        {
            offsets[i] = file.BaseStream.Position;
            file.Write(0x04034B50);
            WriteFields(file, entries[i], 0);
            file.Write(entries[i].Name);
            file.Write(entries[i].Content);
        }
        var directory = file.BaseStream.Position;
        for (var i = 0; i < entries.Length; i++)
        {
            var entry = entries[i];
            var length = (long)entry.Content.Length;
            byte[] extra = entry.HasLongNumbers
                ? [1, 0, 24, 0, .. BitConverter.GetBytes(length), .. BitConverter.GetBytes(length), .. BitConverter.GetBytes(offsets[i])]
                : entry.Extra;
            file.Write(0x02014B50);
            file.Write((ushort)(entry.UnixMode == 0 ? 20 : 0x0314));   // version, and the system: 3 is Unix
            WriteFields(file, entry, extra.Length);
            file.Write(new byte[6]);                                   // comment, disk, internal attributes
            file.Write((uint)entry.UnixMode << 16);
            file.Write(entry.HasLongNumbers ? uint.MaxValue : (uint)offsets[i]);
            file.Write(entry.Name);
            file.Write(extra);
        }
        var end = file.BaseStream.Position;
        file.Write(0x06054B50);
        file.Write(0);
        file.Write((ushort)entries.Length);
        file.Write((ushort)entries.Length);
        file.Write((uint)(end - directory));
        file.Write((uint)directory);
        file.Write((ushort)0);
        return path;
    }

    private static void WriteFields(BinaryWriter file, RawZipEntry entry, int extraLength)
    {
        var length = entry.HasLongNumbers ? uint.MaxValue : (uint)entry.Content.Length;
        file.Write((ushort)20);
        file.Write(entry.Flags);
        file.Write(entry.Method);
        file.Write(0);               // time
        file.Write(0);               // checksum
        file.Write(length);
        file.Write(length);
        file.Write((ushort)entry.Name.Length);
        file.Write((ushort)extraLength);
    }
}
