using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Microsoft.ML.Transforms;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>Exported models where users run them: in ML.NET's own pipeline and in ONNX Runtime alone.</summary>
[TestClass]
public sealed class OnnxTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(PixelValues.Rgb255, "Pixels")]
    [DataRow(PixelValues.Normalized, "NormalizedPixels")]
    public void ApplyOnnxModel_PixelsOfThisLibrary_GivesTheTransformersLabels(PixelValues pixels, string input)
    {
        var test = Tiny.Data.Test(_mlContext);
        var classifier = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(test);
        using var file = new OnnxPath();
        classifier.SaveAsOnnx(file.Path, pixels);

        var pipeline = _mlContext.Transforms.ClipPixels(Tiny.Model, pixels: pixels)
            .Append(_mlContext.Transforms.ApplyOnnxModel(["Score", "PredictedLabel"], [input], file.Path));
        var scored = pipeline.Fit(test).Transform(test);

        var expected = classifier.Transform(test);
        AssertClose(expected.GetColumn<float[]>("Score"), scored.GetColumn<float[]>("Score"));
        CollectionAssert.AreEqual(Names(expected), Labels(scored));
        Assert.IsGreaterThan(1, Labels(scored).Distinct().Count(), "All labels are equal, so that the test shows little.");
    }

    [TestMethod]
    public void ApplyOnnxModel_MlNetsOwnPixels_GivesLabels()
    {
        var test = Tiny.Data.Test(_mlContext);
        var classifier = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(test);
        using var file = new OnnxPath();
        classifier.SaveAsOnnx(file.Path);
        var size = Tiny.Architecture.ImageSize;

        var pipeline = _mlContext.Transforms.LoadImages("Loaded", imageFolder: "", "Image")
            .Append(_mlContext.Transforms.ResizeImages("Resized", size, size, "Loaded", ImageResizingEstimator.ResizingKind.IsoCrop))
            .Append(_mlContext.Transforms.ExtractPixels("Pixels", "Resized"))
            .Append(_mlContext.Transforms.ApplyOnnxModel(["Score", "PredictedLabel"], ["Pixels"], file.Path));
        var labels = Labels(pipeline.Fit(test).Transform(test));

        // Nearly flat colours: another way of resizing changes little.
        CollectionAssert.AreEqual(Names(classifier.Transform(test)), labels);
    }

    [TestMethod]
    public void ApplyOnnxModel_SavedPipeline_RunsWithoutTheExportedFile()
    {
        var test = Tiny.Data.Test(_mlContext);
        var zip = Path.Combine(Tiny.Data.Folder, "onnx-pipeline.zip");
        string[] expected;
        using (var file = new OnnxPath())
        {
            _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(test).SaveAsOnnx(file.Path);
            var pipeline = _mlContext.Transforms.ClipPixels(Tiny.Model, pixels: PixelValues.Rgb255)
                .Append(_mlContext.Transforms.ApplyOnnxModel(["Score", "PredictedLabel"], ["Pixels"], file.Path)).Fit(test);
            expected = Labels(pipeline.Transform(test));
            _mlContext.Model.Save(pipeline, test.Schema, zip);
        }

        var loaded = new MLContext().Model.Load(zip, out _);

        CollectionAssert.AreEqual(expected, Labels(loaded.Transform(test)));
    }

    [TestMethod]
    public void ConvertToOnnx_ImagesToTrainedHead_GivesTheChainsLabels()
    {
        var test = Tiny.Data.Test(_mlContext);
        var labeled = _mlContext.Transforms.Conversion.MapValueToKey("Label").Fit(test).Transform(test);
        var chain = _mlContext.Transforms.ClipImageEmbedding(Tiny.Model, "Features", "Image")
            .AppendCacheCheckpoint(_mlContext)
            .Append(_mlContext.MulticlassClassification.Trainers.SdcaMaximumEntropy())
            .Append(_mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel")).Fit(labeled);

        AssertConverted(chain, test);
    }

    [TestMethod]
    public void ConvertToOnnx_ImagesToZeroShot_GivesTheChainsLabels()
    {
        var test = Tiny.Data.Test(_mlContext);
        var chain = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames)
            .Append(_mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel")).Fit(test);

        var scored = AssertConverted(chain, test);

        VBuffer<ReadOnlyMemory<char>> names = default;
        scored.Schema["Score"].GetSlotNames(ref names);
        CollectionAssert.AreEqual(TinyData.ClassNames.ToArray(), names.DenseValues().Select(n => n.ToString()).ToArray());
    }

    /// <summary>Converts a chain, runs the model in ML.NET row by row and in ONNX Runtime in one batch, and compares both with the
    /// chain.</summary>
    private IDataView AssertConverted(TransformerChain<KeyToValueMappingTransformer> chain, IDataView test)
    {
        using var file = new OnnxPath();
        var rows = _mlContext.Data.LoadFromEnumerable<ImageRow>([]);   // ML.NET needs only their schema
        using (var stream = File.Create(file.Path)) _mlContext.Model.ConvertToOnnx(chain, rows, stream, "Score", "PredictedLabel");
        var scored = _mlContext.Transforms.ClipPixels(Tiny.Model)
            .Append(_mlContext.Transforms.ApplyOnnxModel(["Score.output", "PredictedLabel.output"], ["Pixels"], file.Path))
            .Fit(test).Transform(test);
        var (expected, count) = (chain.Transform(test), test.GetColumn<string>("Image").Count());
        string[] labels = [.. expected.GetColumn<string>("PredictedLabel")];
        var pixels = new DenseTensor<float>(scored.GetColumn<float[]>("Pixels").SelectMany(p => p).ToArray(), [count, 3, 16, 16]);

        using var session = new InferenceSession(file.Path);
        using var results = session.Run([NamedOnnxValue.CreateFromTensor("Pixels", pixels)], ["Score.output", "PredictedLabel.output"]);

        AssertClose(expected.GetColumn<float[]>("Score"), scored.GetColumn<float[]>("Score"));
        AssertClose(expected.GetColumn<float[]>("Score"), results[0].AsEnumerable<float>().Chunk(TinyData.ClassNames.Count));
        CollectionAssert.AreEqual(labels, Labels(scored));
        CollectionAssert.AreEqual(labels, results[1].AsEnumerable<string>().ToArray());
        Assert.IsGreaterThan(1, labels.Distinct().Count(), "All labels are equal, so that the test shows little.");
        return scored;
    }

    [TestMethod]
    public void SaveImageEncoderAsOnnx_OnnxRuntime_GivesTheTransformersEmbeddings()
    {
        var test = Tiny.Data.Test(_mlContext);
        using var file = new OnnxPath();
        Tiny.Model.SaveImageEncoderAsOnnx(file.Path, pixels: PixelValues.Normalized);
        var pixels = _mlContext.Transforms.ClipPixels(Tiny.Model, pixels: PixelValues.Normalized).Fit(test).Transform(test)
            .GetColumn<float[]>("NormalizedPixels").Take(5).SelectMany(p => p).ToArray();

        using var session = new InferenceSession(file.Path);
        using var results = session.Run(
            [NamedOnnxValue.CreateFromTensor("NormalizedPixels", new DenseTensor<float>(pixels, [5, 3, 16, 16]))]);

        var expected = Tiny.Model.Transform(test).GetColumn<float[]>("ImageEmbedding").Take(5);
        AssertClose(expected, results[0].AsEnumerable<float>().Chunk(24));
    }

    [TestMethod]
    public void SaveTextEncoderAsOnnx_OnnxRuntime_GivesTheTransformersEmbeddings()
    {
        string[] texts = ["something red", "a photo of something blue and green", ""];
        var ids = Tiny.Model.Tokenize(texts);
        var tokens = new DenseTensor<long>(ids.SelectMany(row => row).ToArray(), [3, ids[0].Length]);
        var blend = PrefixSelection.Blend(("caption", 1), ("classification", 1));
        foreach (var prefix in new[] { null, PrefixSelection.For("classification"), PrefixSelection.None, blend })
        {
            using var file = new OnnxPath();
            Tiny.Model.SaveTextEncoderAsOnnx(file.Path, prefix);

            using var session = new InferenceSession(file.Path);
            using var results = session.Run(
                [NamedOnnxValue.CreateFromTensor("TokenIds", tokens)]);

            AssertClose(Tiny.Model.EncodeTexts(texts, prefix), results[0].AsEnumerable<float>().Chunk(24));
        }
    }

    [TestMethod]
    public void Tokenize_Texts_AreRowsOfTheLongestOne()
    {
        var ids = Tiny.Model.Tokenize(["red", "something red and blue"]);

        Assert.HasCount(2, ids);
        Assert.AreEqual(ids[1].Length, ids[0].Length);
        Assert.AreEqual(Tiny.Model.VocabularySize - 2, ids[0][0]);
        Assert.AreEqual(0, ids[0][^1]);
        Assert.AreEqual(Tiny.Model.VocabularySize - 1, ids[1][^1]);
        Assert.IsEmpty(Tiny.Model.Tokenize([]));
        Assert.Contains("index 1 is null", Assert.ThrowsExactly<ArgumentException>(() => Tiny.Model.Tokenize(["a", null!])).Message);
    }

    [TestMethod]
    public void SaveAsOnnx_FolderMissing_SaysWhatToDo()
    {
        var path = Path.Combine(Tiny.Data.Folder, "no-such-folder", "model.onnx");
        var classifier = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(Tiny.Data.Test(_mlContext));

        foreach (var save in new Action[]
        {
            () => classifier.SaveAsOnnx(path), () => Tiny.Model.SaveImageEncoderAsOnnx(path), () => Tiny.Model.SaveTextEncoderAsOnnx(path),
        })
        {
            var error = Assert.ThrowsExactly<IOException>(save);
            Assert.Contains($"'{path}' cannot be written", error.Message);
            Assert.Contains("Create the folder first.", error.Message);
        }
    }

    [TestMethod]
    public void SaveAsOnnx_DisposedModel_IsAnError()
    {
        var model = Tiny.Train(Tiny.Options with { Epochs = 1 });
        var classifier = _mlContext.Transforms.ZeroShotClassification(model, TinyData.ClassNames).Fit(Tiny.Data.Test(_mlContext));
        model.Dispose();
        using var file = new OnnxPath();

        Assert.ThrowsExactly<ObjectDisposedException>(() => classifier.SaveAsOnnx(file.Path));
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.SaveImageEncoderAsOnnx(file.Path));
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.SaveTextEncoderAsOnnx(file.Path));
        Assert.IsFalse(File.Exists(file.Path));
    }

    private static string[] Names(IDataView scored)
    {
        VBuffer<ReadOnlyMemory<char>> names = default;
        scored.Schema["PredictedLabel"].GetKeyValues(ref names);
        return [.. scored.GetColumn<uint>("PredictedLabel").Select(key => names.GetItemOrDefault((int)key - 1).ToString())];
    }

    private static string[] Labels(IDataView scored) =>
        [.. scored.GetColumn<ReadOnlyMemory<char>[]>("PredictedLabel").Select(label => label.Single().ToString())];

    private static void AssertClose(IEnumerable<float[]> expected, IEnumerable<float[]> actual)
    {
        float[][] all = [.. expected], found = [.. actual];
        Assert.HasCount(all.Length, found);
        for (var row = 0; row < all.Length; row++)
        {
            Assert.HasCount(all[row].Length, found[row]);
            for (var i = 0; i < all[row].Length; i++) Assert.AreEqual(all[row][i], found[row][i], 1e-4f, $"Row {row}, number {i}.");
        }
    }

    private sealed class ImageRow
    {
        public string Image { get; set; } = "";
    }

    /// <summary>A path whose file goes with it.</summary>
    private sealed class OnnxPath : IDisposable
    {
        public string Path { get; } = System.IO.Path.Combine(Tiny.Data.Folder, $"{Guid.NewGuid():N}.onnx");

        public void Dispose() => File.Delete(Path);
    }
}
