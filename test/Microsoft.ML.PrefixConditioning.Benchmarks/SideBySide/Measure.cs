using System.Globalization;

namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>One line of the comparison.</summary>
/// <param name="Name">What was measured, with its unit.</param>
/// <param name="Ours">This package's figure.</param>
/// <param name="Other">The figure that it is compared with.</param>
/// <param name="Ratio">What the bar is set for.</param>
/// <param name="Bar">The bar.</param>
/// <param name="Direction">On which side of the bar the ratio must be.</param>
internal sealed record Measure(string Name, double Ours, double Other, double Ratio, double Bar, Bound Direction = Bound.AtLeast)
{
    /// <summary>Whether the bar is reached.</summary>
    public bool IsReached => Direction == Bound.AtLeast ? Ratio >= Bar : Ratio <= Bar;

    /// <inheritdoc/>
    public override string ToString() => string.Join('\t', Name, Number(Ours), Number(Other), Number(Ratio),
        (Direction == Bound.AtLeast ? ">= " : "<= ") + Number(Bar), IsReached ? "ok" : "short");

    private static string Number(double value) =>
        value.ToString(Math.Abs(value) is >= 0.001 and < 100_000 or 0 ? "0.####" : "0.##e0", CultureInfo.InvariantCulture);
}

/// <summary>On which side of its bar a ratio must be.</summary>
internal enum Bound
{
    AtLeast,
    AtMost,
}
