namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ClassKeysTests
{
    [TestMethod]
    [DataRow("missile, sunglasses, missile, sunglasses, missile", "missile, sunglasses, missile (2), sunglasses (2), missile (3)")]
    [DataRow("missile, missile, missile (2), missile (2)", "missile, missile (3), missile (2), missile (2) (2)")]
    [DataRow("caf\u00e9, cafe\u0301", "caf\u00e9, cafe\u0301 (2)")]
    [DataRow("a, A, a ", "a, A, a ")]
    public void Names_Repeated_AreNumbered(string given, string expected)
    {
        var keys = new ClassKeys(given.Split(", "));

        Assert.AreEqual(expected, string.Join(", ", keys.Names));
        for (var i = 0; i < keys.Names.Length; i++) Assert.AreEqual((uint)i + 1, keys.Find(keys.Names[i]), keys.Names[i]);
    }

    [TestMethod]
    public void Names_TenThousandOfOneName_AreNumberedInReasonableTime()
    {
        var keys = new ClassKeys([.. Enumerable.Repeat("crane", 10_000)]);

        Assert.AreEqual("crane (10000)", keys.Names[^1]);
    }

    [TestMethod]
    [DataRow("cafe\u0301", 1u)]
    [DataRow("caf\u00e9", 1u)]
    [DataRow("\u1112\u1161\u11ab", 2u)]   // three letters of a syllable
    [DataRow("Caf\u00e9", 0u)]
    [DataRow("cafe", 0u)]
    [DataRow("\ud800", 0u)]   // half a character
    [DataRow("", 0u)]
    public void Find_LabelInAnyNormalizationForm_IsTheClass(string label, uint expected) =>
        Assert.AreEqual(expected, new ClassKeys(["cafe\u0301", "\ud55c"]).Find(label));

    [TestMethod]
    public void Find_RepeatedName_IsTheFirst() => Assert.AreEqual(1u, new ClassKeys(["crane", "crane"]).Find("crane"));
}
