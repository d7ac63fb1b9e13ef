using System.Globalization;
using System.Text;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>One model's zero-shot metrics on one labeled set, prefix by prefix.</summary>
/// <remarks>Made by <see cref="PrefixEvaluationCatalog"/>. Immutable.</remarks>
public sealed class PrefixComparison
{
    internal PrefixComparison(IReadOnlyList<PrefixMetrics> prefixes, long rowCount, long missingLabels, long unreadableImages) =>
        (Prefixes, RowCount, MissingLabels, UnreadableImages) = (prefixes, rowCount, missingLabels, unreadableImages);

    /// <summary>The metrics of each prefix: the model's dataset types in their order, none, then those that were asked for.</summary>
    public IReadOnlyList<PrefixMetrics> Prefixes { get; }

    /// <summary>Rows that the metrics are taken from; the same for every prefix.</summary>
    public long RowCount { get; }

    /// <summary>Rows that are not counted in the metrics because their label is missing.</summary>
    public long MissingLabels { get; }

    /// <summary>Rows with a label that are not counted in the metrics because their image cannot be read.</summary>
    public long UnreadableImages { get; }

    /// <summary>The metrics of one prefix.</summary>
    /// <exception cref="KeyNotFoundException">The prefix was not compared.</exception>
    public MulticlassClassificationMetrics this[PrefixSelection prefix]
    {
        get
        {
            ArgumentNullException.ThrowIfNull(prefix);
            return Prefixes.FirstOrDefault(p => p.Prefix.Equals(prefix)).Metrics ?? throw new KeyNotFoundException(
                $"The prefix '{prefix}' was not compared; there are {NearName.List([.. Prefixes.Select(p => p.Prefix.ToString())])}.");
        }
    }

    /// <summary>A table for people: one line per prefix with accuracy, top-k accuracy, mean per-class accuracy and log-loss.</summary>
    public override string ToString()
    {
        var k = Prefixes[0].Metrics.TopKPredictionCount;
        var width = Math.Max("prefix".Length, Prefixes.Max(p => p.Prefix.ToString().Length));
        var table = new StringBuilder();
        table.AppendLine(CultureInfo.InvariantCulture, $"{"prefix".PadRight(width)}  top-1  {"top-" + k,5}  per class  log-loss");
        foreach (var (prefix, metrics) in Prefixes)
            table.AppendLine(CultureInfo.InvariantCulture, $"{prefix.ToString().PadRight(width)}  {100 * metrics.MicroAccuracy,5:0.0}  " +
                $"{100 * metrics.TopKAccuracy,5:0.0}  {100 * metrics.MacroAccuracy,9:0.0}  {metrics.LogLoss,8:0.000}");
        table.Append(CultureInfo.InvariantCulture,
            $"{RowCount} rows; {MissingLabels} without a label and {UnreadableImages} with an unreadable image are left out.");
        return table.ToString();
    }
}

/// <summary>The metrics of one prefix.</summary>
/// <param name="Prefix">A prefix, none, or a blend.</param>
/// <param name="Metrics">
/// ML.NET's own: <c>MicroAccuracy</c> is top-1, <c>TopKAccuracy</c> top-k, <c>MacroAccuracy</c> the mean per-class accuracy over the
/// classes that have rows, then <c>LogLoss</c> (natural logarithm) and <c>ConfusionMatrix</c>.
/// </param>
public readonly record struct PrefixMetrics(PrefixSelection Prefix, MulticlassClassificationMetrics Metrics);
