using System.Xml.Linq;
using static Microsoft.ML.PrefixConditioning.Markup;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The most certain right and wrong predictions of the default prefix, with pictures.</summary>
internal static class CertainPredictions
{
    private const int Most = 6;

    public static IEnumerable<XElement> Draw(ScoredTestSet scores, IDataView data, string imageColumn)
    {
        var (predictions, isRight) = (scores.Classifiers[ReportComparison.Subject], scores.IsRight(ReportComparison.Subject));
        int[] order = [.. Enumerable.Range(0, isRight.Length).OrderByDescending(i => predictions.Probabilities[i])];
        int[] right = [.. order.Where(i => isRight[i]).Take(Most)], wrong = [.. order.Where(i => !isRight[i]).Take(Most)];
        var pictures = Thumbnails.Read(data, imageColumn, right.Concat(wrong).Select(i => scores.RowNumbers[i]));

        // Right and wrong differ by sign, word and line style, not by color alone.
        XElement Entry(int i)
        {
            var truth = scores.ClassNames[scores.Truth[i]];
            var (sign, word) = isRight[i] ? ("✓", "right") : ("✗", "wrong");
            return new XElement("li", Class(word), pictures.Picture(scores.RowNumbers[i], $"Test image of class {truth}"),
                new XElement("span", Class("verdict"), new XElement("span", new XAttribute("aria-hidden", "true"), sign), $" {word}"),
                new XElement("br"), $"{scores.ClassNames[predictions.Classes[i]]} {Percent(predictions.Probabilities[i])}",
                isRight[i] ? null : new object[] { new XElement("br"), $"is: {truth}" });
        }
        XElement List(int[] images, string none) =>
            images.Length == 0 ? Note(none) : new XElement("ul", Class("pictures"), images.Select(Entry));

        yield return new XElement("h3", "Most certain right predictions");
        yield return List(right, "No prediction is right.");
        yield return new XElement("h3", "Most certain wrong predictions");
        yield return List(wrong, "No prediction is wrong.");
    }
}
