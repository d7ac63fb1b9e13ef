using System.Text;
using System.Xml.Linq;
using static Microsoft.ML.PrefixConditioning.Markup;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A curve of a chart.</summary>
/// <param name="Name">In the legend.</param>
/// <param name="Points">Ascending in X.</param>
internal sealed record Curve(string Name, IReadOnlyList<(double X, double Y)> Points)
{
    // A running mean over about this share of the points shows the trend without hiding its changes.
    private const double SmoothedShare = 0.04;

    /// <summary>The points that have a place in a chart.</summary>
    public Curve Finite() => this with { Points = [.. Points.Where(point => double.IsFinite(point.Y))] };

    /// <summary>Exponential mean, corrected at the start so that it does not begin at 0.</summary>
    public Curve Smooth()
    {
        var keep = 1 - (1 / Math.Max(1, Points.Count * SmoothedShare));
        var (sum, weight) = (0.0, 0.0);
        var smooth = new List<(double, double)>(Points.Count);
        foreach (var (x, y) in Points)
        {
            sum = (keep * sum) + y;
            weight = (keep * weight) + 1;
            smooth.Add((x, sum / weight));
        }
        return this with { Points = smooth };
    }

    /// <summary>At most that many points, evenly spaced, with the first and the last.</summary>
    public Curve Thinned(int most) => Points.Count <= most ? this
        : this with { Points = [.. Enumerable.Range(0, most).Select(i => Points[(int)((long)i * (Points.Count - 1) / (most - 1))])] };
}

/// <summary>What a line chart shows.</summary>
/// <param name="Title">Caption of the figure.</param>
/// <param name="XName">What the horizontal axis has, such as "step".</param>
/// <param name="YName">What the vertical axis has, such as "loss".</param>
/// <param name="Format">Number format of Y.</param>
internal sealed record LineChart(string Title, string XName, string YName, string Format)
{
    private const double Width = 360, Height = 240, Left = 52, Right = Width - 10, Top = 12, Bottom = Height - 42;
    private const int MostPoints = 400, MostRows = 11, MostLines = 4;

    /// <summary>Whether a running mean is drawn over the points.</summary>
    public bool IsNoisy { get; init; }

    /// <summary>Draws the curves that have a finite point; null if none has.</summary>
    public XElement? Draw(params IEnumerable<Curve> curves)
    {
        Curve[] drawn = [.. curves.Select(curve => curve.Finite()).Where(curve => curve.Points.Count > 0)];
        if (drawn.Length == 0) return null;
        Curve[] lines = [.. drawn.Select(curve => (IsNoisy ? curve.Smooth() : curve).Thinned(MostPoints))];
        var points = (IsNoisy ? drawn : lines).SelectMany(curve => curve.Points).ToArray();
        var (firstX, lastX) = (points.Min(p => p.X), points.Max(p => p.X));
        var axis = Axis.Of(Math.Min(0, points.Min(p => p.Y)), points.Max(p => p.Y), MostLines);
        double X(double x) => lastX > firstX ? Left + ((Right - Left) * (x - firstX) / (lastX - firstX)) : (Left + Right) / 2;
        double Y(double y) => Bottom - ((Bottom - Top) * (y - axis.First) / (axis.Last - axis.First));

        var label = $"{Title}: " + string.Join("; ", lines.Select(curve =>
            $"{curve.Name} from {Value(curve.Points[0].Y)} to {Value(curve.Points[^1].Y)}")) + ".";
        var ticks = Axis.Of(firstX, lastX, MostLines).Ticks().Where(x => x >= firstX && x <= lastX && x == Math.Floor(x));
        return new XElement("figure", new XElement("figcaption", Title, Legend(drawn)), Svg(Width, Height, label,
            axis.Ticks().Select(y => new[] { Line("grid", Left, Y(y), Right, Y(y)), Text(Left - 6, Y(y) + 5, "end", axis.Name(y)) }),
            ticks.Select(x => new[]
            {
                Line("axis", X(x), Bottom, X(x), Bottom + 5), Text(X(x), Bottom + 20, "middle", Markup.Format(x, "0")),
            }),
            Text((Left + Right) / 2, Height - 4, "middle", XName),
            IsNoisy ? drawn.Select((curve, i) => Path($"raw series{i}", curve.Thinned(MostPoints), X, Y)) : null,
            lines.Select((curve, i) => Path($"smooth series{i}", curve, X, Y)),
            lines.SelectMany((curve, i) => curve.Points.Count > MostRows ? [] : curve.Points.Select(p => new XElement("circle",
                Class($"dot series{i}"), At("cx", X(p.X)), At("cy", Y(p.Y)), At("r", 3))))),
            IsNoisy ? Note("Faint: every step. Bold: running mean.") : null,
            Numbers(lines));
    }

    private static XElement? Legend(Curve[] curves) => curves.Length == 1 ? null : new XElement("ul", Class("legend"),
        curves.Select((curve, i) => new XElement("li", new XElement("svg", new XAttribute("viewBox", "0 0 36 12"),
            new XAttribute("aria-hidden", "true"), Line($"smooth series{i}", 0, 6, 36, 6)), " ", curve.Name)));

    private XElement Numbers(Curve[] lines)
    {
        Curve[] rows = [.. lines.Select(curve => curve.Thinned(MostRows))];
        string[] named = [.. rows.Select(curve => rows.Length == 1 ? YName : $"{YName}, {curve.Name}")];
        string At(Curve curve, double x) => curve.Points.Where(p => p.X == x).Select(p => Value(p.Y)).FirstOrDefault("–");
        return Details($"Numbers: {YName}{(IsNoisy ? " (running mean)" : "")}", Table([XName, .. named],
            rows.SelectMany(curve => curve.Points.Select(p => p.X)).Distinct().Order().Select(x => (IEnumerable<object>)
                [Markup.Format(x, "0"), .. rows.Select(curve => At(curve, x))])));
    }

    private string Value(double y) => Markup.Format(y, Format);

    private static XElement Path(string names, Curve curve, Func<double, double> x, Func<double, double> y)
    {
        var path = new StringBuilder();
        foreach (var point in curve.Points)
            path.Append(path.Length == 0 ? 'M' : 'L').Append(Coordinate(x(point.X))).Append(' ').Append(Coordinate(y(point.Y)));
        return new XElement("path", Class(names), new XAttribute("d", path.ToString()));
    }
}
