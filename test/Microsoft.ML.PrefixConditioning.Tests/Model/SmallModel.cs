using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Models that are as small as can be, for tests of behavior.</summary>
internal static class SmallModel
{
    public static ClipArchitecture Architecture { get; } = new()
    {
        ImageSize = 16, PatchSize = 8, VisionWidth = 16, VisionLayers = 1, VisionHeads = 2,
        ContextLength = 16, TextWidth = 16, TextLayers = 1, TextHeads = 2, EmbeddingSize = 8,
    };

    public static ClipTokenizer Tokenizer { get; } = ClipTokenizer.Learn(["a red square", "a blue disc", "a picture of the red disc."],
        520);

    public static ClipModel Create(int prefixLength = 1, int imagePrefixLength = 0, ulong seed = 1,
        ScalarType products = ScalarType.Float32) =>
        ClipModel.Create(new ClipModelShape(Architecture, Tokenizer.VocabularySize, 2, prefixLength, imagePrefixLength), CPU, seed,
            products: products);

    /// <summary>A model whose prefixes are large, so that they matter.</summary>
    public static ClipModel CreateWithLargePrefixes(int prefixLength = 1, int imagePrefixLength = 0)
    {
        var model = Create(prefixLength, imagePrefixLength);
        using (no_grad())
        using (NewDisposeScope())
            foreach (var (_, weight) in model.Weights.Where(w => w.Key.Contains("prefix", StringComparison.Ordinal))) weight.mul_(50);
        return model;
    }

    /// <summary>A model as training gives it, with large prefixes.</summary>
    public static TrainedModel CreateTrained(int prefixLength = 1, int imagePrefixLength = 0) =>
        Trained(CreateWithLargePrefixes(prefixLength, imagePrefixLength));

    /// <summary>A model with all that belongs to it, which owns it then.</summary>
    public static TrainedModel Trained(ClipModel model)
    {
        var options = new PrefixClipOptions
        {
            Architecture = Architecture, PrefixLength = model.Shape.PrefixLength,
            ImagePrefixLength = model.Shape.ImagePrefixLength
        };
        return new TrainedModel(model, Tokenizer, ModelSettings.From(options, options.DatasetTypes, Tokenizer.VocabularySize),
            TrainingHistory.Empty);
    }

    /// <summary>[N, 3, S, S] of any pixels, the same every time.</summary>
    public static Tensor Images(int count)
    {
        using var generator = new Generator(5, CPU);
        return randn([count, 3, Architecture.ImageSize, Architecture.ImageSize], generator: generator);
    }
}
