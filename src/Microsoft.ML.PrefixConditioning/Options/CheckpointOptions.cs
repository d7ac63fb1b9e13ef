using System.ComponentModel.DataAnnotations;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Where and how often training saves its state. A run that finds its own checkpoint resumes from it.</summary>
public sealed record CheckpointOptions : IValidatableObject
{
    /// <summary>Folder for checkpoints. One process at a time can use it.</summary>
    /// <value>Null means that no checkpoints are saved. Default null.</value>
    public string? Folder { get; init; }

    /// <summary>Number of steps between checkpoints.</summary>
    /// <value>Null means one checkpoint per epoch. Default null.</value>
    [Range(1, int.MaxValue)]
    public int? Steps { get; init; }

    /// <summary>Minutes after which a checkpoint is saved in addition, counted from the one before.</summary>
    /// <value>Null means that time does not matter. Default null.</value>
    [Range(0.0, double.MaxValue, MinimumIsExclusive = true)]
    public double? Minutes { get; init; }

    /// <summary>Number of checkpoints to keep. With a validation set, the one after the best validation is kept in addition.</summary>
    /// <value>With at least 2, a damaged checkpoint costs only the steps since the one before. Default 2.</value>
    [Range(1, int.MaxValue)]
    public int Keep { get; init; } = 2;

    /// <summary>Whether SIGTERM and Ctrl+C stop training as <see cref="PrefixClipOptions.CancellationToken"/> does: the state is saved
    /// after the current step. The signals then no longer end the process by themselves.</summary>
    /// <value>Default False.</value>
    public bool StopOnSignal { get; init; }

    /// <summary>Whether a run is recognized by the content of its image files and archives, which are all read before training. Otherwise
    /// their path, size and time of last modification count.</summary>
    /// <value>Default False.</value>
    public bool HashImages { get; init; }

    IEnumerable<ValidationResult> IValidatableObject.Validate(ValidationContext validationContext)
    {
        if (OptionFaults.OfPath(nameof(Folder), Folder) is { } fault) yield return new(fault);
    }
}
