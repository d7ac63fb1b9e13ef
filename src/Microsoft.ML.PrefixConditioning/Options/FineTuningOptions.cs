using System.ComponentModel.DataAnnotations;
using SweepRange = Microsoft.ML.SearchSpace.RangeAttribute;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Which parts are trained, and at which learning rates. By default, everything is trained at the same rate.</summary>
public sealed record FineTuningOptions : IValidatableObject
{
    /// <summary>The parts to train. The others keep their weights.</summary>
    /// <value>Default <see cref="TrainableParts.All"/>.</value>
    public TrainableParts TrainableParts { get; init; } = TrainableParts.All;

    /// <summary>Number of blocks of the vision tower to freeze, starting with the first. Patch and position embeddings are frozen with
    /// them.</summary>
    /// <value>At most the tower's number of blocks; 0 freezes nothing. Default 0.</value>
    [Range(0, ClipArchitecture.MaxLayers)]
    public int FrozenVisionLayers { get; init; }

    /// <summary>Number of blocks of the text tower to freeze, starting with the first. Token and position embeddings are frozen with
    /// them.</summary>
    /// <value>At most the tower's number of blocks; 0 freezes nothing. Default 0.</value>
    [Range(0, ClipArchitecture.MaxLayers)]
    public int FrozenTextLayers { get; init; }

    /// <summary>Learning rate of the prefixes divided by that of the other weights. Prefixes that are new in a trained model can learn
    /// faster.</summary>
    /// <value>Default 1.</value>
    [Range(0.0, double.MaxValue, MinimumIsExclusive = true)]
    [SweepRange(1.0, 100.0, init: 1.0, logBase: true)]
    public double PrefixLearningRateFactor { get; init; } = 1;

    /// <summary>Factor by which the learning rate decreases from each block of a tower to the previous one.</summary>
    /// <value>
    /// In a tower of L blocks, block i (from 1) has the learning rate times decay^(L + 1 - i), and the embeddings before the blocks have it
    /// times decay^(L + 1). The last norm, projections, prefixes and logit scale have the full rate. Source: ELECTRA (arXiv 2003.10555), in
    /// the form of BEiT (arXiv 2106.08254). Default 1.
    /// </value>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    [SweepRange(0.5, 1.0, init: 1.0, logBase: false)]
    public double LayerDecay { get; init; } = 1;

    IEnumerable<ValidationResult> IValidatableObject.Validate(ValidationContext validationContext)
    {
        if (TrainableParts == TrainableParts.None) yield return new($"{nameof(TrainableParts)} is None; name at least one part to train.");
    }
}
