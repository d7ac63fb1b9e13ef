using System.Globalization;
using System.Xml.Linq;
using static Microsoft.ML.PrefixConditioning.Markup;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The confusion matrix of the default prefix, or the largest confusions where there are many classes.</summary>
internal static class ConfusionTable
{
    private const int MostClasses = 12, MostConfusions = 15, Levels = 4;

    public static XElement Draw(ScoredTestSet scores)
    {
        var counts = new Dictionary<(int Truth, int Predicted), int>();
        for (var i = 0; i < scores.Truth.Count; i++)
        {
            var cell = (scores.Truth[i], scores.Classifiers[ReportComparison.Subject].Classes[i]);
            counts[cell] = counts.GetValueOrDefault(cell) + 1;
        }
        return scores.ClassNames.Count <= MostClasses ? Matrix(scores.ClassNames, counts) : Largest(scores.ClassNames, counts);
    }

    private static XElement Matrix(IReadOnlyList<string> names, Dictionary<(int, int), int> counts)
    {
        var highest = counts.Values.Max();
        XElement Cell(int truth, int predicted)
        {
            var count = counts.GetValueOrDefault((truth, predicted));
            return new XElement("td", Class($"heat{(count * Levels + highest - 1) / highest}{(truth == predicted ? " diagonal" : "")}"),
                count == 0 ? "" : count.ToString(CultureInfo.InvariantCulture));
        }
        return Scrolling(new XElement("table",
            new XElement("caption", Class("note"), "Rows: true class. Columns: predicted class. Bold: right."),
            new XElement("thead", new XElement("tr", new XElement("th", new XAttribute("scope", "col"), "true"),
                names.Select(name => new XElement("th", new XAttribute("scope", "col"), name)))),
            new XElement("tbody", names.Select((name, truth) => new XElement("tr",
                new XElement("th", new XAttribute("scope", "row"), name), names.Select((_, predicted) => Cell(truth, predicted)))))));
    }

    private static XElement Largest(IReadOnlyList<string> names, Dictionary<(int Truth, int Predicted), int> counts)
    {
        var largest = counts.Where(cell => cell.Key.Truth != cell.Key.Predicted).OrderByDescending(cell => cell.Value)
            .ThenBy(cell => cell.Key.Truth).ThenBy(cell => cell.Key.Predicted).Take(MostConfusions).ToArray();
        return largest.Length == 0 ? Note("No class is taken for another.") : Table(["true → predicted class", "images"],
            largest.Select(cell => (IEnumerable<object>)[$"{names[cell.Key.Truth]} → {names[cell.Key.Predicted]}", cell.Value]));
    }
}
