using PaperStudy;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Means and intervals over seeds.</summary>
[TestClass]
public sealed class EstimateTests
{
    // Tables of Student's t, two-sided 95 %.
    [TestMethod]
    [DataRow(1, 12.706204736)]
    [DataRow(2, 4.302652730)]
    [DataRow(3, 3.182446305)]
    [DataRow(4, 2.776445105)]
    [DataRow(9, 2.262157163)]
    [DataRow(29, 2.045229642)]
    [DataRow(100, 1.983971519)]
    public void Quantile_DegreesOfFreedom_IsTheTables(int freedom, double expected) =>
        Assert.AreEqual(expected, Estimate.Quantile(freedom), 1e-8);

    [TestMethod]
    public void Of_ValuesByHand_HasTheirInterval()
    {
        // Mean 3, standard deviation sqrt(2.5), standard error sqrt(0.5), times 2.776445105.
        var estimate = Estimate.Of([1, 2, 3, 4, 5])!;

        Assert.AreEqual(3, estimate.Mean, 1e-12);
        Assert.AreEqual(1.963243161, estimate.Half!.Value, 1e-8);
        Assert.AreEqual(1.036756839, estimate.Low!.Value, 1e-8);
        Assert.AreEqual(4.963243161, estimate.High!.Value, 1e-8);
        Assert.AreEqual(5, estimate.Count);
    }

    [TestMethod]
    public void Of_OneValue_HasNoInterval()
    {
        var estimate = Estimate.Of([0.25])!;

        Assert.AreEqual(new Estimate(0.25, null, 1), estimate);
        Assert.IsNull(estimate.Low);
        Assert.IsFalse(estimate.ExcludesZero);
    }

    [TestMethod]
    public void Of_NoValues_IsNull() => Assert.IsNull(Estimate.Of([]));

    [TestMethod]
    [DataRow(0.010, 0.009, 3, true)]
    [DataRow(-0.010, 0.009, 3, true)]
    [DataRow(0.010, 0.009, 2, false, DisplayName = "Two seeds are too few")]
    [DataRow(0.010, 0.011, 5, false)]
    [DataRow(0.0, 0.0, 5, false)]
    [DataRow(1e-16, 0.0, 5, false, DisplayName = "Rounding is no difference")]
    public void ExcludesZero_MeanHalfAndCount_NeedsAnIntervalOnOneSide(double mean, double half, int count, bool expected) =>
        Assert.AreEqual(expected, new Estimate(mean, half, count).ExcludesZero);

    [TestMethod]
    public void Difference_SeedsThatOneLacks_AreLeftOut()
    {
        var difference = Paired.Difference(Values((1, 0.5), (2, 0.6), (4, 0.9)), Values((1, 0.4), (2, 0.3), (3, 0.1)))!;

        Assert.AreEqual(2, difference.Count);
        Assert.AreEqual(0.2, difference.Mean, 1e-12);
    }

    [TestMethod]
    public void Difference_NoCommonSeed_IsNull() => Assert.IsNull(Paired.Difference(Values((1, 0.5)), Values((2, 0.5))));

    [TestMethod]
    public void AgainstBetter_TwoOthers_TakesTheOneWithTheHigherMean()
    {
        var (better, difference) = Paired.AgainstBetter(
            Values((1, 0.5), (2, 0.6)), [Values((1, 0.1), (2, 0.5)), Values((1, 0.4), (2, 0.4))])!.Value;

        Assert.AreEqual(1, better);
        Assert.AreEqual(0.15, difference.Mean, 1e-12);
    }

    [TestMethod]
    public void AgainstBetter_SeedsThatOneLacks_DoNotCount()
    {
        // Seed 3, where the first other shines, is not among the second's.
        var (better, difference) = Paired.AgainstBetter(
            Values((1, 0.5), (2, 0.6), (3, 0.7)), [Values((1, 0.1), (2, 0.1), (3, 1.0)), Values((1, 0.2), (2, 0.2))])!.Value;

        Assert.AreEqual(1, better);
        Assert.AreEqual(2, difference.Count);
    }

    [TestMethod]
    public void AgainstBetter_OneOtherWithoutValues_IsNull() =>
        Assert.IsNull(Paired.AgainstBetter(Values((1, 0.5)), [Values((1, 0.1)), Values()]));

    private static Dictionary<int, double> Values(params IEnumerable<(int Seed, double Value)> values) =>
        values.ToDictionary(v => v.Seed, v => v.Value);
}
