using System.Globalization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Round numbers along the axis of a chart.</summary>
/// <param name="First">The lowest.</param>
/// <param name="Last">The highest.</param>
/// <param name="Step">From one to the next.</param>
internal readonly record struct Axis(double First, double Last, double Step)
{
    /// <summary>The axis that holds a range.</summary>
    /// <param name="lowest">Lowest value.</param>
    /// <param name="highest">Highest value.</param>
    /// <param name="steps">About how many steps to make.</param>
    public static Axis Of(double lowest, double highest, int steps)
    {
        var step = RoundUp((highest - lowest) / steps);
        var first = Math.Floor(lowest / step) * step;
        return new(first, Math.Max(first + step, Math.Ceiling(highest / step) * step), step);
    }

    /// <summary>The numbers from first to last.</summary>
    public IEnumerable<double> Ticks()
    {
        var (first, step) = (First, Step);
        return Enumerable.Range(0, (int)Math.Round((Last - First) / Step) + 1).Select(i => first + (i * step));
    }

    /// <summary>A number without more digits than the step has.</summary>
    public string Name(double value)
    {
        if (Step < 1e-3) return value == 0 ? "0" : value.ToString("0.#e-0", CultureInfo.InvariantCulture);
        return Math.Round(value, 6).ToString("0.####", CultureInfo.InvariantCulture);
    }

    // The next of 1, 2, 5, 10, 20, 50 ... (or 0.1, 0.2, 0.5 ...).
    private static double RoundUp(double rough)
    {
        if (!(rough > 0)) return 1;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        return power * ((rough / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 });
    }
}
