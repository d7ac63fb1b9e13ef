namespace PaperStudy;

/// <summary>A small chart: rows of a figure with its interval.</summary>
/// <param name="Title">What the figures are on.</param>
/// <param name="Description">A sentence about that.</param>
/// <param name="Rows">From top to bottom.</param>
/// <param name="Reference">A dotted line, such as chance or no difference; null for none.</param>
/// <param name="Signed">Whether the figures are differences, in points, and not accuracies, in percent.</param>
internal sealed record IntervalChart(string Title, string Description, IReadOnlyList<IntervalRow> Rows, double? Reference, bool Signed)
{
    private const double Width = 420;
    private const double Left = 10;
    private const double Right = Width - 10;
    private const double RowHeight = 36;
    private const double TextLine = 13;    // a row's text stands above its interval
    private const double Middle = 22;
    private const double AxisHeight = 26;

    /// <summary>Charts side by side, as many as fit.</summary>
    public static Html DrawAll(IEnumerable<IntervalChart> charts)
    {
        var html = new Html().Add($"""<div class="charts">""");
        foreach (var chart in charts) html.Add($"{chart.Draw()}");
        return html.Add($"</div>");
    }

    /// <summary>The chart, with a text for those who do not see it.</summary>
    public Html Draw()
    {
        IntervalRow[] measured = [.. Rows.Where(row => row.Estimate is not null)];
        var html = new Html().Add($"<figure><figcaption><strong>{Title}</strong> {Description}</figcaption>");
        if (measured.Length == 0) return html.Add($"<p>Nothing is measured yet.</p></figure>");

        var axis = Axis(measured);
        double X(double value) => Left + (Right - Left) * (100 * value - axis.Low) / (axis.High - axis.Low);
        var bottom = RowHeight * Rows.Count;
        html.Add($"""<svg class="chart" viewBox="0 0 {Width} {bottom + AxisHeight}" role="img" aria-label="{Title}: {Summary()}.">""");
        foreach (var tick in axis.Ticks)
            html.Add($"""
                <line class="grid" x1="{X(tick / 100):0.#}" x2="{X(tick / 100):0.#}" y1="0" y2="{bottom}"/>
                <text class="soft" x="{X(tick / 100):0.#}" y="{bottom + 16}" text-anchor="middle">{tick:0.##}</text>
                """);
        if (Reference is { } reference && 100 * reference >= axis.Low && 100 * reference <= axis.High)
            html.Add($"""<line class="chance" x1="{X(reference):0.#}" x2="{X(reference):0.#}" y1="0" y2="{bottom}"/>""");
        for (var i = 0; i < Rows.Count; i++) html.Add($"{Row(Rows[i], i * RowHeight, X)}");
        return html.Add($"</svg></figure>");
    }

    private Html Row(IntervalRow row, double top, Func<double, double> x)
    {
        var weight = row.IsMarked ? "best" : "";
        var html = new Html().Add($"""
            <text class="{weight}" x="{Left}" y="{top + TextLine}">{row.Label}</text>
            <text class="{weight}" x="{Right}" y="{top + TextLine}" text-anchor="end">{Figure(row.Estimate)}</text>
            """);
        if (row.Estimate is not { } estimate) return html;
        var y = top + Middle;
        if (estimate.Low is { } low && estimate.High is { } high)
            html.Add($"""
                <line class="whisker series{row.Series}" x1="{x(low):0.#}" x2="{x(high):0.#}" y1="{y}" y2="{y}"/>
                <line class="whisker series{row.Series}" x1="{x(low):0.#}" x2="{x(low):0.#}" y1="{y - 4}" y2="{y + 4}"/>
                <line class="whisker series{row.Series}" x1="{x(high):0.#}" x2="{x(high):0.#}" y1="{y - 4}" y2="{y + 4}"/>
                """);
        return html.Add($"""<circle class="dot series{row.Series}" cx="{x(estimate.Mean):0.#}" cy="{y}" r="4.5"/>""");
    }

    private string Figure(Estimate? estimate)
    {
        if (estimate is null) return "not measured";
        return Signed
            ? $"{Figures.Signed(estimate.Mean)} {Figures.Interval(estimate)}".TrimEnd()
            : $"{Figures.Number(100 * estimate.Mean)} {Figures.PlusMinus(estimate)}".TrimEnd();
    }

    private string Summary() => string.Join("; ", Rows.Select(row => $"{row.Label} {Figure(row.Estimate)}"));

    // In percent or points: all intervals, and no difference where differences are shown; ticks at round numbers.
    private (double Low, double High, IReadOnlyList<double> Ticks) Axis(IntervalRow[] rows)
    {
        var ends = rows.SelectMany(row => new[] { row.Estimate!.Low ?? row.Estimate.Mean, row.Estimate.High ?? row.Estimate.Mean });
        if (Signed) ends = ends.Append(0);
        double[] all = [.. ends.Select(end => 100 * end)];
        var margin = Math.Max(0.5, 0.06 * (all.Max() - all.Min()));
        var (low, high) = (all.Min() - margin, all.Max() + margin);
        var rough = (high - low) / 6;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = power * ((rough / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 });
        var first = (int)Math.Ceiling(low / step);
        var last = (int)Math.Floor(high / step);
        return (low, high, [.. Enumerable.Range(first, last - first + 1).Select(i => i * step)]);
    }
}

/// <summary>A row of a chart.</summary>
/// <param name="Label">What the figure is of.</param>
/// <param name="Estimate">The figure, 0 to 1; null where it was not measured.</param>
/// <param name="Series">Colour, 0 to 3.</param>
/// <param name="IsMarked">Whether it stands out, as the best or as a difference that is shown.</param>
internal sealed record IntervalRow(string Label, Estimate? Estimate, int Series, bool IsMarked);
