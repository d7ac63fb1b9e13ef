using System.ComponentModel.DataAnnotations;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Settings of a search for the best options (<see cref="PrefixClipEstimator.Tune"/>). Immutable.</summary>
public sealed record TuningOptions : IValidatableObject
{
    /// <summary>Number of settings to try. The first are the estimator's own options; the others are drawn at random.</summary>
    /// <value>Default 20.</value>
    [Range(1, 100_000)]
    public int Trials { get; init; } = 20;

    /// <summary>Successive halving: all trials train for few epochs, and one in this many goes on to the next round, which has this many
    /// times the epochs. The last round has all of <see cref="PrefixClipOptions.Epochs"/>. With 1, every trial trains for all
    /// epochs.</summary>
    /// <value>Source: "Hyperband", arXiv 1603.06560, section 3. Default 3.</value>
    [Range(1, 100)]
    public int Halving { get; init; } = 3;

    /// <summary>Time after which no trial starts and a running one ends. The result is the best of the trials that were finished.</summary>
    /// <value>Null means no limit. Default null.</value>
    [Range(0.0, double.MaxValue, MinimumIsExclusive = true)]
    public double? Minutes { get; init; }

    /// <summary>Folder for the table of trials (<c>trials.jsonl</c>), the best model, and the checkpoints of the running trial. A search
    /// that finds its own table goes on where it was interrupted.</summary>
    /// <value>Null means that nothing is saved. Default null.</value>
    public string? Folder { get; init; }

    /// <summary>Seed of the settings that are drawn.</summary>
    /// <value>Null means the estimator's seed. Default null.</value>
    public int? Seed { get; init; }

    /// <summary>Receives each trial when it ends, on the thread of the search.</summary>
    /// <value>Null means no reports. Default null.</value>
    public IProgress<TuningTrial>? Progress { get; init; }

    internal void Validate() => OptionFaults.ThrowIfAny(nameof(TuningOptions), OptionFaults.Of(this));

    IEnumerable<ValidationResult> IValidatableObject.Validate(ValidationContext validationContext)
    {
        if (OptionFaults.OfPath(nameof(Folder), Folder) is { } fault) yield return new(fault);
    }
}
