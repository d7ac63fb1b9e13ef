using System.ComponentModel.DataAnnotations;
using SweepRange = Microsoft.ML.SearchSpace.RangeAttribute;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Settings of AdamW and the learning-rate schedule. The peak rate is <see cref="PrefixClipOptions.LearningRate"/>.</summary>
/// <remarks>Source of the defaults: CLIP paper (arXiv 2103.00020), table 18.</remarks>
public sealed record OptimizerOptions
{
    /// <summary>Steps over which the learning rate rises from 0 to its peak.</summary>
    /// <value>Null means a tenth of all steps, but at most 10,000. Default null.</value>
    [Range(0, int.MaxValue)]
    public int? WarmupSteps { get; init; }

    /// <summary>How the learning rate changes after warm-up.</summary>
    /// <value>Default <see cref="LearningRateSchedule.Cosine"/>.</value>
    public LearningRateSchedule Schedule { get; init; } = LearningRateSchedule.Cosine;

    /// <summary>Weight decay. It applies to weight matrices and embedding tables, not to norms, biases, prefixes or the logit
    /// scale.</summary>
    /// <value>Default 0.2.</value>
    [Range(0.0, double.MaxValue)]
    [SweepRange(0.01, 1.0, init: 0.2, logBase: true)]
    public double WeightDecay { get; init; } = 0.2;

    /// <summary>Decay rate of the first moment.</summary>
    /// <value>Default 0.9.</value>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay rate of the second moment.</summary>
    /// <value>Default 0.98.</value>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Beta2 { get; init; } = 0.98;

    /// <summary>Added to the denominator of an update to keep it above 0.</summary>
    /// <value>Default 1E-06.</value>
    [Range(0.0, double.MaxValue, MinimumIsExclusive = true)]
    public double Epsilon { get; init; } = 1e-6;

    /// <summary>Maximum L2 norm of the gradient over all parameters. A larger gradient is scaled down to it.</summary>
    /// <value>Null means no clipping. Default null.</value>
    [Range(0.0, double.MaxValue, MinimumIsExclusive = true)]
    public double? GradientClipNorm { get; init; }
}
