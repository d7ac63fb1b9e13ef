namespace PaperStudy;

/// <summary>The charts of a study's page.</summary>
internal static class StudyCharts
{
    // LossChart has four kinds of lines.
    private const int CurvesPerChart = 4;

    /// <summary>One chart per mean and test set, one row per model or prefix.</summary>
    /// <param name="table">The accuracies.</param>
    /// <param name="label">Name of a row.</param>
    /// <param name="series">Colour of a row, 0 to 3.</param>
    public static Html Accuracies(AccuracyRows table, Func<AccuracyEstimates, string> label, Func<AccuracyEstimates, int> series)
    {
        var meansFirst = Enumerable.Range(0, table.Columns.Count).OrderByDescending(i => table.Columns[i].IsMean);
        return IntervalChart.DrawAll(meansFirst.Select(i =>
        {
            var column = table.Columns[i];
            var chance = column.Chance(guesses: 1);
            return new IntervalChart(
                column.Name, $"{column.Description} Percent.{(chance is { } share ? $" Chance: {Figures.Number(100 * share)}." : "")}",
                [.. table.Rows.Select(row => new IntervalRow(label(row), row.Estimates[i], series(row), table.IsBest(row, i)))],
                chance, Signed: false);
        }));
    }

    /// <summary>One chart per other type: the caption prefix's advantage from near to far.</summary>
    public static Html Shift(ShiftRows shift)
    {
        var note = $"Points; right of the dotted line {shift.Caption} is better. Bold: the interval excludes zero.";
        return IntervalChart.DrawAll(shift.Rows.Select(row => new IntervalChart(
            $"{shift.Caption} minus {row.Name}", note, [.. shift.Columns.Zip(row.Differences, Row)], Reference: 0, Signed: true)));

        static IntervalRow Row(ScoreColumn column, Estimate? difference) => new(
            ShiftRows.Heading(column), difference, (int)column.TestSets[0].Role, difference?.ExcludesZero == true);
    }

    /// <summary>Training losses of all models with a loss: means over seeds.</summary>
    public static Html Training(StudyScores scores, string loss)
    {
        LossCurve[] curves = [.. scores.Models(loss).Select(model => new LossCurve(model.Name, MeanCurve(scores.Cells(loss, model.Name))))];
        var charts = Math.Max(1, (curves.Length + CurvesPerChart - 1) / CurvesPerChart);
        var html = new Html().Add($"""<p class="note">Each point is the mean over seeds, and over the steps since the point before.</p>""");
        foreach (var chunk in curves.Chunk((curves.Length + charts - 1) / charts)) html.Add($"{LossChart.Draw(chunk)}");
        return html;
    }

    // Of the steps that all seeds have: a mean over other seeds from step to step would jump.
    private static List<(int Step, double Loss)> MeanCurve(IReadOnlyList<CellResult> cells) =>
        [..
            from point in cells.SelectMany(cell => cell.Curve)
            where double.IsFinite(point.Loss)
            group point.Loss by point.Step into step
            where step.Count() == cells.Count
            orderby step.Key
            select (step.Key, step.Average())];
}
