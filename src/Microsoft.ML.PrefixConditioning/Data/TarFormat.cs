using System.Formats.Tar;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reads the headers of uncompressed TAR archives.</summary>
internal static class TarFormat
{
    /// <summary>Reads the names and places of all files.</summary>
    /// <remarks>Bytes of a name that are not UTF-8 become U+FFFD.</remarks>
    public static void ReadHeaders(FileStream stream, ArchiveHeaders headers)
    {
        using var reader = new TarReader(stream, leaveOpen: true);
        while (reader.GetNextEntry() is { } entry)
        {
            var name = ImageArchive.Normalize(entry.Name);
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
    }
}
