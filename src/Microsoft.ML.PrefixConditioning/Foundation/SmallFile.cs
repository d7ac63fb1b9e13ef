using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Files that are read and written as a whole, within a limit of memory.</summary>
internal static class SmallFile
{
    private const long MaxBytes = 16 << 20;
    private const int PieceLength = 4 << 20;   // a slow disk gives as much in a second

    /// <summary>Reads all bytes of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maxBytes">Limit; more than any such file has.</param>
    /// <param name="memory">Takes the bytes before they are read; null if nobody counts them.</param>
    /// <exception cref="InvalidDataException">It is larger, or not a regular file.</exception>
    public static byte[] Read(string path, long maxBytes = MaxBytes, MemoryShare? memory = null)
    {
        RegularFile.Check(path);
        using var file = File.OpenHandle(path);
        var length = RandomAccess.GetLength(file);
        if (length > maxBytes)
            throw new InvalidDataException($"'{NearName.Visible(path)}' has {length} bytes; at most {maxBytes} are expected. " +
                "It is another kind of file.");
        memory?.Take(length);
        var bytes = LargeArray.Allocate((int)length);
        if (ReadPieces(file, 0, bytes, memory?.Cancellation ?? default) < bytes.Length)
            throw new EndOfStreamException($"'{NearName.Visible(path)}' was shortened while it was read.");
        return bytes;
    }

    /// <summary>Reads bytes at a position of a file, in pieces between which it can be canceled.</summary>
    /// <returns>Number of bytes read; fewer where the file ends early.</returns>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
    public static int ReadPieces(SafeFileHandle file, long offset, Span<byte> bytes, CancellationToken cancellation)
    {
        var filled = 0;
        for (var read = 1; filled < bytes.Length && read > 0; filled += read)
        {
            cancellation.ThrowIfCancellationRequested();
            read = RandomAccess.Read(file, bytes[filled..Math.Min(bytes.Length, filled + PieceLength)], offset + filled);
        }
        return filled;
    }

    /// <summary>Reads the next bytes of a stream; fewer if it ends early. Memory grows with the data read, not with the claimed
    /// length.</summary>
    public static byte[] ReadUpTo(Stream stream, int length)
    {
        using var content = new MemoryStream();
        var part = new byte[Math.Min(length, 1 << 16)];
        while (content.Length < length)
        {
            var read = stream.Read(part, 0, (int)Math.Min(part.Length, length - content.Length));
            if (read == 0) break;
            content.Write(part, 0, read);
        }
        return content.ToArray();
    }

    /// <summary>One JSON object as UTF-8.</summary>
    /// <param name="options">Indentation and escapes.</param>
    /// <param name="write">Writes the object's properties.</param>
    public static byte[] Json(JsonWriterOptions options, Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, options))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }
        return stream.ToArray();
    }
}
