using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Exported towers in ONNX Runtime give what libtorch gives.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class OnnxTowersTests
{
    private const float Tolerance = 1e-4f;
    private const string NoDifference = "The prefixes make no difference, so that the test shows nothing.";

    private static readonly PrefixSelection Blend = PrefixSelection.Blend(("caption", 3), ("classification", 1));
    private static readonly PrefixSelection Away = PrefixSelection.Blend(("caption", 5), ("classification", -1));

    [TestMethod]
    [DataRow(ClipActivation.Gelu, 1)]
    [DataRow(ClipActivation.Gelu, 5)]
    [DataRow(ClipActivation.QuickGelu, 5)]
    public void ImageEncoder_Normalized_EqualsLibtorch(ClipActivation activation, int count)
    {
        using var model = OnnxModels.Create(activation);
        using var run = new OnnxRun();
        var pixels = OnnxModels.Pixels(count);

        model.Lend(network => OnnxExport.ImageEncoder(model, network, null, PixelValues.Normalized).Write(run.Path));

        var actual = run.Floats("ImageEmbedding", "NormalizedPixels", pixels, count, 3, 16, 16);
        Assert.IsLessThan(Tolerance, OnnxModels.Difference(model.EncodeImages(pixels, count, null), actual));
    }

    [TestMethod]
    public void ImageEncoder_OneLayer_EqualsLibtorch()
    {
        using var model = OnnxModels.Create(architecture: OnnxModels.Architecture with { VisionLayers = 1, TextLayers = 1 });
        using var run = new OnnxRun();
        var pixels = OnnxModels.Pixels(2);

        model.Lend(network => OnnxExport.ImageEncoder(model, network, null, PixelValues.Normalized).Write(run.Path));

        var actual = run.Floats("ImageEmbedding", "NormalizedPixels", pixels, 2, 3, 16, 16);
        Assert.IsLessThan(Tolerance, OnnxModels.Difference(model.EncodeImages(pixels, 2, null), actual));
    }

    [TestMethod]
    public void ImageEncoder_PixelsOf255_AreNormalizedInTheGraph()
    {
        using var model = OnnxModels.Create();
        using var run = new OnnxRun();
        var bytes = Enumerable.Range(0, 2 * 3 * 16 * 16).Select(i => (float)(i * 37 % 256)).ToArray();
        var normalized = bytes.Select((b, i) =>
            ((b / 255) - ImageNormalization.Clip.Mean.ToArray()[i / 256 % 3])
                / ImageNormalization.Clip.StandardDeviation.ToArray()[i / 256 % 3]).ToArray();

        model.Lend(network => OnnxExport.ImageEncoder(model, network, null, PixelValues.Rgb255).Write(run.Path));

        var actual = run.Floats("ImageEmbedding", "Pixels", bytes, 2, 3, 16, 16);
        Assert.IsLessThan(Tolerance, OnnxModels.Difference(model.EncodeImages(normalized, 2, null), actual));
    }

    [TestMethod]
    public void ImageEncoder_ImagePrefixes_AreFoldedIn()
    {
        using var model = OnnxModels.Create(imagePrefixLength: 2);
        var pixels = OnnxModels.Pixels(2);
        var results = new List<float[]>();
        foreach (var prefix in new[] { null, PrefixSelection.For("classification"), PrefixSelection.None, Blend, Away })
        {
            using var run = new OnnxRun();
            model.Lend(network => OnnxExport.ImageEncoder(model, network, prefix, PixelValues.Normalized).Write(run.Path));

            results.Add(run.Floats("ImageEmbedding", "NormalizedPixels", pixels, 2, 3, 16, 16));

            Assert.IsLessThan(Tolerance, OnnxModels.Difference(model.EncodeImages(pixels, 2, prefix), results[^1]), $"{prefix}");
        }
        Assert.IsGreaterThan(0.01f, OnnxModels.Difference(results[0], results[1]), NoDifference);
        Assert.IsGreaterThan(0.01f, OnnxModels.Difference(results[0], results[2]), NoDifference);
    }

    [TestMethod]
    [DataRow(ClipActivation.Gelu, 1)]
    [DataRow(ClipActivation.Gelu, 5)]
    [DataRow(ClipActivation.QuickGelu, 5)]
    public void TextEncoder_EveryPrefix_EqualsLibtorch(ClipActivation activation, int count)
    {
        using var model = OnnxModels.Create(activation);
        var tokens = OnnxModels.Tokens(count);
        var results = new List<float[]>();
        foreach (var prefix in new[] { null, PrefixSelection.For("classification"), PrefixSelection.None, Blend, Away })
        {
            using var run = new OnnxRun();
            model.Lend(network => OnnxExport.TextEncoder(model, network, prefix).Write(run.Path));

            results.Add(run.Floats("TextEmbedding", "TokenIds", tokens.Ids, count, tokens.Length));

            Assert.IsLessThan(Tolerance, OnnxModels.Difference(Expected(model, tokens, prefix), results[^1]), $"{prefix}");
        }
        for (var i = 1; i < results.Count; i++)
            Assert.IsGreaterThan(0.01f, OnnxModels.Difference(results[0], results[i]), NoDifference);
    }

    [TestMethod]
    public void TextEncoder_OneLayer_EqualsLibtorch()
    {
        using var model = OnnxModels.Create(architecture: OnnxModels.Architecture with { VisionLayers = 1, TextLayers = 1 });
        using var run = new OnnxRun();
        var tokens = OnnxModels.Tokens(5);

        model.Lend(network => OnnxExport.TextEncoder(model, network, null).Write(run.Path));

        var actual = run.Floats("TextEmbedding", "TokenIds", tokens.Ids, 5, tokens.Length);
        Assert.IsLessThan(Tolerance, OnnxModels.Difference(Expected(model, tokens, null), actual));
    }

    [TestMethod]
    public void TextEncoder_ModelWithoutPrefixes_BlendIsOnePass()
    {
        using var model = OnnxModels.Create(prefixLength: 0);
        using OnnxRun run = new(), plain = new();
        var tokens = OnnxModels.Tokens(5);

        model.Lend(network => OnnxExport.TextEncoder(model, network, Blend).Write(run.Path));
        model.Lend(network => OnnxExport.TextEncoder(model, network, PrefixSelection.None).Write(plain.Path));

        var actual = run.Floats("TextEmbedding", "TokenIds", tokens.Ids, 5, tokens.Length);
        Assert.IsLessThan(Tolerance, OnnxModels.Difference(Expected(model, tokens, Blend), actual));
        Assert.AreEqual(new FileInfo(plain.Path).Length, new FileInfo(run.Path).Length, 100);   // but for the prefix's name in the metadata
    }

    [TestMethod]
    public void TextEncoder_PaddedAndFullLength_GiveTheSame()
    {
        using var model = OnnxModels.Create();
        using var run = new OnnxRun();
        var length = OnnxModels.Architecture.ContextLength;
        var tokens = OnnxModels.Tokens(5);
        var padded = tokens.Ids.Chunk(tokens.Length).SelectMany(row => row.Concat(new long[length - row.Length])).ToArray();
        model.Lend(network => OnnxExport.TextEncoder(model, network, null).Write(run.Path));

        var actual = run.Floats("TextEmbedding", "TokenIds", padded, 5, length);

        Assert.IsLessThan(Tolerance, OnnxModels.Difference(run.Floats("TextEmbedding", "TokenIds", tokens.Ids, 5, tokens.Length), actual));
    }

    [TestMethod]
    public void Encoders_Embeddings_HaveLengthOne()
    {
        using var model = OnnxModels.Create();
        using OnnxRun images = new(), texts = new();
        var tokens = OnnxModels.Tokens(3);
        model.Lend(network => OnnxExport.ImageEncoder(model, network, null, PixelValues.Normalized).Write(images.Path));
        model.Lend(network => OnnxExport.TextEncoder(model, network, Blend).Write(texts.Path));

        var embeddings = images.Floats("ImageEmbedding", "NormalizedPixels", OnnxModels.Pixels(3), 3, 3, 16, 16)
            .Concat(texts.Floats("TextEmbedding", "TokenIds", tokens.Ids, 3, tokens.Length)).Chunk(8).ToArray();

        Assert.HasCount(6, embeddings);
        foreach (var embedding in embeddings) Assert.AreEqual(1, Math.Sqrt(embedding.Sum(v => (double)v * v)), 1e-5);
    }

    [TestMethod]
    public void Encoders_UnknownPrefix_IsAnError()
    {
        using var model = OnnxModels.Create(imagePrefixLength: 1);
        var unknown = PrefixSelection.For("sketch");

        model.Lend(network =>
        {
            var text = Assert.ThrowsExactly<ArgumentException>(() => OnnxExport.TextEncoder(model, network, unknown));
            var image = Assert.ThrowsExactly<ArgumentException>(() => OnnxExport.ImageEncoder(model, network, unknown, PixelValues.Rgb255));
            Assert.Contains("'sketch'", text.Message);
            Assert.Contains("'sketch'", image.Message);
        });
    }

    private static float[] Expected(TrainedModel model, TokenBatch tokens, PrefixSelection? prefix)
    {
        var result = Array.Empty<float>();
        model.Lend(network =>
        {
            using var scope = NewDisposeScope();
            int[][] texts = [.. tokens.Ids.Chunk(tokens.Length).Select(row => row.Select(id => (int)id).ToArray())];
            var types = PrefixResolution.Resolve(prefix, model.Settings.DatasetTypes);
            result = ClassEmbeddings.FromTokens(network, texts, templates: 1, types).data<float>().ToArray();
        });
        return result;
    }
}
