using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ShardTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void ShardOf_AllShards_HaveEveryRowOnce()
    {
        AreShards(View(10), [0, 3, 6, 9], [1, 4, 7], [2, 5, 8]);
        AreShards(View(2), [0], [1], []);
        AreShards(View(0), [], []);
        AreShards(View(3), [0, 1, 2]);
    }

    [TestMethod]
    public void ShardOf_FilteredView_CountsTheRowsThatAreLeft()
    {
        var filtered = _mlContext.Data.FilterByCustomPredicate<Row>(View(10), row => row.Number < 4);
        DataTestRows.Equal([5, 7, 9], Numbers(_mlContext.Data.ShardOf(filtered, 1, 2)));
        Assert.IsNull(_mlContext.Data.ShardOf(filtered, 1, 2).GetRowCount());
    }

    [TestMethod]
    public void ShardOf_Sources_AreShardedAlike()
    {
        using var folder = new DataTestFolder();
        foreach (var name in new[] { "a/1.png", "a/2.png", "b/1.png", "b/2.png" }) folder.Write($"labeled/{name}");
        var labeled = _mlContext.Data.LoadImageFolder(folder["labeled"]);
        var captioned = _mlContext.Data.LoadImageCaptions(folder.Write("captions.tsv", "image\tcaption\n1.png\tone\n2.png\ttwo\n"));
        DataTestRows.Equal(["a", "b"], _mlContext.Data.ShardOf(labeled, 1, 2).Texts("Label"));
        DataTestRows.Equal(["two"], _mlContext.Data.ShardOf(captioned, 1, 2).Texts("Text"));
        DataTestRows.Equal(["a", "b", "one"],
            _mlContext.Data.ShardOf(_mlContext.Data.UnifyDatasets(labeled, captioned), 0, 2).Texts("Text"));
        DataTestRows.Equal(["b"], _mlContext.Data.ShardOf(_mlContext.Data.TakeRowsPerClass(labeled, 1, seed: 1), 1, 2).Texts("Text"));
    }

    [TestMethod]
    public void ShardOf_ShuffledView_IsTheSameEachTime()
    {
        IDataView Shard(int index) => _mlContext.Data.ShardOf(_mlContext.Data.ShuffleRows(View(20), seed: 3), index, 2);
        DataTestRows.Equal(Numbers(Shard(0)), Numbers(Shard(0)));
        DataTestRows.Equal([.. Enumerable.Range(0, 20)], Numbers(Shard(0)).Concat(Numbers(Shard(1))).Order());
        CollectionAssert.AreNotEqual(Enumerable.Range(0, 10).Select(i => 2 * i).ToArray(), Numbers(Shard(0)));
    }

    [TestMethod]
    public void ShardOf_Shard_CanBeShuffledSplitCachedAndSharded()
    {
        var shard = _mlContext.Data.ShardOf(View(40), 1, 2);
        var expected = Numbers(shard);
        Assert.IsFalse(shard.CanShuffle);
        var shuffled = Numbers(_mlContext.Data.ShuffleRows(shard, seed: 3));
        CollectionAssert.AreNotEqual(expected, shuffled);
        CollectionAssert.AreEquivalent(expected, shuffled);
        var split = _mlContext.Data.TrainTestSplit(shard, 0.5, seed: 1);
        DataTestRows.Equal(expected, Numbers(split.TrainSet).Concat(Numbers(split.TestSet)).Order());
        DataTestRows.Equal(expected, Numbers(_mlContext.Data.Cache(shard)));
        DataTestRows.Equal([3, 7], Numbers(_mlContext.Data.ShardOf(shard, 1, 2)).Take(2));
    }

    [TestMethod]
    public void ShardOf_OtherShards_AreNotComputed()
    {
        var computed = new List<int>();
        var view = new TextRowsView(9, ("Text", row =>
        {
            computed.Add(row);
            return $"{row}";
        }
        ));
        DataTestRows.Equal(["2", "5", "8"], _mlContext.Data.ShardOf(view, 2, 3).Texts("Text"));
        DataTestRows.Equal([2, 5, 8], computed);
    }

    [TestMethod]
    [DataRow(0, 0, "count")]
    [DataRow(-1, 3, "index")]
    [DataRow(3, 3, "index")]
    public void ShardOf_WrongArguments_AreNamed(int index, int count, string name) => Assert.AreEqual(name,
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.ShardOf(View(9), index, count)).ParamName);

    private void AreShards(IDataView view, params int[][] expected)
    {
        for (var index = 0; index < expected.Length; index++)
        {
            var shard = _mlContext.Data.ShardOf(view, index, expected.Length);
            DataTestRows.Equal(expected[index], Numbers(shard));
            DataTestRows.Equal(expected[index], Numbers(shard));
            if (view.GetRowCount() is not null) Assert.AreEqual(expected[index].Length, shard.GetRowCount());
        }
    }

    private static int[] Numbers(IDataView view) => [.. view.GetColumn<int>("Number")];

    private IDataView View(int rows) => _mlContext.Data.LoadFromEnumerable(Enumerable.Range(0, rows).Select(i => new Row { Number = i }));

    private sealed class Row
    {
        public int Number { get; set; }
    }
}
