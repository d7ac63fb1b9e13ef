namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What an index finds.</summary>
[TestClass]
public sealed class ClipSearchIndexTests
{
    private const float Rounding = 1e-5f;

    private static PrefixClipTransformer _model = null!;

    [ClassInitialize]
    public static void Create(TestContext _) => _model = ScoringModel.Transformer();

    [ClassCleanup]
    public static void Free() => _model.Dispose();

    [TestMethod]
    public void Search_SeveralBlocks_EqualsComparingEachPair()
    {
        var (items, queries) = (EmbeddedRow.Random(9_000), EmbeddedRow.Random(300, seed: 2));
        var index = EmbeddedRow.Index(_model, items);

        var results = index.Search(queries, top: 20);

        Assert.AreEqual(9_000, index.Count);
        Assert.HasCount(300, results);
        foreach (var (query, found) in queries.Zip(results))
        {
            Assert.AreEqual(20, found.Select(f => f.Key).Distinct().Count());
            var expected = items.Select(item => EmbeddedRow.Cosine(query, item)).OrderDescending().Take(20).ToArray();
            for (var i = 0; i < expected.Length; i++)
            {
                Assert.AreEqual(expected[i], found[i].Score, Rounding);
                Assert.AreEqual(expected[i], EmbeddedRow.Cosine(query, items[int.Parse(found[i].Key)]), Rounding, "The key is the item's.");
            }
        }
    }

    [TestMethod]
    public void Search_OneByOne_EqualsManyAtOnceBitByBit()
    {
        var queries = EmbeddedRow.Random(300, seed: 2);
        var index = EmbeddedRow.Index(_model, EmbeddedRow.Random(5_000));

        var together = index.Search(queries, top: 5);

        for (var i = 0; i < queries.Length; i += 37)
            CollectionAssert.AreEqual(together[i].ToArray(), index.Search([queries[i]], top: 5)[0].ToArray());
    }

    [TestMethod]
    public void Search_EqualScores_AreInTheOrderOfAdding()
    {
        var (same, other) = (EmbeddedRow.Random(1)[0], EmbeddedRow.Random(2)[1]);
        var index = EmbeddedRow.Index(_model, Enumerable.Range(0, 5_000).Select(i => i % 1000 == 7 ? other : same));

        var found = index.Search([same], top: 4_999)[0];

        var expected = Enumerable.Range(0, 5_000).OrderBy(i => i % 1000 == 7).ThenBy(i => i).Take(4_999).Select(i => $"{i}").ToArray();
        CollectionAssert.AreEqual(expected, found.Select(f => f.Key).ToArray());
        Assert.AreEqual(2, found.Select(f => f.Score).Distinct().Count(), "Equal vectors have equal scores, wherever they lie.");
    }

    [TestMethod]
    public void Search_SmallIndex_GivesWhatIsThere()
    {
        var index = new ClipSearchIndex(_model);
        Assert.IsEmpty(index.Search("a red thing"));

        index.AddImages(EmbeddedRow.View(EmbeddedRow.Random(3)), "Embedding", "Key");

        Assert.HasCount(3, index.Search("a red thing", top: int.MaxValue));
    }

    [TestMethod]
    public void Search_TextsAndImages_ComparesTheModelsEmbeddings()
    {
        using var data = new DrawnData(labeled: 8, captioned: 8);
        var (images, texts) = (new ClipSearchIndex(_model), new ClipSearchIndex(_model));
        string[] paths = [.. data.Rows.Select(r => r.Image)], captions = [.. data.Rows.Select(r => r.Text).Distinct()];
        var (imageVectors, prefix) = (_model.EncodeImages(paths), PrefixSelection.For("classification"));

        Assert.AreEqual(16, images.AddImages(data.View));
        Assert.AreEqual(captions.Length, texts.AddTexts(data.View, prefix: prefix));

        AreNearest(paths, imageVectors, _model.EncodeTexts([captions[3]])[0], images.Search(captions[3], top: 5));
        AreNearest(paths, imageVectors, _model.EncodeTexts([captions[3]], prefix)[0], images.Search(captions[3], top: 5, prefix));
        AreNearest(paths, imageVectors, imageVectors[2], images.SearchByImage(paths[2], top: 5));
        AreNearest(captions, _model.EncodeTexts(captions, prefix), imageVectors[2], texts.SearchByImage(paths[2], top: 5));
    }

    [TestMethod]
    public void FindDuplicates_SeveralBlocks_GivesEachPairOnce()
    {
        var vectors = EmbeddedRow.Random(5_000);
        vectors[4_990] = [.. vectors[3].Select(v => v * 2)];
        vectors[4_099] = vectors[4_098];
        vectors[1] = vectors[0];
        var index = EmbeddedRow.Index(_model, vectors);
        var expected = Enumerable.Range(0, 5_000)
            .SelectMany(i => vectors[(i + 1)..].Select(later => EmbeddedRow.Cosine(vectors[i], later)))
            .Where(score => score >= 0.92).OrderDescending().ToArray();

        var pairs = index.FindDuplicates(threshold: 0.92f, top: int.MaxValue);

        Assert.AreEqual(expected.Length, pairs.Count, 2, "Scores at the threshold may be rounded either way.");
        Assert.IsGreaterThan(1000, pairs.Count);
        Assert.AreEqual(pairs.Count, pairs.Select(p => (p.First, p.Second)).Distinct().Count());
        Assert.IsTrue(pairs.All(p => int.Parse(p.First) < int.Parse(p.Second)));
        for (var i = 0; i < Math.Min(pairs.Count, expected.Length); i++)
        {
            Assert.AreEqual(expected[i], pairs[i].Score, Rounding);
            Assert.AreEqual(pairs[i].Score, EmbeddedRow.Cosine(vectors[int.Parse(pairs[i].First)], vectors[int.Parse(pairs[i].Second)]),
                Rounding);
        }
        CollectionAssert.AreEqual(pairs.Take(3).ToArray(), index.FindDuplicates(0.95f, top: 3).ToArray());
        CollectionAssert.AreEquivalent((string[])["0 1", "3 4990", "4098 4099"],
            pairs.Take(3).Select(p => $"{p.First} {p.Second}").ToArray());
    }

    [TestMethod]
    public void FindDuplicates_EqualVectors_AreInTheOrderOfAdding()
    {
        var index = EmbeddedRow.Index(_model, Enumerable.Repeat(EmbeddedRow.Random(1)[0], 600));

        var pairs = index.FindDuplicates(top: 700);

        var expected = (from i in Enumerable.Range(0, 600) from j in Enumerable.Range(i + 1, 600 - i - 1) select $"{i} {j}").Take(700);
        CollectionAssert.AreEqual(expected.ToArray(), pairs.Select(p => $"{p.First} {p.Second}").ToArray());
    }

    [TestMethod]
    public void FindDuplicates_Canceled_Throws()
    {
        var index = EmbeddedRow.Index(_model, EmbeddedRow.Random(2));

        Assert.ThrowsExactly<OperationCanceledException>(() => index.FindDuplicates(cancellationToken: new CancellationToken(true)));
    }

    [TestMethod]
    public async Task Search_WhileItemsAreAdded_SeesWholeAdditionsOnly()
    {
        var (first, vectors) = (EmbeddedRow.Random(1)[0], EmbeddedRow.Random(3_000));
        var index = EmbeddedRow.Index(_model, vectors);
        var mlContext = new MLContext();
        var adding = Task.Run(() =>
        {
            for (var i = 0; i < 30; i++)
                index.AddImages(mlContext.Data.LoadFromEnumerable(Enumerable.Range(0, 200).Select(j =>
                    new EmbeddedRow { Embedding = first, Key = $"{i} {j}" })), "Embedding", "Key");
        });

        var counts = new List<int>();
        while (!adding.IsCompleted) counts.Add(index.Search([first], top: 10_000)[0].Count);
        await adding;

        Assert.AreEqual(9_000, index.Count);
        Assert.IsTrue(counts.All(c => (c - 3_000) % 200 == 0), string.Join(" ", counts.Distinct()));
        Assert.HasCount(9_000, index.Search([first], top: 10_000)[0]);
    }

    [TestMethod]
    public void Search_WrongArguments_SaysWhatIsWrong()
    {
        var index = EmbeddedRow.Index(_model, EmbeddedRow.Random(2));
        float[] unit = [1, 0, 0, 0, 0, 0, 0, 0];

        Assert.Contains("index 1 has 2 numbers; this model's embeddings have 8",
            Assert.ThrowsExactly<ArgumentException>(() => index.Search([unit, [1, 0]])).Message);
        Assert.Contains("index 1 has no direction",
            Assert.ThrowsExactly<ArgumentException>(() => index.Search([unit, new float[8]])).Message);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => index.Search([unit], top: 0));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => index.FindDuplicates(top: 0));
        Assert.Contains("between -1 and 1",
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => index.FindDuplicates(float.NaN)).Message);
        Assert.Contains("'sketch'", Assert.ThrowsExactly<ArgumentException>(() =>
            index.Search("x", prefix: PrefixSelection.For("sketch"))).Message);
    }

    private static void AreNearest(string[] keys, float[][] vectors, float[] query, IReadOnlyList<SearchResult> found)
    {
        var expected = vectors.Select((v, i) => (Score: EmbeddedRow.Cosine(v, query), Key: keys[i])).ToDictionary(e => e.Key, e => e.Score);
        Assert.HasCount(Math.Min(5, keys.Length), found);
        foreach (var ((key, score), best) in found.Zip(expected.Values.OrderDescending()))
        {
            Assert.AreEqual(best, score, 1e-4);
            Assert.AreEqual(expected[key], score, 1e-4);
        }
    }
}
