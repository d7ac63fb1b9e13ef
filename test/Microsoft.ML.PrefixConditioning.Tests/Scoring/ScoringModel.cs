using Microsoft.ML.Data;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Models with untrained weights, for what has nothing to do with learning.</summary>
internal static class ScoringModel
{
    public static ClipArchitecture Architecture { get; } = new()
    {
        ImageSize = 16, PatchSize = 8, VisionWidth = 16, VisionLayers = 1, VisionHeads = 2,
        ContextLength = 12, TextWidth = 16, TextLayers = 1, TextHeads = 2, EmbeddingSize = 8,
    };

    public static TrainedModel Create(BadRowPolicy badImages = BadRowPolicy.Fail, PrefixClipOptions? options = null)
    {
        options ??= new PrefixClipOptions { Architecture = Architecture, BadRows = badImages };
        var tokenizer = ClipTokenizer.Learn(["a red thing", "a blue thing", "something green"], 520);
        var settings = ModelSettings.From(options, options.DatasetTypes, tokenizer.VocabularySize);
        var history = new TrainingHistory(
            [new TrainingStep(2.5f, 1e-3f), new TrainingStep(1.25f, 5e-4f)], [new ValidationAccuracy(1, 0.75)], skippedRows: 3);
        return new TrainedModel(ClipModel.Create(settings.Shape, CPU, seed: 1), tokenizer, settings, history);
    }

    public static PrefixClipTransformer Transformer(BadRowPolicy badImages = BadRowPolicy.Fail) =>
        new(new MLContext(1), Create(badImages));

    /// <summary>A picture of its own for every number, as ML.NET image.</summary>
    public static MLImage Image(int number)
    {
        var pixels = new byte[16 * 16 * 4];
        for (var i = 0; i < pixels.Length; i++) pixels[i] = i % 4 == 3 ? (byte)255 : (byte)(i * (number + 1) * 37 % 251);
        return MLImage.CreateFromPixels(16, 16, MLPixelFormat.Rgba32, pixels);
    }

    /// <summary>The same as a PNG file's bytes.</summary>
    public static byte[] Encoded(int number)
    {
        using var image = Image(number);
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.png");
        image.Save(path);
        var bytes = File.ReadAllBytes(path);
        File.Delete(path);
        return bytes;
    }
}
