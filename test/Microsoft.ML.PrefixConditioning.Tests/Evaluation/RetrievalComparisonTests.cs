namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Retrieval on captioned rows, for every prefix.</summary>
[TestClass]
public sealed class RetrievalComparisonTests
{
    [TestMethod]
    [DataRow(0)]
    [DataRow(2)]
    public void ComparePrefixes_SeveralCaptions_EqualsTheModelsOwnEmbeddings(int imagePrefixLength)
    {
        using var data = Captioned(8);
        using var model = new PrefixClipTransformer(data.Context, SmallModel.CreateTrained(imagePrefixLength: imagePrefixLength));
        var blend = PrefixSelection.Blend(("caption", 1), ("classification", 3));

        var comparison = data.Context.Ranking.ComparePrefixes(data.View, model, [blend, PrefixSelection.Caption]);

        Assert.AreEqual("8 24 0 0",
            $"{comparison.ImageCount} {comparison.TextCount} {comparison.MissingTexts} {comparison.UnreadableImages}");
        Assert.HasCount(4, comparison.Prefixes, "A prefix that is given twice is compared once.");
        string[] images = [.. data.Rows.Select(r => r.Image).Distinct()], texts = [.. data.Rows.Select(r => r.Text)];
        foreach (var (prefix, imageToText, textToImage) in comparison.Prefixes)
        {
            var embedded = model.EncodeTexts(texts, prefix);
            var encoded = Encoded(model, data, images, prefix);
            var own = images.Select(image => data.Rows.Index().Where(r => r.Item.Image == image).Select(r => r.Index).ToArray()).ToArray();
            AreEqual(Mean(encoded, embedded, own), imageToText);
            AreEqual(Mean(embedded, encoded, [.. data.Rows.Select(r => new[] { Array.IndexOf(images, r.Image) })]), textToImage);
        }
        Assert.AreNotEqual(comparison.Prefixes[0].TextToImage, comparison.Prefixes[1].TextToImage, "Prefixes matter.");
        Assert.AreEqual(comparison.Prefixes[0], comparison[PrefixSelection.Caption]);
        Assert.Contains("The prefix '0.5 caption + 0.5 classification' was not compared", Assert.ThrowsExactly<KeyNotFoundException>(() =>
            comparison[PrefixSelection.Blend(("caption", 1), ("classification", 1))]).Message);
        Assert.Contains("8 images, 24 texts; 0 rows without a text and 0 unreadable images are left out.", comparison.ToString());
        Assert.HasCount(2 + 4 + 1, comparison.ToString().Split('\n'));
    }

    [TestMethod]
    public void ComparePrefixes_RowsWithoutTextOrImage_AreLeftOutWithWhatBelongsToThem()
    {
        using var data = Captioned(6);
        using var model = new PrefixClipTransformer(data.Context, SmallModel.CreateTrained());
        data.Rows.Add(new() { Image = data.Rows[0].Image, Text = " " });
        data.Rows.Add(new() { Image = "", Text = "nothing" });
        data.Break(3);   // the second image, with its three captions
        var kept = data.Context.Data.LoadFromEnumerable(data.Rows.Where((_, i) => i is < 3 or >= 6 and < 18));

        var comparison = data.Context.Ranking.ComparePrefixes(data.View, model);
        var expected = data.Context.Ranking.ComparePrefixes(kept, model);

        Assert.AreEqual("5 15 1 2",
            $"{comparison.ImageCount} {comparison.TextCount} {comparison.MissingTexts} {comparison.UnreadableImages}");
        for (var i = 0; i < expected.Prefixes.Count; i++)
        {
            AreEqual(expected.Prefixes[i].ImageToText, comparison.Prefixes[i].ImageToText);
            AreEqual(expected.Prefixes[i].TextToImage, comparison.Prefixes[i].TextToImage);
        }
    }

    [TestMethod]
    public void ComparePrefixes_ImagesInMemory_AreToldApartByTheirBytes()
    {
        var mlContext = new MLContext();
        using var model = ScoringModel.Transformer();

        var comparison = mlContext.Ranking.ComparePrefixes(AllTypesRow.View(mlContext), model);

        Assert.AreEqual(AllTypesRow.Files.Length, comparison.ImageCount);
        Assert.AreEqual(AllTypesRow.Count, comparison.TextCount);
    }

    [TestMethod]
    public void ComparePrefixes_NothingToCompare_SaysWhy()
    {
        using var data = Captioned(2);
        using var model = new PrefixClipTransformer(data.Context, SmallModel.CreateTrained());
        data.Break(0, 3);
        data.Rows.Add(new() { Image = data.Rows[0].Image });

        var fault = Assert.ThrowsExactly<InvalidDataException>(() => data.Context.Ranking.ComparePrefixes(data.View, model));

        Assert.Contains("of 7 rows 1 have no text in column 'Text', and 2 images are missing or unreadable", fault.Message);
        Assert.Contains("Set textColumnName", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() =>
            data.Context.Ranking.ComparePrefixes(data.View, model, textColumnName: "Caption")).Message);
        Assert.Contains("Set imageColumnName", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() =>
            data.Context.Ranking.ComparePrefixes(data.View, model, imageColumnName: "Photo")).Message);
        Assert.Contains("index 0 is null", Assert.ThrowsExactly<ArgumentException>(() =>
            data.Context.Ranking.ComparePrefixes(data.View, model, [null!])).Message);
        Assert.ThrowsExactly<ArgumentException>(() => data.Context.Ranking.ComparePrefixes(data.View, model, [PrefixSelection.Auto]));
    }

    /// <summary>Different images with three captions each, one after the other.</summary>
    /// <param name="images">At most 8.</param>
    private static DrawnData Captioned(int images)
    {
        var data = new DrawnData(labeled: 0, captioned: images);
        DrawnData.Row[] rows = [.. data.Rows.SelectMany((row, i) => new[] { $"a {i}", $"{i} red square", $"blue disc number {i}" }
            .Select(text => new DrawnData.Row { Image = row.Image, Text = text }))];
        data.Rows.Clear();
        data.Rows.AddRange(rows);
        return data;
    }

    private static float[][] Encoded(PrefixClipTransformer model, DrawnData data, string[] images, PrefixSelection prefix)
    {
        var encoder = new EmbeddingEncoder(model.Trained, PrefixResolution.ImagePrefix(model.Trained.Settings.ImagePrefixLength, prefix));
        var prepared = encoder.Prepare(images.Select(ImageReference.FromLocator).ToArray(), i => $"{data.Rows[i].Image}");
        return [.. images.Select((_, i) => prepared.Embedding(i).ToArray())];
    }

    private static RetrievalMetrics Mean(float[][] queries, float[][] items, int[][] own)
    {
        int[][] ranks = [.. queries.Select((query, q) => items.Index().OrderByDescending(i => EmbeddedRow.Cosine(query, i.Item))
            .Select((item, rank) => (item.Index, Rank: rank + 1)).Where(r => own[q].Contains(r.Index)).Select(r => r.Rank).ToArray())];
        double Recall(int k) => ranks.Average(r => r[0] <= k ? 1.0 : 0);
        return new(Recall(1), Recall(5), Recall(10), ranks.Average(r => r.Select((rank, i) => (i + 1.0) / rank).Average()));
    }

    /// <summary>Equal but for one place, which two scores may change that rounding cannot tell apart.</summary>
    private static void AreEqual(RetrievalMetrics expected, RetrievalMetrics actual)
    {
        const double OneOfFive = 0.21, OnePrecision = 0.05;
        Assert.AreEqual(expected.RecallAt1, actual.RecallAt1, OneOfFive);
        Assert.AreEqual(expected.RecallAt5, actual.RecallAt5, OneOfFive);
        Assert.AreEqual(expected.RecallAt10, actual.RecallAt10, OneOfFive);
        Assert.AreEqual(expected.MeanAveragePrecision, actual.MeanAveragePrecision, OnePrecision);
    }
}
