using System.Text;
using System.Xml.Linq;
using static Microsoft.ML.PrefixConditioning.Markup;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A map of image embeddings on their first two principal components; classes differ by shape and color.</summary>
internal static class EmbeddingMap
{
    private const int MostPoints = 400;
    private const double Side = 360, Margin = 10;

    // Outlines of marks around a point, about 9 units wide: one per class, and a dot for all other classes.
    private static readonly string[] Marks =
    [
        "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z", "m-4-4h8v8h-8z", "m0-5 5 9h-10z", "m0-5.5 5.5 5.5-5.5 5.5-5.5-5.5z",
        "m-1.5-5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z", "m0 5 5-9h-10z", "m-5-1.5h10v3h-10z", "m-1.5-5h3v10h-3z",
    ];
    private const string OtherMark = "m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0z";

    /// <summary>Draws up to 400 images, evenly spread over the test set; null if there are too few.</summary>
    public static XElement? Draw(ScoredTestSet scores)
    {
        var count = Math.Min(MostPoints, scores.Truth.Count);
        int[] images = [.. Enumerable.Range(0, count).Select(i => (int)((long)i * scores.Truth.Count / count))];
        if (count < 2 || scores.Embeddings[0].Length < 2) return null;
        var map = PrincipalComponents.Of([.. images.Select(i => scores.Embeddings[i])]);
        var (left, right) = (map.Points.Min(p => p.X), map.Points.Max(p => p.X));
        var (low, high) = (map.Points.Min(p => p.Y), map.Points.Max(p => p.Y));
        var scale = (Side - (2 * Margin)) / Math.Max(Math.Max(right - left, high - low), 1e-12);   // the same along both axes
        var height = ((high - low) * scale) + (2 * Margin);
        (double X, double Y)[] drawn =
            [.. map.Points.Select(p => (Margin + ((p.X - left) * scale), height - Margin - ((p.Y - low) * scale)))];

        // The classes with most images; of equal ones the first.
        var classes = images.Select((image, i) => (Class: scores.Truth[image], Point: i)).GroupBy(p => p.Class, p => p.Point)
            .OrderByDescending(group => group.Count()).ThenBy(group => group.Key).ToArray();
        var groups = classes.Take(Marks.Length).Select((group, i) => (Name: scores.ClassNames[group.Key], Mark: i, Points: group.ToArray()))
            .ToList();
        int[] others = [.. classes.Skip(Marks.Length).SelectMany(group => group)];
        if (others.Length > 0) groups.Add(("other classes", Marks.Length, others));
        return new XElement("figure",
            new XElement("figcaption", $"{Counted(count, "image")}. The axes hold {Percent(map.Shares.X)} " +
                $"(across) and {Percent(map.Shares.Y)} (up) of the embeddings' variance.",
                new XElement("ul", Class("legend"), groups.Select(group => new XElement("li", Key(group.Mark), " ", group.Name)))),
            Svg(Side, height, "Map of image embeddings. The table below has the mean position of each class.",
                groups.AsEnumerable().Reverse().Select(group => Path(group.Mark, group.Points.Select(i => drawn[i])))),
            Details("Numbers: mean position of each class", Table(["class", "images", "across", "up"], groups.Select(group =>
                (IEnumerable<object>)[group.Name, group.Points.Length, Mean(group.Points, i => map.Points[i].X),
                    Mean(group.Points, i => map.Points[i].Y)]))));
    }

    private static string Mean(int[] points, Func<int, double> value) => Markup.Format(points.Average(value), "0.000");

    private static XElement Key(int mark) => new("svg", Class("key"), new XAttribute("viewBox", "-7 -7 14 14"),
        new XAttribute("aria-hidden", "true"), Path(mark, [(0, 0)]));

    private static XElement Path(int mark, IEnumerable<(double X, double Y)> points)
    {
        var path = new StringBuilder();
        foreach (var (x, y) in points)
            path.Append('M').Append(Coordinate(x)).Append(' ').Append(Coordinate(y)).Append(mark < Marks.Length ? Marks[mark] : OtherMark);
        return new XElement("path", Class($"mark mark{mark}"), new XAttribute("d", path.ToString()));
    }
}
