using MathNet.Numerics.Distributions;

namespace PaperStudy;

/// <summary>A mean over seeds with its 95 % interval.</summary>
/// <param name="Mean">The mean.</param>
/// <param name="Half">Half the width of the interval; null for one value, which has none.</param>
/// <param name="Count">Number of values: seeds, or pairs of them.</param>
internal sealed record Estimate(double Mean, double? Half, int Count)
{
    /// <summary>Probability that the interval covers the mean over all seeds, for normally distributed values.</summary>
    public const double Confidence = 0.95;

    /// <summary>From this many values on, an interval without zero counts as a difference.</summary>
    public const int FewestForClaim = 3;

    /// <summary>Below any difference that one image can make: rounding in sums is no difference.</summary>
    public const double Rounding = 1e-12;

    /// <summary>Lower end of the interval, or null.</summary>
    public double? Low => Mean - Half;

    /// <summary>Upper end of the interval, or null.</summary>
    public double? High => Mean + Half;

    /// <summary>Whether there are at least <see cref="FewestForClaim"/> values and zero is outside of the interval.</summary>
    public bool ExcludesZero => Count >= FewestForClaim && Math.Abs(Mean) - Half > Rounding;

    /// <summary>Mean and Student's t interval with n - 1 degrees of freedom.</summary>
    /// <param name="values">One per seed.</param>
    /// <returns>Null for no values.</returns>
    public static Estimate? Of(IEnumerable<double> values)
    {
        var all = values.ToArray();
        if (all.Length == 0) return null;
        var mean = all.Average();
        if (all.Length == 1) return new Estimate(mean, null, 1);
        var deviation = Math.Sqrt(all.Sum(value => (value - mean) * (value - mean)) / (all.Length - 1));
        return new Estimate(mean, Quantile(all.Length - 1) * deviation / Math.Sqrt(all.Length), all.Length);
    }

    /// <summary>How many standard errors the interval reaches to each side.</summary>
    /// <param name="freedom">Degrees of freedom, at least 1.</param>
    public static double Quantile(int freedom) => StudentT.InvCDF(location: 0, scale: 1, freedom, (1 + Confidence) / 2);
}
