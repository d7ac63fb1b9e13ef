using System.Globalization;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What a search found (<see cref="PrefixClipEstimator.Tune"/>).</summary>
public sealed class TuningResult : IDisposable
{
    internal TuningResult(PrefixClipTransformer model, PrefixClipOptions options, TuningTrial best, IReadOnlyList<TuningTrial> trials) =>
        (Model, Options, Best, Trials) = (model, options, best, trials);

    /// <summary>The model of the best trial.</summary>
    public PrefixClipTransformer Model { get; }

    /// <summary>The options of the best trial. Train with them again, for example on more data.</summary>
    public PrefixClipOptions Options { get; }

    /// <summary>The most accurate trial of the last round.</summary>
    public TuningTrial Best { get; }

    /// <summary>All trials in the order in which they ended.</summary>
    public IReadOnlyList<TuningTrial> Trials { get; }

    /// <summary>Disposes the model.</summary>
    public void Dispose() => Model.Dispose();

    /// <summary>A table of all trials, the best first.</summary>
    public override string ToString()
    {
        var table = new StringBuilder("trial  round  epochs  accuracy  seconds  settings\n");
        foreach (var t in Trials.OrderByDescending(t => t.Round).ThenByDescending(t => t.Accuracy ?? -1).ThenBy(t => t.Number))
            table.Append(CultureInfo.InvariantCulture,
                $"{t.Number,5}  {t.Round,5}  {t.Epochs,6}  {t.Accuracy?.ToString("0.0000", CultureInfo.InvariantCulture) ?? "failed",8}  " +
                $"{t.Seconds,7:0.0}  {t.Fault ?? string.Join(", ", t.Settings.Select(s => $"{s.Key} {s.Value}"))}\n");
        return table.ToString();
    }
}
