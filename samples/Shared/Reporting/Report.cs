namespace Samples;

/// <summary>Writes what a run found as one HTML file that needs nothing else: no script, no network, no other file.</summary>
internal static class Report
{
    /// <summary>Writes the report. A report that is there already is replaced in one move, so that no reader sees half of one.</summary>
    /// <param name="data">What to show.</param>
    /// <param name="path">The HTML file; its folder is created if missing.</param>
    /// <exception cref="IOException">The file cannot be written; the message says what to do.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written; the message says what to do.</exception>
    public static void Write(ReportData data, string path) => OutputFile.Replace(path, Page(data));

    private static string Page(ReportData data)
    {
        var page = new Html()
            .Add($"<!DOCTYPE html>")
            .Add($"""<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">""")
            .Add($"<title>{data.Title}</title>")
            .Add($"<style>{new Html().AddStyle(ReportStyle.Css)}</style></head><body><main>")
            .Add($"<h1>{data.Title}</h1><p>{data.Introduction}</p>");

        page.Add($"<h2>What was trained</h2>{List(data.Facts)}");
        page.Add($"<h2>Zero-shot accuracy</h2>{Table(data.Table)}{AccuracyChart.Draw(data.Table)}");
        page.Add($"<h2>Training loss</h2>{LossChart.Draw(data.Curves)}");
        if (data.Predictions.Count > 0) page.Add($"<h2>Predictions</h2>");
        foreach (var set in data.Predictions) page.Add($"{PredictionGrid.Draw(set)}");
        page.Add($"<h2>Files</h2>{List(data.Files)}");
        return page.Add($"</main></body></html>").ToString();
    }

    private static Html List(IReadOnlyList<(string Key, string Value)> entries)
    {
        var html = new Html().Add($"<dl>");
        foreach (var (key, value) in entries) html.Add($"<dt>{key}</dt><dd>{value}</dd>");
        return html.Add($"</dl>");
    }

    private static Html Table(AccuracyTable table)
    {
        var html = new Html()
            .Add($"""<div class="wide"><table>""")
            .Add($"""<caption class="note">Share of test pictures that get the right class. ★ marks the best of each column.</caption>""")
            .Add($"""<thead><tr><th scope="col">model</th><th scope="col">test-time prefix</th>""");
        foreach (var column in table.Columns)
            html.Add($"""<th scope="col" class="number" title="{column.Description}">{column.Name}</th>""");
        html.Add($"</tr></thead><tbody>");
        foreach (var row in table.Rows)
        {
            html.Add($"""<tr><th scope="row">{row.Model}</th><td>{row.Prefix}</td>""");
            for (var column = 0; column < table.Columns.Count; column++)
            {
                var best = table.IsBest(row, column);
                var text = row.Accuracies[column] is { } accuracy ? Html.Percent(accuracy) : "–";
                html.Add($"""<td class="number{(best ? " best" : "")}">{text}{(best ? " ★" : "")}</td>""");
            }
            html.Add($"</tr>");
        }
        html.Add($"""</tbody><tfoot><tr><th scope="row">chance</th><td></td>""");
        foreach (var column in table.Columns) html.Add($"""<td class="number">{Html.Percent(column.Chance)}</td>""");
        return html.Add($"</tr></tfoot></table></div>");
    }
}
