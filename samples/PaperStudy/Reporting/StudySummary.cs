using System.Text;

namespace PaperStudy;

/// <summary>Writes a study's main tables as Markdown.</summary>
internal static class StudySummary
{
    public static string Write(StudyScores scores)
    {
        var results = scores.Results;
        var text = new StringBuilder().Append($"# {Markdown.Escape(results.Name)}\n\n");
        if (results.Description.Length > 0) text.Append($"{Markdown.Escape(results.Description)}\n\n");
        text.Append($"{Markdown.Escape(StudyProgress.Of(results))}\n\n");
        foreach (var claim in (string[])[.. Claims.OfComparisons(scores), .. Claims.OfPrefixes(scores),
            .. Claims.OfChoices(scores)]) text.Append($"- {Markdown.Escape(claim)}\n");
        const string What = "Top-1 accuracy in percent.";
        foreach (var loss in results.Losses)
        {
            Add(AccuracyRows.ByModel(scores, loss, score => score.Top1).ToTable($"{loss}: accuracy by model", What));
            foreach (var rows in DifferenceRows.All(scores, loss)) Add(rows.ToTable());
            foreach (var model in scores.Models(loss))
            {
                var prefixes = AccuracyRows.ByPrefix(scores, loss, model);
                if (prefixes.Rows.Count > 0) Add(prefixes.ToTable($"{loss}, {model.Name}: accuracy by test-time prefix", What));
            }
            foreach (var shift in ShiftRows.All(scores, loss)) Add(shift.ToTable());
            foreach (var model in scores.Models(loss))
                if (RegretTable.Of(scores, loss, model) is { } regret) Add(regret);
        }
        return text.ToString();

        void Add(StudyTable table) => text.Append($"\n## {Markdown.Escape(table.Title)}\n\n{Markdown.Table(table)}");
    }
}
