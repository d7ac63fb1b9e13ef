using System.Globalization;
using System.Text;

namespace PaperStudy;

/// <summary>Draws training losses as an SVG line chart: every step faintly, and a running mean on top.</summary>
internal static class LossChart
{
    private const double Width = 860;
    private const double Height = 340;
    private const double Left = 56;
    private const double Right = Width - 16;
    private const double Top = 16;
    private const double Bottom = Height - 48;

    // A running mean over about this share of the steps shows the trend without hiding its changes.
    private const double SmoothedShare = 0.04;

    public static Html Draw(IReadOnlyList<LossCurve> curves)
    {
        // A loss that is not a number has no place in a chart.
        LossCurve[] drawn = [.. curves
            .Select(curve => curve with { Points = [.. curve.Points.Where(point => double.IsFinite(point.Loss))] })
            .Where(curve => curve.Points.Count > 0)];
        var html = new Html();
        if (drawn.Length == 0) return html.Add($"<p>No losses were recorded.</p>");

        var lastStep = Math.Max(2, drawn.Max(curve => curve.Points[^1].Step));
        var highest = drawn.Max(curve => curve.Points.Max(point => point.Loss));
        var lossStep = RoundStep(highest / 5);
        var topLoss = Math.Max(lossStep, Math.Ceiling(highest / lossStep) * lossStep);
        double X(double step) => Left + (Right - Left) * step / lastStep;
        double Y(double loss) => Bottom - (Bottom - Top) * Math.Max(0, loss) / topLoss;

        var summary = string.Join("; ", drawn.Select(curve => string.Create(
            CultureInfo.InvariantCulture, $"{curve.Name}: from {curve.Points[0].Loss:0.00} to {Smooth(curve.Points)[^1].Loss:0.00}")));
        html.Add($"""<svg class="chart" viewBox="0 0 {Width} {Height}" role="img" aria-label="Training loss by step. {summary}.">""");
        for (var loss = 0.0; loss <= topLoss * 1.0001; loss += lossStep)
            html.Add($"""
                <line class="grid" x1="{Left}" x2="{Right}" y1="{Y(loss):0.#}" y2="{Y(loss):0.#}"/>
                <text x="{Left - 8}" y="{Y(loss) + 4:0.#}" text-anchor="end">{loss:0.##}</text>
                """);
        var stepStep = Math.Max(1, RoundStep(lastStep / 8.0));
        for (var step = 0.0; step <= lastStep; step += stepStep)
            html.Add($"""
                <line class="axis" x1="{X(step):0.#}" x2="{X(step):0.#}" y1="{Bottom}" y2="{Bottom + 5}"/>
                <text x="{X(step):0.#}" y="{Bottom + 20}" text-anchor="middle">{step:0}</text>
                """);
        html.Add($"""
            <line class="axis" x1="{Left}" x2="{Right}" y1="{Bottom}" y2="{Bottom}"/>
            <line class="axis" x1="{Left}" x2="{Left}" y1="{Top}" y2="{Bottom}"/>
            <text x="{(Left + Right) / 2}" y="{Height - 8}" text-anchor="middle">step</text>
            <text transform="translate(14 {(Top + Bottom) / 2}) rotate(-90)" text-anchor="middle">loss</text>
            """);

        for (var i = 0; i < drawn.Length; i++)
        {
            html.Add($"""<path class="raw series{i % 4}" d="{Line(drawn[i].Points, X, Y)}"/>""");
            html.Add($"""<path class="smooth series{i % 4}" d="{Line(Smooth(drawn[i].Points), X, Y)}"/>""");
        }
        for (var i = 0; i < drawn.Length; i++)
        {
            var y = Top + 14 + 20 * i;
            html.Add($"""
                <line class="smooth series{i % 4}" x1="{Right - 250}" x2="{Right - 214}" y1="{y}" y2="{y}"/>
                <text x="{Right - 206}" y="{y + 4}">{drawn[i].Name}</text>
                """);
        }
        return html.Add($"</svg>").Add($"""<p class="note">Faint: every step. Bold: running mean.</p>""");
    }

    /// <summary>Exponential mean, corrected at the start so that it does not begin at 0.</summary>
    private static List<(int Step, double Loss)> Smooth(IReadOnlyList<(int Step, double Loss)> points)
    {
        var keep = 1 - 1 / Math.Max(1, points.Count * SmoothedShare);
        var (sum, weight) = (0.0, 0.0);
        var smooth = new List<(int, double)>(points.Count);
        foreach (var (step, loss) in points)
        {
            sum = keep * sum + loss;
            weight = keep * weight + 1;
            smooth.Add((step, sum / weight));
        }
        return smooth;
    }

    private static string Line(IReadOnlyList<(int Step, double Loss)> points, Func<double, double> x, Func<double, double> y)
    {
        var path = new StringBuilder();
        foreach (var (step, loss) in points)
            path.Append(path.Length == 0 ? 'M' : 'L').Append(CultureInfo.InvariantCulture, $"{x(step):0.#} {y(loss):0.#}");
        return path.ToString();
    }

    // The next of 1, 2, 5, 10, 20, 50 ... (or 0.1, 0.2, 0.5 ...).
    private static double RoundStep(double rough)
    {
        if (!(rough > 0)) return 1;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        return power * ((rough / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 });
    }
}

/// <summary>The losses of one training run.</summary>
/// <param name="Name">Which model.</param>
/// <param name="Points">Steps, rising, with the loss of each.</param>
internal sealed record LossCurve(string Name, IReadOnlyList<(int Step, double Loss)> Points);
