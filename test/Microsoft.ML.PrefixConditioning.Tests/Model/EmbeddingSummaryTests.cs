namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass, TestCategory(Numeric.Category)]
public sealed class EmbeddingSummaryTests
{
    private static readonly EmbeddingSummary First = new(2, [1, 0], [4, 0]), Second = new(6, [3, 4], [1, 9]);

    [TestMethod]
    public void Of_ThreeEmbeddings_IsTheirMeanAndVariance()
    {
        var summary = EmbeddingSummary.Of([[1, 2], [3, 2], [5, 5]]);
        Assert.AreEqual(3, summary.Count);
        Near([3, 3], summary.Mean);
        Near([8.0 / 3, 2], summary.Variance);
    }

    [TestMethod]
    public void SquaredDistance_OfMeansAndDeviations_IsByHand()
    {
        Assert.AreEqual(4 + 16 + 1 + 9, EmbeddingSummary.SquaredDistance(First, Second), 1e-12);
        Assert.AreEqual(0, EmbeddingSummary.SquaredDistance(First, First));
    }

    [TestMethod]
    public void Read_WhatWasWritten_IsEqual()
    {
        var read = EmbeddingSummary.Read(new MemoryStream(Written()), types: 2, size: 2);
        Assert.AreEqual(6, read[1].Count);
        CollectionAssert.AreEqual(First.Mean, read[0].Mean);
        CollectionAssert.AreEqual(Second.Variance, read[1].Variance);
    }

    [TestMethod]
    public void Read_OtherTypesOrValues_IsRefused()
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => EmbeddingSummary.Read(new MemoryStream(Written()), types: 3, size: 2));
        Assert.AreEqual("It has summaries of 2 dataset types, the model has 3.", error.Message);
        foreach (var bad in new[] { First with { Count = 0 }, First with { Mean = [double.NaN, 0] }, First with { Variance = [0, -1] } })
            Assert.ThrowsExactly<InvalidDataException>(() => EmbeddingSummary.Read(new MemoryStream(Written(bad)), types: 2, size: 2));
        Assert.ThrowsExactly<EndOfStreamException>(() => EmbeddingSummary.Read(new MemoryStream(Written()[..^3]), types: 2, size: 2));
    }

    private static byte[] Written(EmbeddingSummary? first = null)
    {
        using var stream = new MemoryStream();
        EmbeddingSummary.Write(stream, [first ?? First, Second]);
        return stream.ToArray();
    }

    private static void Near(double[] expected, double[] actual)
    {
        Assert.HasCount(expected.Length, actual);
        for (var d = 0; d < expected.Length; d++) Assert.AreEqual(expected[d], actual[d], 1e-12);
    }
}
