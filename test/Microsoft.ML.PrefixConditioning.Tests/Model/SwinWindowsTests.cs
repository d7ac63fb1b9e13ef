using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Windows, shifts and masks against a position-by-position computation.</summary>
[TestClass]
public sealed class SwinWindowsTests
{
    // sides that windows divide, that they do not, that are one window, that are smaller than one, and windows of one position
    public static IEnumerable<object[]> Sizes => [[8, 4], [10, 3], [7, 4], [4, 4], [2, 3], [1, 7], [5, 1], [12, 5], [14, 7]];

    [TestMethod]
    [DynamicData(nameof(Sizes))]
    public void Cut_AnySize_PutsEveryPositionWhereItBelongs(int side, int window)
    {
        using var scope = NewDisposeScope();
        var windows = new SwinWindows(side, window);
        int padded = (side + window - 1) / window * window, across = padded / window;
        Assert.AreEqual(padded > window ? window / 2 : 0, windows.Shift);
        Assert.AreEqual(across * across, windows.Count);
        var x = arange(1, 2 * side * side * 3 + 1, ScalarType.Float32).view(2, side, side, 3);   // 0 is padding
        foreach (var shift in new[] { 0, windows.Shift })
        {
            var cut = windows.Cut(x, shift);
            DataTestRows.Equal<long>([2 * across * across, window * window, 3], cut.shape);
            var expected = new List<float>();
            for (var image = 0; image < 2; image++)
                for (var g = 0; g < across * across; g++)
                    for (var i = 0; i < window * window; i++)
                    {
                        var (row, column) = Source(g, i, window, padded, (int)shift);
                        for (var c = 0; c < 3; c++) expected.Add(row < side && column < side
                            ? ((image * side + row) * side + column) * 3 + c + 1 : 0);
                    }
            CollectionAssert.AreEqual(expected, cut.data<float>().ToArray());
            TinyGolden.AreClose(x, windows.Join(cut, shift), 0, "joined again");
        }
    }

    [TestMethod]
    [DynamicData(nameof(Sizes))]
    public void Mask_AnySize_PartsWhatOnlyTheShiftBroughtTogether(int side, int window)
    {
        using var scope = NewDisposeScope();
        var windows = new SwinWindows(side, window);
        var (padded, shift) = ((side + window - 1) / window * window, (int)windows.Shift);
        if (shift == 0) return;   // no mask is asked for
        var mask = windows.Mask(CPU);
        DataTestRows.Equal<long>([windows.Count, 1, window * window, window * window], mask.shape);
        var values = mask.data<float>().ToArray();
        var at = 0;
        for (var g = 0; g < windows.Count; g++)
            for (var i = 0; i < window * window; i++)
                for (var j = 0; j < window * window; j++, at++)
                {
                    // Positions of one window are neighbors where they are as far from each other on the map as in the window.
                    var (a, b) = (Source(g, i, window, padded, shift), Source(g, j, window, padded, shift));
                    var neighbors = a.Row - b.Row == i / window - j / window && a.Column - b.Column == i % window - j % window;
                    Assert.AreEqual(neighbors ? 0f : -100f, values[at], $"window {g}, positions {i} and {j}");
                }
        Assert.Contains(-100f, values);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    [DataRow(5)]
    public void RelativePositions_Pairs_HaveTheRowOfTheirDifference(int window)
    {
        var rows = SwinWindows.RelativePositions(window);
        var seen = new Dictionary<(int, int), long>();
        for (var (i, length) = (0, window * window); i < length; i++)
            for (var j = 0; j < length; j++)
            {
                var difference = (i / window - j / window, i % window - j % window);
                if (!seen.TryAdd(difference, rows[i * length + j])) Assert.AreEqual(seen[difference], rows[i * length + j]);
            }
        DataTestRows.Equal<long>([.. Enumerable.Range(0, (2 * window - 1) * (2 * window - 1))],
            seen.OrderBy(s => s.Key).Select(s => s.Value));
    }

    /// <summary>Where position i of window g comes from.</summary>
    private static (int Row, int Column) Source(int g, int i, int window, int padded, int shift)
    {
        var across = padded / window;
        return ((g / across * window + i / window + shift) % padded, (g % across * window + i % window + shift) % padded);
    }
}
