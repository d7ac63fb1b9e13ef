namespace Microsoft.ML.PrefixConditioning;

/// <summary>The difference of two accuracies on the same images, with its 95 % confidence interval. All are from -1 to 1.</summary>
/// <param name="Value">First accuracy minus second.</param>
/// <param name="Lower">Lower end of the interval.</param>
/// <param name="Upper">Upper end of the interval.</param>
internal readonly record struct PairedDifference(double Value, double Lower, double Upper)
{
    private const double Quantile = 1.959964;   // of the standard normal distribution, at 0.975
    private const double AddedToCell = 0.5;

    /// <summary>Whether the interval is above zero.</summary>
    public bool IsBetter => Lower > 0;

    /// <summary>Whether the interval is below zero.</summary>
    public bool IsWorse => Upper < 0;

    /// <summary>Compares two ways to classify the same images.</summary>
    /// <param name="first">[N], whether the first way is right.</param>
    /// <param name="second">[N], whether the second way is right.</param>
    /// <remarks>
    /// Wald's interval after half an image is added to each of the four cells: Agresti and Min, Simple improved confidence intervals for
    /// comparing matched proportions, Statistics in Medicine 24 (2005). It also holds where the two ways hardly ever differ.
    /// </remarks>
    public static PairedDifference Of(IReadOnlyList<bool> first, IReadOnlyList<bool> second)
    {
        var (onlyFirst, onlySecond) = (0, 0);
        for (var i = 0; i < first.Count; i++)
        {
            if (first[i] && !second[i]) onlyFirst++;
            if (second[i] && !first[i]) onlySecond++;
        }
        var (b, c, n) = (onlyFirst + AddedToCell, onlySecond + AddedToCell, first.Count + (4 * AddedToCell));
        var center = (b - c) / n;
        var margin = Quantile * Math.Sqrt(b + c - ((b - c) * (b - c) / n)) / n;
        return new(
            (onlyFirst - onlySecond) / (double)Math.Max(1, first.Count), Math.Max(-1, center - margin), Math.Min(1, center + margin));
    }
}
