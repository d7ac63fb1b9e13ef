using Samples;

namespace PaperStudy;

/// <summary>Writes a study as one HTML page that needs nothing else: no script, no network, no other file.</summary>
internal static class StudyPage
{
    public static string Write(StudyScores scores)
    {
        var results = scores.Results;
        var page = new Html()
            .Add($"<!DOCTYPE html>")
            .Add($"""<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">""")
            .Add($"<title>{results.Name}</title>")
            .Add($"<style>{new Html().AddStyle(ReportStyle.Css).AddStyle(StudyStyle.Css)}</style></head><body><main>")
            .Add($"<h1>{results.Name}</h1><p>{results.Description}</p><p>{StudyProgress.Of(results)}</p>");

        page.Add($"<h2>In short</h2>{List(Claims.OfComparisons(scores))}");
        page.Add($"<h2>What was compared</h2>{Facts(results.Facts)}{Section(SettingTables.Models(results))}{Section(SettingTables.TestSets(results))}");
        Add(page, "Accuracy by model", "No model is trained yet.", ByModel(scores));
        Add(page, "Differences by seed", "No comparison has a trained model yet.",
            results.Losses.SelectMany(loss => DifferenceRows.All(scores, loss)).Select(rows => Section(rows.ToTable())));
        Add(page, "Test-time prefix", "No model has several prefixes.", ByPrefix(scores));
        Add(page, "Prefixes as images shift", "No model has a caption prefix and another type's.",
            results.Losses.SelectMany(loss => ShiftRows.All(scores, loss)).Select(shift => Section(shift.ToTable())));
        Add(page, "Prefixes chosen without labels", "No model has a choice between the prefixes of several types.",
            from loss in results.Losses from model in scores.Models(loss) let table = RegretTable.Of(scores, loss, model) where table is not null select Section(table));
        page.Add($"<h2>Training</h2>{Section(SettingTables.Cost(scores))}");
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
            yield return Section(top1.ToTable($"{loss}: top-1 accuracy", "Percent of test images that get the right class."));
            var top5 = AccuracyRows.ByModel(scores, loss, score => score.Top5);
            yield return Section(top5.ToTable($"{loss}: top-5 accuracy", "Percent of test images whose class is among the five most probable.", guesses: 5));
        }
    }

    private static IEnumerable<Html> ByPrefix(StudyScores scores) =>
        from loss in scores.Results.Losses
        from model in scores.Models(loss)
        let rows = AccuracyRows.ByPrefix(scores, loss, model)
        where rows.Rows.Count > 0
        select Section(rows.ToTable($"{loss}, {model.Name}: top-1 accuracy by prefix", "Percent of test images that get the right class."));

    private static IEnumerable<Html> Validation(StudyScores scores) =>
        from loss in scores.Results.Losses
        let rows = AccuracyRows.Validation(scores, loss)
        where rows.Columns.Count > 0 && rows.Rows.Count > 0
        select Section(rows.ToTable(
            $"{loss}: top-1 accuracy on the validation split",
            "Percent of validation images that get the right class. Settings may have been chosen by these figures: they are no results."));

    private static Html Section(StudyTable table) => new Html().Add($"<h3>{table.Title}</h3>{HtmlTable.Draw(table)}");

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
