namespace Microsoft.ML.PrefixConditioning;

/// <summary>The learning rate after warm-up.</summary>
public enum LearningRateSchedule
{
    /// <summary>Half a cosine from the peak to 0.</summary>
    Cosine,

    /// <summary>The peak, unchanged.</summary>
    Constant,
}
