using System.Reflection;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What is added to an index, and what is left out.</summary>
[TestClass]
public sealed class IndexAddingTests
{
    [TestMethod]
    public void AddImages_RowsWithOneImage_EncodesItOnce()
    {
        using var data = new DrawnData(labeled: 0, captioned: 4);
        using var model = ScoringModel.Transformer();
        var index = new ClipSearchIndex(model);
        var watched = new WatchedView(data.Context.Data.LoadFromEnumerable(data.Rows.Concat(data.Rows)));

        Assert.AreEqual(4, index.AddImages(watched));
        data.Rows.Add(new() { Image = data.Rows[0].Image });
        Assert.AreEqual(0, index.AddImages(data.View), "They are all there.");

        Assert.AreEqual(4, index.Count);
        Assert.AreEqual("2 16", $"{watched.Opened} {watched.RowsRead}");
        CollectionAssert.AreEquivalent(data.Rows.Take(4).Select(r => r.Image).ToArray(),
            index.Search("x").Select(f => f.Key).ToArray());
    }

    [TestMethod]
    public void AddImages_BytesWithKeys_AreThoseOfTheModel()
    {
        using var model = ScoringModel.Transformer();
        var index = new ClipSearchIndex(model);
        var view = AllTypesRow.View(new MLContext());

        Assert.Contains("set keyColumnName", Assert.ThrowsExactly<ArgumentException>(() => index.AddImages(view)).Message);
        index.AddImages(view, keyColumnName: "Text");

        Assert.AreEqual(7, index.Count);
        Assert.AreEqual(1f, index.Search(model.EncodeImages([AllTypesRow.Files[3]]), top: 1)[0][0].Score, 1e-4f);
    }

    [TestMethod]
    public void AddImages_MLImages_AreAdded()
    {
        using var model = ScoringModel.Transformer();
        var mlContext = new MLContext();
        using var image = ScoringModel.Image(1);
        var view = mlContext.Transforms.Conversion.MapValueToKey("Key", "Text").Fit(AllTypesRow.View(mlContext))
            .Transform(AllTypesRow.View(mlContext));
        var index = new ClipSearchIndex(model);

        Assert.AreEqual(7, index.AddImages(view, keyColumnName: "Key"), "Keys with names are texts.");
        var found = index.Search(model.EncodeImages([image]), top: 1)[0][0];

        Assert.AreEqual("thing 1", found.Key);
        Assert.AreEqual(1f, found.Score, 1e-4f);
    }

    [TestMethod]
    public void AddImages_Unreadable_FollowsThePolicy()
    {
        using var data = new DrawnData(labeled: 0, captioned: 6);
        data.Break(2, 4);
        using var failing = ScoringModel.Transformer();
        using var skipping = new PrefixClipTransformer(data.Context, ScoringModel.Create(BadRowPolicy.Skip));
        var messages = new List<string>();
        data.Context.Log += (_, e) => { if (e.Source.Contains("search index", StringComparison.Ordinal)) messages.Add(e.RawMessage); };
        var (whole, partial) = (new ClipSearchIndex(failing), new ClipSearchIndex(skipping));

        var fault = Assert.ThrowsExactly<InvalidDataException>(() => whole.AddImages(data.View));
        Assert.AreEqual(4, partial.AddImages(data.View));

        Assert.Contains("Row 3", fault.Message);
        Assert.AreEqual(0, whole.Count, "After an error the index is as before.");
        Assert.IsTrue(messages.Contains("4 of 6 rows added; 0 have a key that was there already."), string.Join("\n", messages));
        Assert.IsTrue(messages.Contains("2 rows with an unreadable image were left out."), string.Join("\n", messages));
        Assert.DoesNotContain(data.Rows[2].Image, partial.Search("x").Select(f => f.Key));
        Assert.ThrowsExactly<InvalidDataException>(() => partial.SearchByImage(data.Rows[2].Image));
        Assert.ThrowsExactly<InvalidDataException>(() => whole.SearchByImage(data.Rows[2].Image));
    }

    [TestMethod]
    public void Add_AfterAFault_ReplacesWhatWasReadBefore()
    {
        using var data = new DrawnData(labeled: 0, captioned: 4);
        using var model = ScoringModel.Transformer();
        data.Break(2);
        var (vectors, key) = (EmbeddedRow.Random(11), data.Rows[1].Image);
        var index = EmbeddedRow.Index(model, vectors[..10]);

        Assert.ThrowsExactly<InvalidDataException>(() => index.AddImages(data.View), "Two images are encoded before the unreadable one.");
        Assert.AreEqual(10, index.Count);
        Assert.AreEqual(1, index.AddImages(data.Context.Data.LoadFromEnumerable(
            [new EmbeddedRow { Embedding = vectors[10], Key = key }]), "Embedding", "Key"), "The key is not taken.");

        Assert.AreEqual(11, index.Count);
        Assert.AreEqual(key, index.Search([vectors[10]], top: 1)[0][0].Key);
    }

    [TestMethod]
    public void Add_Canceled_LeavesTheIndexAsItWas()
    {
        using var data = new DrawnData();
        using var model = data.Fit(DrawnData.Options with { Epochs = 1 });
        var index = new ClipSearchIndex(model);

        Assert.ThrowsExactly<OperationCanceledException>(() =>
            index.AddImages(data.View, cancellationToken: new CancellationToken(true)));
        Assert.ThrowsExactly<OperationCanceledException>(() =>
            index.AddTexts(data.View, cancellationToken: new CancellationToken(true)));
        typeof(MLContext).GetMethod("CancelExecution", BindingFlags.Instance | BindingFlags.NonPublic)!.Invoke(data.Context, null);
        Assert.ThrowsExactly<OperationCanceledException>(() => index.AddImages(new MLContext().Data.LoadFromEnumerable(data.Rows)));

        Assert.AreEqual(0, index.Count);
    }

    [TestMethod]
    public void Add_WrongColumns_SaysWhatIsWrong()
    {
        using var model = ScoringModel.Transformer();
        var index = new ClipSearchIndex(model);
        var view = AllTypesRow.View(new MLContext());

        Assert.Contains("keyColumnName", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() =>
            index.AddImages(view, keyColumnName: "Int")).Message);
        Assert.Contains("Set imageColumnName", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() =>
            index.AddImages(view, "Numbers", "Text")).Message);
        Assert.Contains("Set imageColumnName", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() =>
            index.AddImages(view, "Bool", "Text")).Message);
        Assert.Contains("Set textColumnName", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() =>
            index.AddTexts(view, "Numbers")).Message);
        Assert.Contains("'sketch'", Assert.ThrowsExactly<ArgumentException>(() =>
            index.AddTexts(view, prefix: PrefixSelection.For("sketch"))).Message);
        Assert.Contains("Row 2: the key in column 'Key' is empty", Assert.ThrowsExactly<InvalidDataException>(() =>
            index.AddImages(new MLContext().Data.LoadFromEnumerable(
                [new EmbeddedRow { Embedding = new float[8], Key = "a" }, new EmbeddedRow { Embedding = new float[8] }]),
                "Embedding", "Key")).Message);
    }
}
