using System.Globalization;

namespace PaperStudy;

/// <summary>Writes figures as texts: accuracies as percentages and differences as points of percent, with one decimal.</summary>
internal static class Figures
{
    /// <summary>What the marks of differences mean.</summary>
    public static string MarkNote { get; } =
        $"▲ and ▼: the interval excludes zero, with at least {Estimate.FewestForClaim} seeds; "
        + "where nothing differs, one interval in twenty does so by chance.";

    /// <summary>An accuracy with half its interval, such as "61.2" and "± 1.3".</summary>
    /// <param name="accuracy">0 to 1; null where nothing was measured.</param>
    /// <param name="seeds">The row's number of seeds; the cell names its own if it has another.</param>
    /// <param name="mark">What is special about it.</param>
    public static TableCell Percent(Estimate? accuracy, int seeds, CellMark mark) => accuracy is null
        ? TableCell.Empty
        : new TableCell(Number(100 * accuracy.Mean), Detail(PlusMinus(accuracy), accuracy.Count, seeds), mark);

    /// <summary>A difference with its interval, such as "+1.2" and "(0.3 to 2.1)"; marked where the interval excludes zero.</summary>
    /// <param name="difference">0 to 1; null where no seed has both.</param>
    /// <param name="seeds">The row's number of seeds; the cell names its own if it has another.</param>
    /// <param name="isAgainstBetter">Whether the other was chosen by the same figures: then nothing is marked as worse.</param>
    public static TableCell Points(Estimate? difference, int seeds, bool isAgainstBetter = false)
    {
        if (difference is null) return TableCell.Empty;
        var mark = !difference.ExcludesZero ? CellMark.None : difference.Mean > 0 ? CellMark.Better : isAgainstBetter ? CellMark.None
            : CellMark.Worse;
        return new TableCell(Signed(difference.Mean), Detail(Interval(difference), difference.Count, seeds), mark);
    }

    /// <summary>A number with one decimal, never "-0.0".</summary>
    public static string Number(double value) => Rounded(value).ToString("0.0", CultureInfo.InvariantCulture);

    /// <summary>A difference of accuracies in points, with its sign.</summary>
    public static string Signed(double difference) => Rounded(100 * difference).ToString("+0.0;-0.0;0.0", CultureInfo.InvariantCulture);

    /// <summary>The interval in points, such as "(0.3 to 2.1)"; empty for one seed.</summary>
    public static string Interval(Estimate difference) =>
        difference.Low is { } low && difference.High is { } high ? $"({Number(100 * low)} to {Number(100 * high)})" : "";

    /// <summary>Half the interval in points, such as "± 1.3"; empty for one seed.</summary>
    public static string PlusMinus(Estimate accuracy) => accuracy.Half is { } half ? $"± {Number(100 * half)}" : "";

    /// <summary>A whole number.</summary>
    public static string Whole(double value) => Math.Round(value).ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A number with its noun, such as "1 seed" and "5 seeds".</summary>
    public static string Counted(int count, string noun) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {noun}{(count == 1 ? "" : "s")}");

    /// <summary>How many seeds the rows of a table have, and what the figures behind them are.</summary>
    /// <param name="most">The most seeds that a figure has.</param>
    /// <param name="interval">How the interval is shown, such as "± is half the interval".</param>
    public static string SeedNote(int most, string interval) => most switch
    {
        0 => "Nothing is measured yet.",
        1 => "One seed only: there is no interval, and differences may be chance.",
        _ => $"Means over seeds; {interval} (95 %, Student's t, degrees of freedom: seeds - 1), which is the chance of training and not " +
            "that of the test images.",
    };

    private static string Detail(string interval, int own, int ofRow) =>
        own == ofRow ? interval : $"{interval} {Counted(own, "seed")}".TrimStart();

    // Adding zero turns -0 into 0.
    private static double Rounded(double value) => Math.Round(value, 1, MidpointRounding.AwayFromZero) + 0.0;
}
