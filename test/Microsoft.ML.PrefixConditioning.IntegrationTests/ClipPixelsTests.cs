using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>The column with what the vision tower sees.</summary>
[TestClass]
public sealed class ClipPixelsTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void Transform_BothKinds_DifferByTheNormalization()
    {
        var test = Tiny.Data.Test(_mlContext);
        var added = _mlContext.Transforms.ClipPixels(Tiny.Model, pixels: PixelValues.Rgb255)
            .Append(_mlContext.Transforms.ClipPixels(Tiny.Model, pixels: PixelValues.Normalized)).Fit(test).Transform(test);
        float[] mean = [0.48145466f, 0.4578275f, 0.40821073f], deviation = [0.26862954f, 0.26130258f, 0.27577711f];

        var (bytes, normalized) = (added.GetColumn<float[]>("Pixels").ToArray(), added.GetColumn<float[]>("NormalizedPixels").ToArray());

        Assert.AreEqual("3 16 16", string.Join(' ', ((VectorDataViewType)added.Schema["Pixels"].Type).Dimensions));
        Assert.HasCount(24, bytes);
        for (var row = 0; row < bytes.Length; row++)
            for (var i = 0; i < 3 * 16 * 16; i++)
            {
                Assert.AreEqual(MathF.Round(bytes[row][i]), bytes[row][i]);
                Assert.AreEqual(((bytes[row][i] / 255) - mean[i / 256]) / deviation[i / 256], normalized[row][i], 1e-6f);
            }
        Assert.IsGreaterThan(200, bytes[^1][0], "The last image is red; its first plane is not.");   // classes are sorted: blue, green, red
        Assert.IsLessThan(60, bytes[^1][256]);
    }

    [TestMethod]
    public void Transform_EveryFormOfImage_GivesTheSame()
    {
        var path = Tiny.Data.Image(0);
        using var image = MLImage.CreateFromFile(path);
        var estimator = _mlContext.Transforms.ClipPixels(Tiny.Model, "Seen", "Image", pixels: PixelValues.Rgb255);
        IDataView[] views =
        [
            Paths(path),
            _mlContext.Data.LoadFromEnumerable([new BytesRow { Image = File.ReadAllBytes(path) }]),
            _mlContext.Data.LoadFromEnumerable([new PixelsRow { Image = image }]),
        ];

        var pixels = views.Select(view => estimator.Fit(view).Transform(view).GetColumn<float[]>("Seen").Single()).ToArray();

        CollectionAssert.AreEqual(pixels[0], pixels[1]);
        CollectionAssert.AreEqual(pixels[0], pixels[2]);
    }

    [TestMethod]
    public void Transform_SavedAndLoaded_GivesTheSame()
    {
        var test = Tiny.Data.Test(_mlContext);
        var zip = Path.Combine(Tiny.Data.Folder, "pixels.zip");
        var transformer = _mlContext.Transforms.ClipPixels(Tiny.Model, "Seen", pixels: PixelValues.Normalized).Fit(test);
        _mlContext.Model.Save(transformer, test.Schema, zip);

        var loaded = (ClipPixelsTransformer)new MLContext().Model.Load(zip, out _);

        Assert.AreEqual(16, loaded.ImageSize);
        Assert.AreEqual(PixelValues.Normalized, loaded.Pixels);
        CollectionAssert.AreEqual(
            transformer.Transform(test).GetColumn<float[]>("Seen").SelectMany(p => p).ToArray(),
            loaded.Transform(test).GetColumn<float[]>("Seen").SelectMany(p => p).ToArray());
    }

    [TestMethod]
    public void Transform_UnreadableImage_NamesIt()
    {
        var view = Paths(Tiny.Data.Image(0), Tiny.Data.Captions);
        var added = _mlContext.Transforms.ClipPixels(Tiny.Model, pixels: PixelValues.Rgb255).Fit(view).Transform(view);

        var error = Assert.Throws<Exception>(() => added.GetColumn<float[]>("Pixels").ToArray());

        // ML.NET wraps it where it reads on several threads.
        var cause = error as InvalidDataException ?? (InvalidDataException)error.InnerException!;
        Assert.Contains($"'{Tiny.Data.Captions}' is not an image", cause.Message);
    }

    [TestMethod]
    public void Transform_UnreadableImageOfASkippingModel_IsMissing()
    {
        var view = Paths(Tiny.Data.Captions);

        var added = _mlContext.Transforms.ClipPixels(Tiny.SkippingModel, pixels: PixelValues.Rgb255).Fit(view).Transform(view);

        Assert.IsTrue(added.GetColumn<float[]>("Pixels").Single().All(float.IsNaN));
    }

    [TestMethod]
    public void Predict_OneImage_GivesPixels()
    {
        var view = Paths(Tiny.Data.Image(0));
        var transformer = _mlContext.Transforms.ClipPixels(Tiny.Model, pixels: PixelValues.Rgb255).Fit(view);

        using var engine = _mlContext.Model.CreatePredictionEngine<PathRow, SeenPixels>(transformer);

        var expected = transformer.Transform(view).GetColumn<float[]>("Pixels").Single();
        CollectionAssert.AreEqual(expected, engine.Predict(new PathRow { Image = Tiny.Data.Image(0) }).Pixels);
    }

    [TestMethod]
    public void ClipPixels_WrongColumns_AreErrors()
    {
        var view = Paths(Tiny.Data.Image(0));
        var missing = _mlContext.Transforms.ClipPixels(Tiny.Model, inputColumnName: "Imgae", pixels: PixelValues.Rgb255);

        Assert.Contains("There is no column 'Imgae'", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => missing.Fit(view)).Message);
        Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Transforms.ClipPixels(Tiny.Model, " ", pixels: PixelValues.Rgb255));
        Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Transforms.ClipPixels(Tiny.Model, null, "", pixels: PixelValues.Rgb255));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Transforms.ClipPixels(Tiny.Model, pixels: (PixelValues)5));
    }

    private IDataView Paths(params string[] paths) => _mlContext.Data.LoadFromEnumerable(paths.Select(p => new PathRow { Image = p }));

    /// <summary>What a prediction engine gives.</summary>
    private sealed class SeenPixels
    {
        [VectorType(3, 16, 16)]
        public float[] Pixels { get; set; } = [];
    }
}
