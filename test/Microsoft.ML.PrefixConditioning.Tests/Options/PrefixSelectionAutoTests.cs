namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class PrefixSelectionAutoTests
{
    [TestMethod]
    public void Auto_EqualsItselfOnly()
    {
        Assert.AreEqual("auto", PrefixSelection.Auto.ToString());
        Assert.IsEmpty(PrefixSelection.Auto.Weights);
        PrefixSelection[] all = [PrefixSelection.Auto, PrefixSelection.None, PrefixSelection.Caption];
        Assert.HasCount(3, all.Distinct().ToArray());
        Assert.AreNotEqual(PrefixSelection.Auto.GetHashCode(), PrefixSelection.None.GetHashCode());
    }

    [TestMethod]
    public void Resolve_Auto_SaysWhereItBelongs()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => PrefixResolution.Resolve(PrefixSelection.Auto, [DatasetType.Caption]));
        Assert.AreEqual("The prefix is auto, which is chosen from images by the Fit of ZeroShotClassification " +
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
