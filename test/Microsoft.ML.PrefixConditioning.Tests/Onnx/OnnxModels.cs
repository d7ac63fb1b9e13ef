using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Untrained models of several layers, with weights large enough that every part of the computation shows in the result.</summary>
internal static class OnnxModels
{
    public static ClipArchitecture Architecture { get; } =
        SmallModel.Architecture with { VisionLayers = 3, TextLayers = 3, VisionHeads = 4, MlpRatio = 3 };

    public static TrainedModel Create(ClipActivation activation = ClipActivation.Gelu, int prefixLength = 2, int imagePrefixLength = 0,
        ClipArchitecture? architecture = null)
    {
        var options = new PrefixClipOptions
        {
            Architecture = (architecture ?? Architecture) with { Activation = activation },
            PrefixLength = prefixLength, ImagePrefixLength = imagePrefixLength,
        };
        var settings = ModelSettings.From(options, options.DatasetTypes, SmallModel.Tokenizer.VocabularySize);
        var model = ClipModel.Create(settings.Shape, CPU, seed: 4);
        using var generator = new Generator(9, CPU);
        using (no_grad())
        using (NewDisposeScope())
            foreach (var (name, weight) in model.Weights)
            {
                if (name == "logit_scale") continue;
                // Gains and biases too: an untrained model's are 1 and 0, and a missing one would not be noticed.
                weight.add_(empty(weight.shape).normal_(0, name.Contains("prefix", StringComparison.Ordinal) ? 1 : 0.1, generator));
            }
        return new TrainedModel(model, SmallModel.Tokenizer, settings, TrainingHistory.Empty);
    }

    /// <summary>[N, 3, S, S], normalized.</summary>
    public static float[] Pixels(int count, int size = 16)
    {
        using var generator = new Generator(5, CPU);
        using var images = randn([count, 3, size, size], generator: generator);
        return images.data<float>().ToArray();
    }

    /// <summary>[N, L] token ids of texts of different lengths.</summary>
    public static TokenBatch Tokens(int count)
    {
        string[] texts = ["a red square", "blue", "a picture of the red disc.", "", "a blue disc and a red square"];
        return TokenBatch.Pad([.. texts.Take(count).Select(t => SmallModel.Tokenizer.Encode(t, Architecture.ContextLength))]);
    }

    public static float Difference(float[] expected, float[] actual)
    {
        Assert.HasCount(expected.Length, actual);
        return expected.Zip(actual, (e, a) => Math.Abs(e - a)).Max();
    }
}
