namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The vectors of an index in memory.</summary>
[TestClass]
public sealed class EmbeddingRowsTests
{
    [TestMethod]
    [DataRow(0f, 0f)]
    [DataRow(float.NaN, 1f)]
    [DataRow(float.PositiveInfinity, 1f)]
    public void TryAdd_NoDirection_IsRefused(float x, float y)
    {
        var rows = new EmbeddingRows(2);

        Assert.IsFalse(rows.TryAdd([x, y]));
        Assert.AreEqual(0, rows.Count);
    }

    [TestMethod]
    public void TryAdd_AnyLength_IsScaled_AndUnitLengthStays()
    {
        var rows = new EmbeddingRows(2);
        float[] unit = [0.6f, 0.8000001f];

        rows.TryAdd([3, 4]);
        rows.TryAdd(unit);

        Assert.AreEqual(0.6f, rows[0][0], 1e-7f);
        Assert.AreEqual(0.8f, rows[0][1], 1e-7f);
        CollectionAssert.AreEqual(unit, rows[1].ToArray(), "A model's own embeddings keep every bit.");
    }

    [TestMethod]
    public void Blocks_SeveralChunks_HoldEveryRowOnceInOrder()
    {
        var rows = new EmbeddingRows(2);
        for (var i = 0; i < 10_000; i++) rows.TryAdd([i, 1]);

        foreach (var (most, first) in new[] { (4096, 0), (256, 0), (5000, 4000), (1, 9_998) })
        {
            var next = first;
            foreach (var block in rows.Blocks(most, first))
            {
                Assert.AreEqual(next, block.First);
                Assert.IsLessThanOrEqualTo(most, block.Count);
                Assert.AreEqual(2 * block.Count, block.Values.Length);
                Assert.AreEqual(rows[next][0], block.Values.Span[0]);
                next += block.Count;
            }
            Assert.AreEqual(10_000, next);
        }
    }

    [TestMethod]
    public void Snapshot_WhileTheOriginalGrows_StaysAsItIs()
    {
        var rows = new EmbeddingRows(2);
        rows.TryAdd([1, 0]);
        var snapshot = rows.Snapshot();

        for (var i = 0; i < 10_000; i++) rows.TryAdd([0, 1]);

        Assert.AreEqual(1, snapshot.Count);
        Assert.AreEqual(1f, snapshot.Blocks().Single().Values.Span[0]);
    }
}
