namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class DatasetTypeTests
{
    [TestMethod]
    public void Predefined_Types_HaveTheNamesOfTheContract()
    {
        Assert.AreEqual(new DatasetType("caption", TextKind.Caption), DatasetType.Caption);
        Assert.AreEqual(new DatasetType("classification", TextKind.ClassName), DatasetType.Classification);
    }

    [TestMethod]
    public void Equals_NameOfOtherCase_Differs() => Assert.AreNotEqual(new DatasetType("Caption", TextKind.Caption), DatasetType.Caption);
}
