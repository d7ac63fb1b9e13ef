using System.Formats.Tar;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reads the headers of uncompressed TAR archives.</summary>
internal static class TarFormat
{
    private const int BlockLength = 512;

    /// <summary>Reads names and positions of all files.</summary>
    /// <remarks>Bytes of a name that are not UTF-8 become U+FFFD.</remarks>
    public static void ReadHeaders(FileStream stream, ArchiveHeaders headers)
    {
        using var reader = new TarReader(stream, leaveOpen: true);
        long end = 0;
        var name = "";
        while (reader.GetNextEntry() is { } entry)
        {
            name = ImageArchive.Normalize(entry.Name);
            var isLink = entry.EntryType is TarEntryType.HardLink or TarEntryType.SymbolicLink;   // has no data, whatever its length
            end = entry.DataOffset + (isLink ? 0 : (entry.Length + BlockLength - 1) / BlockLength * BlockLength);
            switch (entry.EntryType)
            {
                case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile:
                    var length = (int)Math.Min(entry.Length, int.MaxValue);
                    headers.AddFile(name, new ArchivePlace(entry.DataOffset, length, length, Method: 0));
                    break;
                case TarEntryType.Directory or TarEntryType.DirectoryList:
                    headers.Folders.Add(name);
                    break;
                case TarEntryType.HardLink:   // the second name of a file that is in the archive already
                    headers.AddLink(name, ImageArchive.Normalize(entry.LinkName));
                    break;
                case TarEntryType.SymbolicLink:
                    headers.AddLink(name, ArchiveHeaders.FromRoot(name, entry.LinkName));
                    break;
                case TarEntryType.GlobalExtendedAttributes:
                    break;
                default:
                    headers.AddLink(name, target: null);
                    break;
            }
        }
        CheckEnd(stream, end, name, headers);
    }

    /// <summary>Detects unread files: of a truncated archive, or of one appended to another.</summary>
    private static void CheckEnd(FileStream stream, long end, string lastName, ArchiveHeaders headers)
    {
        if (stream.Length < end + BlockLength)
        {
            headers.Remarks.Add((ClassFolders.CutOff, lastName));
            return;
        }
        stream.Position = end;
        var buffer = new byte[1 << 16];
        for (int read; (read = stream.Read(buffer)) > 0;)
        {
            if (!buffer.AsSpan(0, read).ContainsAnyExcept((byte)0)) continue;
            headers.Remarks.Add((ClassFolders.Appended, lastName));
            return;
        }
    }
}
