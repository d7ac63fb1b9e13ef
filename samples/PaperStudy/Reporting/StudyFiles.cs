using System.Text;

namespace PaperStudy;

/// <summary>Writes a study's results as files for readers and for other programs.</summary>
internal static class StudyFiles
{
    /// <summary>
    /// Writes report.html, summary.md, results.csv and choices.csv. A study may be unfinished: what is missing is shown as missing.
    /// Each file is replaced in one move, so that no reader sees half of one, and several processes may write at a time.
    /// </summary>
    /// <param name="results">The study.</param>
    /// <param name="folder">Where to write; created if missing.</param>
    /// <exception cref="IOException">A file cannot be written; the message says what to do.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be written; the message says what to do.</exception>
    public static void Write(StudyResults results, string folder)
    {
        var scores = new StudyScores(results);
        Replace(folder, "results.csv", StudyCsv.Results(results));
        Replace(folder, "choices.csv", StudyCsv.Choices(results));
        Replace(folder, "summary.md", StudySummary.Write(scores));
        Replace(folder, "report.html", StudyPage.Write(scores));
    }

    private static void Replace(string folder, string name, string text)
    {
        var path = Path.GetFullPath(Path.Combine(folder, name));
        // Several processes may work on one study.
        var unfinished = $"{path}.{Environment.ProcessId}.unfinished";
        try
        {
            Directory.CreateDirectory(folder);
            File.WriteAllText(unfinished, text, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
            File.Move(unfinished, path, overwrite: true);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UnauthorizedAccessException(
                $"'{path}' may not be written: {e.Message.TrimEnd('.')}. Give an output folder that you may write to.", e);
        }
        catch (IOException e)
        {
            throw new IOException(
                $"'{path}' cannot be written: {e.Message.TrimEnd('.')}. "
                + "Give an output folder that you may write to, and check that the disk is not full.", e);
        }
        finally
        {
            if (File.Exists(unfinished)) File.Delete(unfinished);
        }
    }
}
