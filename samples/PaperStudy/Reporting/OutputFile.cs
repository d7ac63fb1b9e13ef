using System.Text;

namespace PaperStudy;

/// <summary>Writes a program's output files.</summary>
internal static class OutputFile
{
    /// <summary>Writes a text as UTF-8. A file that is there already is replaced in one move, so that no reader sees half of one, and
    /// several processes may write it at a time.</summary>
    /// <param name="path">The file; its folder is created if missing.</param>
    /// <param name="text">What it is to hold.</param>
    /// <exception cref="IOException">The file cannot be written; the message says what to do.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written; the message says what to do.</exception>
    public static void Replace(string path, string text) =>
        Replace(path, unfinished => File.WriteAllText(unfinished, text, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)));

    /// <summary>The same for any content.</summary>
    /// <param name="path">The file; its folder is created if missing.</param>
    /// <param name="write">Writes the content to the path that it is given.</param>
    /// <exception cref="IOException">The file cannot be written; the message says what to do.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written; the message says what to do.</exception>
    public static void Replace(string path, Action<string> write)
    {
        path = Path.GetFullPath(path);
        var unfinished = $"{path}.{Environment.ProcessId}.unfinished";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path) ?? path);
            write(unfinished);
            File.Move(unfinished, path, overwrite: true);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UnauthorizedAccessException(
                $"'{path}' may not be written: {e.Message.TrimEnd('.')}. Give a place that you may write to.", e);
        }
        catch (IOException e)
        {
            throw new IOException(
                $"'{path}' cannot be written: {e.Message.TrimEnd('.')}. Give a place that you may write to, and check that the disk is " +
                    "not full.", e);
        }
        finally
        {
            if (File.Exists(unfinished)) File.Delete(unfinished);
        }
    }
}
