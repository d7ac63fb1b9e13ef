using System.ComponentModel.DataAnnotations;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Where and how often training saves its state. A run that finds its own checkpoint resumes from it.</summary>
public sealed record CheckpointOptions
{
    /// <summary>Folder for checkpoints.</summary>
    /// <value>Null means that no checkpoints are saved. Default null.</value>
    public string? Folder { get; init; }

    /// <summary>Number of steps between checkpoints.</summary>
    /// <value>Null means one checkpoint per epoch. Default null.</value>
    [Range(1, int.MaxValue)]
    public int? Steps { get; init; }
}
