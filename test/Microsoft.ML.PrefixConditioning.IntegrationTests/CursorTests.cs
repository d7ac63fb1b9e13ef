using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>Scored views as ML.NET and users read them.</summary>
[TestClass]
public sealed class CursorTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void Read_ManyRows_StayInOrderWithTheirOwnEmbeddings()
    {
        var paths = Enumerable.Range(0, 150).Select(i => Tiny.Data.Image(i * 7 % 24)).ToArray();
        var embedded = Tiny.Model.Transform(Paths(paths));
        var single = Tiny.Data.Images.ToDictionary(i => i.Path, i => Tiny.Model.EncodeImages([i.Path])[0]);

        Assert.AreSequenceEqual(paths, embedded.GetColumn<string>("Image"));
        var embeddings = embedded.GetColumn<float[]>("ImageEmbedding").ToArray();
        Assert.HasCount(150, embeddings);
        for (var i = 0; i < paths.Length; i++)
            for (var d = 0; d < 24; d++) Assert.AreEqual(single[paths[i]][d], embeddings[i][d], 1e-5f, $"Row {i}.");
    }

    [TestMethod]
    public void Read_OtherColumnsOnly_NeverTouchesTheImages()
    {
        var scored = Score(Paths(["nowhere/1.png", "nowhere/2.png"]));
        Assert.AreEqual("nowhere/1.png nowhere/2.png", string.Join(' ', scored.GetColumn<string>("Image")));
        Assert.AreEqual("1 1", string.Join(' ', scored.GetColumn<uint>("Label")));
        Assert.AreEqual(2, scored.GetRowCount());
        Assert.AreEqual(2, _mlContext.Data.CreateEnumerable<PathRow>(Tiny.Model.Transform(Paths(["a", "b"])), reuseRowObject: false)
            .Count());
    }

    [TestMethod]
    public void Read_ImagesIntoOneVariable_DisposesTheOneBefore()
    {
        var images = Tiny.Data.Images.Take(3).Select(i => MLImage.CreateFromFile(i.Path)).ToArray();
        var embedded = Tiny.Model.Transform(_mlContext.Data.LoadFromEnumerable(images.Select(image => new PixelsRow { Image = image })));
        using var cursor = embedded.GetRowCursor([embedded.Schema["Image"], embedded.Schema["ImageEmbedding"]]);
        var getter = cursor.GetGetter<MLImage>(embedded.Schema["Image"]);
        MLImage value = null!;
        Assert.IsTrue(cursor.MoveNext());
        getter(ref value);
        var first = value;
        Assert.IsTrue(cursor.MoveNext());
        getter(ref value);

        Assert.ThrowsExactly<InvalidOperationException>(() => first.Pixels.Length);
        Assert.AreEqual(images[1].Width, value.Width);
        CollectionAssert.AreEqual(images[1].Pixels.ToArray(), value.Pixels.ToArray());
        // Another variable has another owner.
        var kept = value;
        value = null!;
        Assert.IsTrue(cursor.MoveNext());
        getter(ref value);
        Assert.AreEqual(images[1].Width, kept.Width);
        foreach (var image in images.Append(kept).Append(value)) image.Dispose();
    }

    [TestMethod]
    public void Read_EmptyView_GivesNoRows()
    {
        var scored = Score(Paths([]));
        Assert.IsEmpty(scored.GetColumn<float[]>("Score").ToArray());
        Assert.IsEmpty(Tiny.Model.Transform(Paths([])).Preview().RowView);
    }

    [TestMethod]
    public void TakeAndSkipRows_OfAScoredView_GiveTheRightRows()
    {
        var all = Score(Tiny.Data.Test(_mlContext)).GetColumn<float[]>("Score").ToArray();
        var some = _mlContext.Data.TakeRows(_mlContext.Data.SkipRows(Score(Tiny.Data.Test(_mlContext)), 10), 5).GetColumn<float[]>("Score")
            .ToArray();
        Assert.HasCount(5, some);
        for (var i = 0; i < 5; i++) CollectionAssert.AreEqual(all[10 + i], some[i]);
    }

    [TestMethod]
    public void TakeRows_BadImageBehindThem_IsNotMet()
    {
        var paths = Tiny.Data.Images.Select(i => i.Path).Append("nowhere.png");
        Assert.HasCount(24, _mlContext.Data.TakeRows(Score(Paths(paths)), 24).GetColumn<float[]>("Score").ToArray());
    }

    [TestMethod]
    public void ShuffleRows_BeforeAndAfter_KeepsRowsTogether()
    {
        var expected = Score(Tiny.Data.Test(_mlContext)).GetColumn<string>("Image")
            .Zip(Score(Tiny.Data.Test(_mlContext)).GetColumn<float[]>("Score")).ToDictionary(p => p.First, p => p.Second[0]);
        foreach (var shuffled in new[]
        {
            _mlContext.Data.ShuffleRows(Score(Tiny.Data.Test(_mlContext)), seed: 3),
            Score(_mlContext.Data.ShuffleRows(Tiny.Data.Test(_mlContext), seed: 3)),
        })
        {
            var paths = new List<string>();
            foreach (var row in _mlContext.Data.CreateEnumerable<ScoredRow>(shuffled, reuseRowObject: false))
            {
                paths.Add(row.Image);
                Assert.AreEqual(expected[row.Image], row.Score[0], 1e-5f);
            }
            CollectionAssert.AreEquivalent(expected.Keys.ToArray(), paths);
            CollectionAssert.AreNotEqual(expected.Keys.ToArray(), paths, "The rows were not shuffled.");
        }
    }

    [TestMethod]
    public void GetRowCursor_WithRandom_ReadsEachRowOnce()
    {
        var scored = Score(Tiny.Data.Test(_mlContext));
        Assert.IsTrue(scored.CanShuffle);
        using var cursor = scored.GetRowCursor(scored.Schema, new Random(1));
        var image = cursor.GetGetter<ReadOnlyMemory<char>>(scored.Schema["Image"]);
        var seen = new HashSet<string>();
        ReadOnlyMemory<char> path = default;
        while (cursor.MoveNext())
        {
            image(ref path);
            seen.Add(path.ToString());
        }
        Assert.HasCount(24, seen);
    }

    [TestMethod]
    public void GetRowCursor_ManyThreadsOnOneTransformer_AllReadTheSame()
    {
        var test = Tiny.Data.Test(_mlContext);
        var expected = Score(test).GetColumn<float[]>("Score").SelectMany(s => s).ToArray();
        var transformer = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(test);
        var shared = transformer.Transform(test);
        // More cursors at once than the thread pool has threads: none may wait for a free one.
        var threads = Enumerable.Range(0, 4 * Environment.ProcessorCount).Select(_ => Task.Run(() =>
            shared.GetColumn<float[]>("Score").Concat(transformer.Transform(test).GetColumn<float[]>("Score")).SelectMany(s => s)
                .ToArray())).ToArray();
        Assert.IsTrue(Task.WaitAll(threads, TimeSpan.FromMinutes(2)), "The cursors wait for each other.");
        foreach (var thread in threads) CollectionAssert.AreEqual(expected.Concat(expected).ToArray(), thread.Result);
    }

    [TestMethod]
    public void GetRowCursorSet_SeveralWanted_ReadsEveryRowOnce()
    {
        var scored = Score(Tiny.Data.Test(_mlContext));
        var cursors = scored.GetRowCursorSet(scored.Schema, 4);
        var rows = 0;
        foreach (var cursor in cursors)
        {
            while (cursor.MoveNext()) rows++;
            cursor.Dispose();
        }
        Assert.AreEqual(24, rows);
    }

    [TestMethod]
    public void GetRowCursor_TwoInTurn_DoNotDisturbEachOther()
    {
        var scored = Score(Tiny.Data.Test(_mlContext));
        var expected = scored.GetColumn<float[]>("Score").ToArray();
        using var first = scored.GetRowCursor([scored.Schema["Score"]]);
        using var second = scored.GetRowCursor([scored.Schema["Score"]]);
        var (firstGetter, secondGetter) = (first.GetGetter<VBuffer<float>>(scored.Schema["Score"]),
            second.GetGetter<VBuffer<float>>(scored.Schema["Score"]));
        VBuffer<float> value = default;
        for (var i = 0; i < 12; i++)
        {
            Assert.IsTrue(first.MoveNext());
            firstGetter(ref value);
            CollectionAssert.AreEqual(expected[i], value.DenseValues().ToArray());
            if (i % 3 > 0) continue;
            Assert.IsTrue(second.MoveNext());
            secondGetter(ref value);
            CollectionAssert.AreEqual(expected[i / 3], value.DenseValues().ToArray());
        }
    }

    [TestMethod]
    public void Preview_ScoredView_ShowsAllColumns()
    {
        var preview = Score(Tiny.Data.Train(_mlContext)).Preview(maxRows: 3);
        Assert.HasCount(3, preview.RowView);
        Assert.AreEqual("Image Text DatasetType Label Score PredictedLabel Label", string.Join(' ', preview.Schema.Select(c => c.Name)));
    }

    [TestMethod]
    public void SaveAsBinary_ScoredView_ReadsBackTheSame()
    {
        var scored = Score(Tiny.Data.Test(_mlContext));
        var path = Path.Combine(Tiny.Data.Folder, "scored.idv");
        using (var stream = File.Create(path)) _mlContext.Data.SaveAsBinary(scored, stream);
        var again = _mlContext.Data.LoadFromBinary(path);
        CollectionAssert.AreEqual(
            scored.GetColumn<float[]>("Score").SelectMany(s => s).ToArray(),
            again.GetColumn<float[]>("Score").SelectMany(s => s).ToArray());
    }

    [TestMethod]
    public void Cache_OfEmbeddings_GivesThemAgain()
    {
        var embedded = Tiny.Model.Transform(Tiny.Data.Test(_mlContext));
        var cached = _mlContext.Data.Cache(embedded, "ImageEmbedding");
        var direct = embedded.GetColumn<float[]>("ImageEmbedding").SelectMany(e => e).ToArray();
        CollectionAssert.AreEqual(direct, cached.GetColumn<float[]>("ImageEmbedding").SelectMany(e => e).ToArray());
        CollectionAssert.AreEqual(direct, cached.GetColumn<float[]>("ImageEmbedding").SelectMany(e => e).ToArray());
    }

    private IDataView Paths(IEnumerable<string> paths) =>
        _mlContext.Data.LoadFromEnumerable(paths.Select(p => new PathRow { Image = p, Label = "red" }).ToArray());

    private IDataView Score(IDataView rows) =>
        _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(rows).Transform(rows);

    private sealed class ScoredRow
    {
        public string Image { get; set; } = "";

        public float[] Score { get; set; } = [];
    }
}
