namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class PrefixSelectionAutoTests
{
    [TestMethod]
    public void Auto_Default_IsByDistanceRatio()
    {
        Assert.AreEqual(PrefixCriterion.DistanceRatio, PrefixSelection.Auto.Criterion);
        Assert.AreEqual("auto (DistanceRatio)", PrefixSelection.Auto.ToString());
        Assert.IsEmpty(PrefixSelection.Auto.Weights);
        Assert.IsNull(PrefixSelection.Caption.Criterion);
        Assert.IsNull(PrefixSelection.None.Criterion);
    }

    [TestMethod]
    public void AutoBy_Criteria_AreEqualToThemselvesOnly()
    {
        var all = Enum.GetValues<PrefixCriterion>().Select(PrefixSelection.AutoBy).Append(PrefixSelection.None).ToArray();
        Assert.AreEqual(all.Length, all.Distinct().Count());
        Assert.AreEqual(PrefixSelection.Auto, PrefixSelection.AutoBy(PrefixCriterion.DistanceRatio));
        Assert.AreEqual(PrefixSelection.Auto.GetHashCode(), PrefixSelection.AutoBy(PrefixCriterion.DistanceRatio).GetHashCode());
    }

    [TestMethod]
    public void AutoBy_NoMember_IsRefused()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => PrefixSelection.AutoBy((PrefixCriterion)77));
        Assert.StartsWith("The criterion is 77; use a member of PrefixCriterion.", error.Message);
    }

    [TestMethod]
    public void Resolve_Auto_SaysWhereItBelongs()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => PrefixResolution.Resolve(PrefixSelection.Auto, [DatasetType.Caption]));
        Assert.AreEqual("The prefix is auto (DistanceRatio), which is chosen from images by the Fit of ZeroShotClassification " +
            "and nowhere else. Name a prefix here, such as the one that a fitted classifier's Prefix says.", error.Message);
    }

    [TestMethod]
    public void MaxAutoImages_BelowOne_IsAFault()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(
            () => new ZeroShotClassificationOptions { ClassNames = ["a", "b"], MaxAutoImages = 0 }.Validate());
        Assert.Contains("MaxAutoImages is 0; it must be at least 1.", error.Message);
    }
}
