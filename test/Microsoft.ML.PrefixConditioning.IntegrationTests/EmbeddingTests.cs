using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>The columns that the trained transformer adds.</summary>
[TestClass]
public sealed class EmbeddingTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void Transform_ImageAndText_AddsUnitVectorsOfKnownSize()
    {
        var embedded = Tiny.Model.Transform(Tiny.Data.Train(_mlContext));

        foreach (var name in new[] { "ImageEmbedding", "TextEmbedding" })
        {
            var type = (VectorDataViewType)embedded.Schema[name].Type;
            Assert.AreEqual(NumberDataViewType.Single, type.ItemType, name);
            Assert.AreEqual(24, type.Size, name);
            var vectors = embedded.GetColumn<float[]>(name).ToArray();
            Assert.HasCount(48, vectors, name);
            foreach (var vector in vectors) Assert.AreEqual(1, Math.Sqrt(vector.Sum(v => (double)v * v)), 1e-5, name);
        }
    }

    [TestMethod]
    public void Transform_NoTextColumn_AddsImageEmbeddingOnly()
    {
        var embedded = Tiny.Model.Transform(Paths([Tiny.Data.Image(0)]));
        Assert.IsNotNull(embedded.Schema.GetColumnOrNull("ImageEmbedding"));
        Assert.IsNull(embedded.Schema.GetColumnOrNull("TextEmbedding"));
    }

    [TestMethod]
    public void Transform_TextColumn_IsEncodedWithTheCaptionPrefix()
    {
        var rows = _mlContext.Data.LoadFromEnumerable([new CaptionedRow { Image = Tiny.Data.Image(0), Text = "something red" }]);
        var added = Tiny.Model.Transform(rows).GetColumn<float[]>("TextEmbedding").Single();
        AssertClose(Tiny.Model.EncodeTexts(["something red"], PrefixSelection.For("caption"))[0], added);
        CollectionAssert.AreNotEqual(Tiny.Model.EncodeTexts(["something red"], PrefixSelection.None)[0], added);
    }

    [TestMethod]
    public void Transform_PathBytesAndPixels_GiveTheSameEmbedding()
    {
        var paths = Tiny.Data.Images.Select(i => i.Path).ToArray();
        var fromPaths = Embeddings(Paths(paths));
        var fromBytes = Embeddings(_mlContext.Data.LoadFromEnumerable(paths.Select(p => new BytesRow { Image = File.ReadAllBytes(p) })));
        var images = paths.Select(MLImage.CreateFromFile).ToArray();
        var fromPixels = Embeddings(_mlContext.Data.LoadFromEnumerable(images.Select(i => new PixelsRow { Image = i })));
        var loaded = _mlContext.Transforms.LoadImages("Image", null!, "Image").Fit(Paths(paths)).Transform(Paths(paths));

        for (var i = 0; i < paths.Length; i++)
        {
            CollectionAssert.AreEqual(fromPaths[i], fromBytes[i], $"Bytes of image {i}.");
            CollectionAssert.AreEqual(fromPaths[i], fromPixels[i], $"Pixels of image {i}.");
            Assert.AreEqual(20, images[i].Width, "The user's image was disposed.");
            images[i].Dispose();
        }
        Assert.AreSequenceEqual(fromPaths.SelectMany(e => e), Embeddings(loaded).SelectMany(e => e));
    }

    [TestMethod]
    public void EncodeImages_PathBytesAndPixels_EqualTheColumn()
    {
        var paths = Tiny.Data.Images.Select(i => i.Path).Take(3).ToArray();
        var column = Embeddings(Paths(paths));
        var images = paths.Select(MLImage.CreateFromFile).ToArray();
        for (var i = 0; i < paths.Length; i++)
        {
            AssertClose(column[i], Tiny.Model.EncodeImages(paths)[i]);
            AssertClose(column[i], Tiny.Model.EncodeImages(paths.Select(File.ReadAllBytes).ToArray())[i]);
            AssertClose(column[i], Tiny.Model.EncodeImages(images)[i]);
        }
        foreach (var image in images) image.Dispose();
    }

    [TestMethod]
    public void EncodeImages_MissingFile_NamesIndexAndLocator()
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Tiny.Model.EncodeImages([Tiny.Data.Image(0), "no-such.png"]));
        Assert.Contains("The image at index 1: The image 'no-such.png' cannot be read", error.Message);
        Assert.Contains("A model trained with BadRows = Skip gives missing values instead.", error.Message);
    }

    [TestMethod]
    public void EncodeText_NullText_NamesItsIndex()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => Tiny.Model.EncodeTexts(["red", null!]));
        Assert.Contains("The text at index 1 is null; pass an empty text for no words.", error.Message);
    }

    [TestMethod]
    public void EncodeText_NoTexts_GivesNoVectors() => Assert.IsEmpty(Tiny.Model.EncodeTexts([]));

    [TestMethod]
    public void EncodeText_UnknownPrefix_NamesTheKnownOnes()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => Tiny.Model.EncodeTexts(["red"], PrefixSelection.For("sketch")));
        Assert.Contains("The model was not trained on the dataset type 'sketch'. It knows 'caption', 'classification'", error.Message);
    }

    [TestMethod]
    public void Fit_RenamedColumns_AreReadAndWritten()
    {
        var train = _mlContext.Transforms.CopyColumns("Photo", "Image").Append(_mlContext.Transforms.CopyColumns("Words", "Text"))
            .Append(_mlContext.Transforms.CopyColumns("Kind", "DatasetType"))
            .Append(_mlContext.Transforms.DropColumns("Image", "Text", "DatasetType"))
            .Fit(Tiny.Data.Train(_mlContext)).Transform(Tiny.Data.Train(_mlContext));
        var options = Tiny.Options with
        {
            Epochs = 1,
            Columns = new() { Image = "Photo", Text = "Words", DatasetType = "Kind", ImageEmbedding = "P", TextEmbedding = "W" },
        };
        using var model = _mlContext.Transforms.PrefixClip(options).Fit(train);
        var embedded = model.Transform(train);
        Assert.AreEqual(24, embedded.GetColumn<float[]>("P").First().Length);
        Assert.AreEqual(24, embedded.GetColumn<float[]>("W").First().Length);

        var zeroShot = _mlContext.Transforms.ZeroShotClassification(model, new ZeroShotClassificationOptions
        {
            ClassNames = TinyData.ClassNames, LabelColumnName = "Truth", ScoreColumnName = "S", PredictedLabelColumnName = "Y",
        });
        var test = _mlContext.Transforms.CopyColumns("Truth", "Label").Fit(train).Transform(train);
        var scored = zeroShot.Fit(test).Transform(test);
        Assert.HasCount(3, scored.GetColumn<float[]>("S").First());
        Assert.IsInstanceOfType<KeyDataViewType>(scored.Schema["Y"].Type);
        Assert.IsInstanceOfType<KeyDataViewType>(scored.Schema["Truth"].Type);
        var metrics = _mlContext.MulticlassClassification.Evaluate(scored, "Truth", "S", predictedLabelColumnName: "Y");
        Assert.IsTrue(double.IsFinite(metrics.LogLoss));
    }

    [TestMethod]
    public void Transform_NoImageColumn_SaysWhatThereIs()
    {
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(
            () => Tiny.Model.Transform(_mlContext.Data.LoadFromEnumerable([new { Picture = "a.png" }])));
        Assert.Contains("There is no column 'Image'; the input has 'Picture'.", error.Message);
        Assert.Contains("Set Columns.Image to the right column.", error.Message);
    }

    [TestMethod]
    public void Transform_ImageColumnOfNumbers_SaysWhatFits()
    {
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(
            () => Tiny.Model.Transform(_mlContext.Data.LoadFromEnumerable([new { Image = 1.5f }])));
        Assert.Contains("Column 'Image' is Single; an image column is text (a path), a vector of bytes (an encoded file) or an image.",
            error.Message);
    }

    [TestMethod]
    public void Transform_BadImageAndFailPolicy_ErrorNamesRowAndLocatorAndOtherRowsCanBeRead()
    {
        var paths = Tiny.Data.Images.Select(i => i.Path).ToArray();
        paths[11] = Path.Combine(Tiny.Data.Folder, "gone.png");
        var embedded = Tiny.Model.Transform(Paths(paths));

        var good = embedded.GetColumn<float[]>("ImageEmbedding").Take(11).ToArray();
        Assert.HasCount(11, good);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => embedded.GetColumn<float[]>("ImageEmbedding").ToArray());
        Assert.Contains($"Row 12: The image '{paths[11]}' cannot be read", error.Message);
        Assert.HasCount(24, embedded.GetColumn<string>("Image").ToArray(), "Other columns do not need the image.");
    }

    [TestMethod]
    public void Transform_BadImageAndSkipPolicy_GivesMissingValues()
    {
        var paths = Tiny.Data.Images.Select(i => i.Path).ToArray();
        paths[11] = "";
        File.WriteAllText(paths[12] = Path.Combine(Tiny.Data.Folder, "text.png"), "no image");
        var embeddings = Embeddings(Paths(paths), Tiny.SkippingModel);
        for (var i = 0; i < paths.Length; i++)
            Assert.IsTrue(embeddings[i].All(v => float.IsNaN(v) == i is 11 or 12), $"Row {i}.");
    }

    private IDataView Paths(IEnumerable<string> paths) => _mlContext.Data.LoadFromEnumerable(
        paths.Select(p => new PathRow { Image = p, Label = "red" }));

    private static float[][] Embeddings(IDataView rows, PrefixClipTransformer? model = null) =>
        [.. (model ?? Tiny.Model).Transform(rows).GetColumn<float[]>("ImageEmbedding")];

    /// <summary>Batches of other sizes may round differently.</summary>
    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.HasCount(expected.Length, actual);
        for (var i = 0; i < expected.Length; i++) Assert.AreEqual(expected[i], actual[i], 1e-5f);
    }
}
