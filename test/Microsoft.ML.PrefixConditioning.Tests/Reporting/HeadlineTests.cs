namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The headline and the stars say what the figures allow to say.</summary>
[TestClass]
public sealed class HeadlineTests
{
    private static readonly ScoredTestSet Better = ScoredTests.Of("+90 -10", "+60 -40");
    private static readonly ScoredTestSet Worse = ScoredTests.Of("+60 -40", "+90 -10");
    private static readonly ScoredTestSet Same = ScoredTests.Of("+62 -38", "+60 -40");

    [TestMethod]
    public void Of_Better_SaysByHowMuch() => Assert.AreEqual(
        "The caption prefix classifies the 100 images of \"far\" better than the classification prefix by 30.0 points (95 % interval " +
        "20.4 to 38.5).", Headline.Of(ScoredTests.Compare(("far", Better))));

    [TestMethod]
    public void Of_Worse_SaysByHowMuchWithoutASign() => Assert.AreEqual(
        "The caption prefix classifies the 100 images of \"near\" worse than the classification prefix by 30.0 points (95 % interval " +
        "20.4 to 38.5).", Headline.Of(ScoredTests.Compare(("near", Worse))));

    [TestMethod]
    public void Of_IntervalWithZero_SeparatesNothing() => Assert.AreEqual(
        "The test set \"near\" of 100 images does not separate the caption prefix from the classification prefix: the difference is 2.0 " +
        "points (95 % interval -1.3 to 5.3).", Headline.Of(ScoredTests.Compare(("near", Same))));

    [TestMethod]
    public void Of_SeveralTestSets_SaysWhatEachShows() => Assert.AreEqual(
        "Compared with the classification prefix, the caption prefix is better on \"far\" by 30.0 points (95 % interval 20.4 to 38.5), " +
        "and worse on \"near\" by 30.0 points (95 % interval 20.4 to 38.5); \"other\" does not separate them.",
        Headline.Of(ScoredTests.Compare(("near", Worse), ("far", Better), ("other", Same))));

    [TestMethod]
    public void Of_SeveralTestSetsThatSeparateNothing_SaysSo() => Assert.AreEqual(
        "None of the 2 test sets separates the caption prefix from the classification prefix: every 95 % interval of their difference " +
        "includes zero.", Headline.Of(ScoredTests.Compare(("a", Same), ("b", Same))));

    [TestMethod]
    public void Of_NoTestSet_PromisesNothing() => Assert.Contains("not how well it classifies", Headline.Of(ScoredTests.Compare()));

    [TestMethod]
    public void HasStar_OnlyWhereTheIntervalIsAboveZero()
    {
        var comparison = ScoredTests.Compare(("far", Better), ("near", Worse), ("other", Same));

        CollectionAssert.AreEqual((bool[])[true, false, false], comparison.Tests.Select(t => comparison.HasStar(t.Scores, 0)).ToArray());
        Assert.IsFalse(comparison.HasStar(Worse, 1), "The reference is compared with nothing.");
    }

    [TestMethod]
    public void Summary_Table_AlignsNumbersAndStars()
    {
        var comparison = ScoredTests.Compare(("far", Better), ("near", Worse), ("same", Same));

        var table = new ReportSummary(comparison, "").ToString();

        Assert.AreEqual("""
            prefix           far   near   same
            --------------  -----  -----  -----
            caption         90.0*  60.0   62.0
            classification  60.0   90.0   60.0
            --------------  -----  -----  -----
            chance          50.0   50.0   50.0
            Zero-shot accuracy in percent.
            * marks what is better than the classification prefix:
            """.ReplaceLineEndings(), table[..(table.IndexOf(':', StringComparison.Ordinal) + 1)].ReplaceLineEndings());
    }

    [TestMethod]
    // Computed by hand: half an image is added to each of four cells.
    [DataRow("+30 -70", "-30 -70", 0.3, 0.2036, 0.3846)]
    [DataRow("+5 -5", "+5 -5", 0.0, -0.1633, 0.1633)]
    [DataRow("+1", "-1", 1.0, -0.5101, 1.0)]
    public void PairedDifference_EqualsTheFormula(string first, string second, double value, double lower, double upper)
    {
        var difference = ScoredTests.Of(first, second).Difference(0, 1);

        Assert.AreEqual(value, difference.Value, 1e-12);
        Assert.AreEqual(lower, difference.Lower, 1e-3);
        Assert.AreEqual(upper, difference.Upper, 1e-3);
    }
}
