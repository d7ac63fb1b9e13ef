using System.Globalization;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What a report says in a sentence, and its table of accuracies as text.</summary>
/// <remarks>Created by <see cref="PrefixClipReport.SaveReport"/>. Immutable.</remarks>
public sealed class ReportSummary
{
    private readonly ReportComparison _comparison;

    internal ReportSummary(ReportComparison comparison, string headline) => (_comparison, Headline) = (comparison, headline);

    /// <summary>What the figures allow to say about the default prefix, compared with the baseline or else with another prefix.</summary>
    public string Headline { get; }

    /// <summary>Zero-shot accuracies in percent, one line per prefix and one column per test set; empty without test sets.</summary>
    /// <returns>A star marks what is better than the reference: the 95 % interval of their difference on the same images excludes
    /// zero.</returns>
    public override string ToString()
    {
        if (_comparison.Tests.Count == 0) return "";
        List<string[]> lines = [["prefix", .. _comparison.Tests.Select(test => test.Name)]];
        for (var way = 0; way < _comparison.Ways.Count; way++)
        {
            var row = way;
            lines.Add([_comparison.Ways[way].Name, .. _comparison.Tests.Select(test =>
                Percent(test.Scores.Accuracy(row)) + (_comparison.HasStar(test.Scores, row) ? "*" : " "))]);
        }
        lines.Add(["chance", .. _comparison.Tests.Select(test => Percent(1.0 / test.Scores.ClassNames.Count) + " ")]);
        int[] widths = [.. lines[0].Select((_, column) => lines.Max(line => line[column].Length))];
        var text = new StringBuilder();
        for (var i = 0; i < lines.Count; i++)
        {
            text.AppendLine(string.Join("  ", lines[i].Select((cell, column) => Pad(cell, column, widths[column], i == 0))).TrimEnd());
            if (i == 0 || i == lines.Count - 2) text.AppendLine(string.Join("  ", widths.Select(width => new string('-', width))));
        }
        text.AppendLine("Zero-shot accuracy in percent.");
        return text.Append(_comparison.StarMeaning("*")).ToString().TrimEnd();
    }

    // Words to the left, numbers to the right; headings end above the last digit, not above the star.
    private static string Pad(string cell, int column, int width, bool isHeader) =>
        column == 0 ? cell.PadRight(width) : (isHeader && cell.Length < width ? cell + " " : cell).PadLeft(width);

    private static string Percent(double share) => (100 * share).ToString("0.0", CultureInfo.InvariantCulture);
}
