namespace Microsoft.ML.PrefixConditioning;

/// <summary>The learning rate of every step.</summary>
internal static class LearningRate
{
    /// <summary>Rate of one step: linear warm-up, then half a cosine to 0 or the peak unchanged.</summary>
    /// <param name="schedule">What follows warm-up.</param>
    /// <param name="step">Steps done before this one, from 0.</param>
    /// <param name="peak">The highest rate.</param>
    /// <param name="warmup">Steps of warm-up; its first step already has a rate above 0.</param>
    /// <param name="total">Steps of the whole run.</param>
    /// <remarks>Source: open_clip v3.3.0, <c>cosine_lr</c> and <c>const_lr</c>.</remarks>
    public static double At(LearningRateSchedule schedule, int step, double peak, int warmup, int total)
    {
        if (step < warmup) return peak * (step + 1) / warmup;
        if (schedule == LearningRateSchedule.Constant) return peak;
        return 0.5 * (1 + Math.Cos(Math.PI * (step - warmup) / (total - warmup))) * peak;
    }
}
