using System.Globalization;
using System.Text;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Zero-shot metrics of one model on one labeled set, for each prefix.</summary>
/// <remarks>Created by <see cref="PrefixEvaluationCatalog"/>. Immutable.</remarks>
public sealed class PrefixComparison
{
    internal PrefixComparison(IReadOnlyList<PrefixMetrics> prefixes, long rowCount, long missingLabels, long unreadableImages) =>
        (Prefixes, RowCount, MissingLabels, UnreadableImages) = (prefixes, rowCount, missingLabels, unreadableImages);

    /// <summary>The metrics of each prefix: the model's dataset types in their order, no prefix, then the additional ones.</summary>
    public IReadOnlyList<PrefixMetrics> Prefixes { get; }

    /// <summary>Number of scored rows, the same for every prefix.</summary>
    public long RowCount { get; }

    /// <summary>Number of rows that are not scored because their label is missing.</summary>
    public long MissingLabels { get; }

    /// <summary>Number of rows with a label that are not scored because their image is unreadable.</summary>
    public long UnreadableImages { get; }

    /// <summary>The metrics of one prefix.</summary>
    /// <exception cref="KeyNotFoundException">The prefix was not compared.</exception>
    public MulticlassClassificationMetrics this[PrefixSelection prefix]
    {
        get
        {
            ArgumentNullException.ThrowIfNull(prefix);
            return Prefixes.FirstOrDefault(p => p.Prefix.Equals(prefix)).Metrics
                ?? throw PrefixEvaluation.NotCompared(prefix, Prefixes.Select(p => p.Prefix));
        }
    }

    /// <summary>A table with one line per prefix: accuracy, top-k accuracy, mean per-class accuracy and log-loss.</summary>
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
/// <param name="Metrics">ML.NET's metrics: <c>MicroAccuracy</c> is top-1 and <c>TopKAccuracy</c> top-k accuracy, <c>MacroAccuracy</c> the
/// mean per-class accuracy over classes that have rows; also <c>LogLoss</c> (natural logarithm) and <c>ConfusionMatrix</c>.</param>
public readonly record struct PrefixMetrics(PrefixSelection Prefix, MulticlassClassificationMetrics Metrics);
