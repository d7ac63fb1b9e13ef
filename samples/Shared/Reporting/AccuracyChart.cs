namespace Samples;

/// <summary>Draws accuracies as SVG bars: one small chart per test set, one bar per model and prefix.</summary>
internal static class AccuracyChart
{
    private const int Width = 420;
    private const int Bars = 330;        // the rest is for the numbers behind them
    private const int RowHeight = 36;    // a line of text above each bar
    private const int BarTop = 18;
    private const int BarHeight = 14;

    public static Html Draw(AccuracyTable table)
    {
        var html = new Html().Add($"""<div class="charts">""");
        for (var column = 0; column < table.Columns.Count; column++) html.Add($"{Panel(table, column)}");
        return html.Add($"</div>");
    }

    private static Html Panel(AccuracyTable table, int column)
    {
        var test = table.Columns[column];
        var height = RowHeight * table.Rows.Count;
        var models = table.Rows.Select(row => row.Model).Distinct().ToList();
        var html = new Html()
            .Add($"<figure><figcaption><strong>{test.Name}</strong> {test.Description}")
            .Add($"Dotted line: chance, {Html.Percent(test.Chance)}.</figcaption>")
            .Add($"""<svg class="chart" viewBox="0 0 {Width} {height}" role="img" """)
            .Add($"""aria-label="Accuracy on {test.Name}: {Summary(table, column)}.">""");
        for (var i = 0; i < table.Rows.Count; i++)
        {
            var row = table.Rows[i];
            var top = i * RowHeight;
            var numberLine = top + BarTop + BarHeight - 2;
            html.Add($"""<text x="1" y="{top + 13}">{Label(row)}</text>""");
            if (row.Accuracies[column] is not { } accuracy)
            {
                html.Add($"""<text x="6" y="{numberLine}">not measured</text>""");
                continue;
            }
            var best = table.IsBest(row, column);
            var star = best ? " ★" : "";
            var end = Bars * accuracy;
            html.Add($"""
                <rect class="bar series{models.IndexOf(row.Model) % 4}" x="0" y="{top + BarTop}" width="{end:0.#}" height="{BarHeight}"/>
                <text class="{(best ? "best" : "")}" x="{end + 6:0.#}" y="{numberLine}">{Html.Percent(accuracy)}{star}</text>
                """);
        }
        // Drawn over the bars only, so that it does not run through their names.
        var chance = Bars * test.Chance;
        for (var i = 0; i < table.Rows.Count; i++)
        {
            var top = i * RowHeight + BarTop;
            html.Add($"""<line class="chance" x1="{chance:0.#}" x2="{chance:0.#}" y1="{top - 2}" y2="{top + BarHeight + 2}"/>""");
        }
        return html.Add($"</svg></figure>");
    }

    private static string Label(AccuracyRow row) => row.Prefix.Length == 0 ? row.Model : $"{row.Model}, {row.Prefix}";

    private static string Summary(AccuracyTable table, int column) => string.Join("; ", table.Rows.Select(row =>
        $"{Label(row)} {(row.Accuracies[column] is { } accuracy ? Html.Percent(accuracy) : "not measured")}"));
}
