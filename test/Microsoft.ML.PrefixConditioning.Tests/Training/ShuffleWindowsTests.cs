namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ShuffleWindowsTests
{
    private const int Rows = 120, PerFile = 5, Window = 3;   // 24 files: 8 windows of 15 rows

    /// <summary>One dataset type; row r is in file r / 5.</summary>
    private static BatchSampler Create(RowWeights? weights = null, int imagesPer = 1) => new(new byte[Rows],
        [.. Enumerable.Range(0, Rows).Select(r => r / imagesPer)], BatchComposition.PerDatasetType, null, 5, 1, weights,
        new ShuffleWindows([.. Enumerable.Range(0, Rows).Select(r => r / PerFile)], Window));

    [TestMethod]
    public void Batches_Windows_EachPassReadsAFewFilesAtATimeInAnOrderOfItsOwn()
    {
        var passes = Create().Batches(0).SelectMany(b => b).Take(3 * Rows).Chunk(Rows).ToArray();
        foreach (var pass in passes)
        {
            Assert.HasCount(Rows, pass.Distinct().ToArray());
            foreach (var window in pass.Chunk(Window * PerFile))
            {
                Assert.HasCount(Window, window.Select(r => r / PerFile).Distinct().ToArray());
                Assert.IsGreaterThan(1, window[..5].Select(r => r / PerFile).Distinct().Count(), "rows are shuffled in the window");
            }
        }
        CollectionAssert.AreNotEqual(passes[0][..15].Select(r => r / PerFile).Order().ToArray(),
            passes[1][..15].Select(r => r / PerFile).Order().ToArray());
    }

    [TestMethod]
    public void Batches_WindowsFromALaterStep_AreThoseOfTheWholeRun()
    {
        var (all, later) = (Create().Batches(0).Take(60).ToArray(), Create().Batches(31).Take(60 - 31).ToArray());
        for (var i = 0; i < later.Length; i++) CollectionAssert.AreEqual(all[31 + i], later[i], $"step {31 + i}");
    }

    [TestMethod]
    public void Batches_WindowsAndWeights_BothHold()
    {
        var weights = new RowWeights([.. Enumerable.Range(0, Rows).Select(r => (byte)(r < 60 ? 0 : 1))], [3, 1]);   // 90 and 30 rows a pass
        var drawn = Create(weights).Batches(0).SelectMany(b => b).Take(4 * Rows).ToArray();
        foreach (var row in Enumerable.Range(0, Rows))
            Assert.AreEqual(row < 60 ? 6 : 2, drawn.Count(r => r == row), 1, $"row {row}");
        foreach (var batch in drawn.Chunk(5))
            Assert.IsLessThanOrEqualTo(2 * Window, batch.Select(r => r / PerFile).Distinct().Count(), "at most two windows meet in it");
    }

    [TestMethod]
    public void Batches_WindowsAndImagesOfSeveralRows_NoImageTwiceInABatch()
    {
        foreach (var batch in Create(imagesPer: 2).Batches(0).Take(72))
            Assert.HasCount(5, batch.Select(r => r / 2).Distinct().ToArray());
    }

    [TestMethod]
    public void Files_LocatorsOfAllKinds_AreThoseOfContainersAndFolders()
    {
        string[] locators =
        [
            "shards/0.tar!/a@512+9", "shards/0.tar!/b/c@1024+9", "shards/1.tar!/a@512+9", "pets.zip!/cat/1.png", "pets.zip!/dog/1.png",
            "photos/1.png", "photos/2.png", "train-images-idx3-ubyte!/8@5504+784:28x28:gray", "1.png",
        ];
        var view = new TextRowsView(
            locators.Length, ("Image", i => locators[i]), ("Text", i => $"text {i}"), ("DatasetType", _ => "caption"));
        DataTestRows.Equal([0, 0, 1, 2, 2, 3, 3, 4, 5], TaggedRows.Read(view, new PrefixClipOptions()).Images.Files());
    }

    [TestMethod]
    public void Files_ImagesInMemory_AreOne()
    {
        var rows = new[] { new Encoded { Image = [1] }, new Encoded { Image = [2] } };
        var view = new MLContext().Data.LoadFromEnumerable(rows);
        DataTestRows.Equal([0, 0], TaggedRows.Read(view, new PrefixClipOptions()).Images.Files());
    }

    [TestMethod]
    public void Fit_Windows_ChangesTheOrderWhereThereAreSeveralFiles()
    {
        using var data = new DrawnData(labeled: 8, captioned: 16);
        var options = DrawnData.Options with { Epochs = 1, BatchComposition = BatchComposition.Mixed };
        Dictionary<string, byte[]> Weights(int? window)
        {
            using var model = data.Fit(options with { ShuffleWindow = window });
            return DrawnData.Weights(model);
        }
        var before = Weights(null);
        DrawnData.AreBitEqual(before, Weights(1));   // one folder: all rows are shuffled together
        Directory.CreateDirectory(data["second"]);
        foreach (var row in data.Rows.Where(r => r.Label is null))
        {
            var moved = Path.Combine(data["second"], Path.GetFileName(row.Image));
            File.Move(row.Image, moved);
            row.Image = moved;
        }
        DrawnData.AreBitEqual(before, Weights(null));
        DrawnData.AreBitEqual(Weights(1), Weights(1));
        Assert.IsFalse(Weights(1).All(w => w.Value.AsSpan().SequenceEqual(before[w.Key])));
    }

    private sealed class Encoded
    {
        public byte[] Image { get; set; } = [];

        public string Text { get; set; } = "a photo";

        public string DatasetType { get; set; } = "caption";
    }
}
