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
        OutputFile.Replace(Path.Combine(folder, "results.csv"), StudyCsv.Results(results));
        OutputFile.Replace(Path.Combine(folder, "choices.csv"), StudyCsv.Choices(results));
        OutputFile.Replace(Path.Combine(folder, "summary.md"), StudySummary.Write(scores));
        OutputFile.Replace(Path.Combine(folder, "report.html"), StudyPage.Write(scores));
    }
}
