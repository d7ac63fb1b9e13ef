using System.ComponentModel.DataAnnotations;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What is trained, and how fast each part learns. The defaults train everything at one rate.</summary>
public sealed record FineTuningOptions : IValidatableObject
{
    /// <summary>The parts to train. The others keep their weights.</summary>
    /// <value>Default <see cref="TrainableParts.All"/>.</value>
    public TrainableParts TrainableParts { get; init; } = TrainableParts.All;

    /// <summary>Blocks of the vision tower to freeze, counted from the first, together with patch and position embeddings.</summary>
    /// <value>At most the tower's number of blocks; 0 freezes nothing. Default 0.</value>
    [Range(0, ClipArchitecture.MaxLayers)]
    public int FrozenVisionLayers { get; init; }

    /// <summary>Blocks of the text tower to freeze, counted from the first, together with token and position embeddings.</summary>
    /// <value>At most the tower's number of blocks; 0 freezes nothing. Default 0.</value>
    [Range(0, ClipArchitecture.MaxLayers)]
    public int FrozenTextLayers { get; init; }

    /// <summary>Learning rate of the prefixes relative to the rest. Prefixes that are new in a trained model may learn faster.</summary>
    /// <value>A factor. Default 1.</value>
    [Range(0.0, double.MaxValue, MinimumIsExclusive = true)]
    public double PrefixLearningRateFactor { get; init; } = 1;

    /// <summary>Factor by which the learning rate falls from each block of a tower to the block before it.</summary>
    /// <value>
    /// A factor. In a tower of L blocks, block i (from 1) learns with the rate times decay^(L + 1 - i), the embeddings before the blocks
    /// with decay^(L + 1). Last norm, projections, prefixes and logit scale learn with the whole rate. Source: ELECTRA (arXiv
    /// 2003.10555), in the form of BEiT (arXiv 2106.08254). Default 1.
    /// </value>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double LayerDecay { get; init; } = 1;

    IEnumerable<ValidationResult> IValidatableObject.Validate(ValidationContext validationContext)
    {
        if (TrainableParts == TrainableParts.None) yield return new($"{nameof(TrainableParts)} is None; name at least one part to train.");
    }
}
