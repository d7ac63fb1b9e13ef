using System.ComponentModel.DataAnnotations;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Where and how often a run saves its state. A run that finds its own checkpoint continues from it.</summary>
public sealed record CheckpointOptions
{
    /// <summary>Folder for checkpoints.</summary>
    /// <value>A path, or null to save none. Default null.</value>
    public string? Folder { get; init; }

    /// <summary>Steps from one checkpoint to the next.</summary>
    /// <value>Steps, or null for one checkpoint per epoch. Default null.</value>
    [Range(1, int.MaxValue)]
    public int? Steps { get; init; }
}
