namespace PaperStudy;

/// <summary>Writes a study as one HTML page that needs nothing else: no script, no network, no other file.</summary>
internal static class StudyPage
{
    private const string Top1 = "Percent of test images that get the right class.";
    private const string Top5 = "Percent of test images whose class is among the five most probable.";

    public static string Write(StudyScores scores)
    {
        var results = scores.Results;
        var page = new Html()
            .Add($"<!DOCTYPE html>")
            .Add($"""<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">""")
            .Add($"<title>{results.Name}</title>")
            .Add($"<style>{new Html().AddStyle(ReportStyle.Css).AddStyle(StudyStyle.Css)}</style></head><body><main>")
            .Add($"<h1>{results.Name}</h1><p>{results.Description}</p><p>{StudyProgress.Of(results)}</p>");

        page.Add($"<h2>In short</h2>{List([.. Claims.OfComparisons(scores), .. Claims.OfPrefixes(scores), .. Claims.OfChoices(scores)])}");
        page.Add($"<h2>What was compared</h2>{Facts(results.Facts)}");
        page.Add($"{Section(SettingTables.Models(results))}{Section(SettingTables.TestSets(results))}");
        Add(page, "Accuracy by model", "No model is trained yet.", ByModel(scores));
        Add(page, "Differences by seed", "No comparison has a trained model yet.",
            from loss in results.Losses from rows in DifferenceRows.All(scores, loss) select Section(rows.ToTable()));
        Add(page, "Test-time prefix", "No model has several prefixes.", ByPrefix(scores));
        Add(page, "Prefixes as images shift", "No model has a caption prefix and another type's.",
            from loss in results.Losses
            from shift in ShiftRows.All(scores, loss)
            select Section(shift.ToTable(), StudyCharts.Shift(shift)));
        Add(page, "Prefixes chosen without labels", "No model has a choice between the prefixes of several types.",
            from loss in results.Losses
            from table in scores.Models(loss).Select(model => RegretTable.Of(scores, loss, model)).OfType<StudyTable>()
            select Section(table));
        Add(page, "Training", "No model is trained yet.", Training(scores));
        Add(page, "Appendix: validation split", "No test set has a validation split.", Validation(scores));
        return page.Add($"</main></body></html>").ToString();
    }

    private static void Add(Html page, string title, string otherwise, IEnumerable<Html> sections)
    {
        page.Add($"<h2>{title}</h2>");
        var count = 0;
        foreach (var section in sections)
        {
            page.Add($"{section}");
            count++;
        }
        if (count == 0) page.Add($"<p>{otherwise}</p>");
    }

    private static IEnumerable<Html> ByModel(StudyScores scores)
    {
        foreach (var loss in scores.Results.Losses.Where(loss => scores.Models(loss).Count > 0))
        {
            var top1 = AccuracyRows.ByModel(scores, loss, score => score.Top1);
            var charts = StudyCharts.Accuracies(
                top1,
                row => row.Prefix == StudyScores.NoPrefix ? row.Model : $"{row.Model}, {row.Prefix}",
                row => row.Prefix == StudyScores.NoPrefix ? 1 : 0);
            yield return Section(top1.ToTable($"{loss}: top-1 accuracy", Top1), charts);
            var top5 = AccuracyRows.ByModel(scores, loss, score => score.Top5);
            yield return Section(top5.ToTable($"{loss}: top-5 accuracy", Top5, guesses: 5));
        }
    }

    private static IEnumerable<Html> ByPrefix(StudyScores scores)
    {
        foreach (var loss in scores.Results.Losses)
            foreach (var model in scores.Models(loss))
            {
                var rows = AccuracyRows.ByPrefix(scores, loss, model);
                if (rows.Rows.Count == 0) continue;
                var types = scores.Types(loss, model.Name);
                var charts = StudyCharts.Accuracies(
                    rows, row => row.Prefix, row => row.Prefix == StudyScores.NoPrefix ? 1 : types.Contains(row.Prefix) ? 0 : 2);
                yield return Section(rows.ToTable($"{loss}, {model.Name}: top-1 accuracy by prefix", Top1), charts);
            }
    }

    private static IEnumerable<Html> Training(StudyScores scores)
    {
        if (scores.Results.Cells.Count == 0) yield break;
        yield return Section(SettingTables.Cost(scores));
        foreach (var loss in scores.Results.Losses.Where(loss => scores.Models(loss).Count > 0))
            yield return new Html().Add($"<h3>{loss}: training loss</h3>{StudyCharts.Training(scores, loss)}");
    }

    private static IEnumerable<Html> Validation(StudyScores scores) =>
        from loss in scores.Results.Losses
        let rows = AccuracyRows.Validation(scores, loss)
        where rows.Columns.Count > 0 && rows.Rows.Count > 0
        select Section(rows.ToTable(
            $"{loss}: top-1 accuracy on the validation split",
            "Percent of validation images that get the right class. Settings may have been chosen by these figures: they are no results."));

    private static Html Section(StudyTable table) => new Html().Add($"<h3>{table.Title}</h3>{HtmlTable.Draw(table)}");

    private static Html Section(StudyTable table, Html charts) => new Html().Add($"{Section(table)}{charts}");

    private static Html List(IReadOnlyList<string> sentences)
    {
        if (sentences.Count == 0) return new Html().Add($"<p>No comparison has a finished model yet.</p>");
        var html = new Html().Add($"<ul>");
        foreach (var sentence in sentences) html.Add($"<li>{sentence}</li>");
        return html.Add($"</ul>");
    }

    private static Html Facts(IReadOnlyList<(string Key, string Value)> facts)
    {
        var html = new Html().Add($"<dl>");
        foreach (var (key, value) in facts) html.Add($"<dt>{key}</dt><dd>{value}</dd>");
        return html.Add($"</dl>");
    }
}
