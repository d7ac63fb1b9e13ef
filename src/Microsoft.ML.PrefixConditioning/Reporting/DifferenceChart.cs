using System.Xml.Linq;
using static Microsoft.ML.PrefixConditioning.Markup;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The differences of all ways to classify from the reference, on one test set: a dot and its interval each.</summary>
internal static class DifferenceChart
{
    private const double Width = 360, Left = 10, Right = Width - 10, RowHeight = 42, TextLine = 14, Foot = 44;
    private const int MostSteps = 4;

    public static XElement Draw(ReportComparison comparison, ComparedTest test)
    {
        var rows = comparison.Ways.Select((way, i) => (way.Name, Index: i)).Where(row => row.Index != comparison.Reference)
            .Select(row => (row.Name, row.Index, Difference: test.Scores.Difference(row.Index, comparison.Reference))).ToArray();
        var axis = Axis.Of(100 * Math.Min(0, rows.Min(row => row.Difference.Lower)),
            100 * Math.Max(0, rows.Max(row => row.Difference.Upper)), MostSteps);
        double X(double points) => Left + ((Right - Left) * (points - axis.First) / (axis.Last - axis.First));
        var bottom = (RowHeight * rows.Length) + 4;
        return new XElement("figure", new XElement("figcaption", new XElement("strong", test.Name)),
            Svg(Width, bottom + Foot, $"Differences on {test.Name} from {comparison.Ways[comparison.Reference].Phrase}. "
                + string.Join("; ", rows.Select(row => $"{row.Name}: {Verdict(row.Difference)}")) + ".",
                axis.Ticks().Select(tick => new[]
                {
                    Line(tick == 0 ? "axis" : "grid", X(tick), 0, X(tick), bottom),
                    Text(Math.Clamp(X(tick), Left + 6, Right - 6), bottom + 18, "middle", axis.Name(tick)),
                }),
                Text((Left + Right) / 2, bottom + Foot - 6, "middle", "points better than the reference"),
                rows.Select((row, i) => Row(row.Name, row.Difference, i * RowHeight, X, comparison.HasStar(test.Scores, row.Index)))),
            Details($"Numbers: differences on {test.Name}", Table(["prefix", "points", "interval"], rows.Select(row => (IEnumerable<object>)
                [row.Name, Points(row.Difference.Value), $"{Points(row.Difference.Lower)} to {Points(row.Difference.Upper)}"]))));
    }

    private static object[] Row(string name, PairedDifference difference, double top, Func<double, double> x, bool hasStar)
    {
        var middle = top + TextLine + 14;
        var (lower, upper) = (x(100 * difference.Lower), x(100 * difference.Upper));
        return
        [
            Text(Left, top + TextLine, "start", hasStar ? $"{name} ★" : name),
            Line("interval", lower, middle, upper, middle),
            Line("interval", lower, middle - 5, lower, middle + 5),
            Line("interval", upper, middle - 5, upper, middle + 5),
            new XElement("circle", Class("point"), At("cx", x(100 * difference.Value)), At("cy", middle), At("r", 5)),
        ];
    }

    private static string Verdict(PairedDifference difference) =>
        difference.IsBetter ? "better" : difference.IsWorse ? "worse" : "not separated";

    private static string Points(double share) => Markup.Format(100 * share, "+0.0;-0.0;0.0");
}
