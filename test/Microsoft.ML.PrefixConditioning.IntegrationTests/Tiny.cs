using TorchSharp;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>Data and models that the tests share: training takes the time, so each model is trained once.</summary>
[TestClass]
public static class Tiny
{
    internal static ClipArchitecture Architecture { get; } = new()
    {
        ImageSize = 16, PatchSize = 8, VisionWidth = 32, VisionLayers = 1, VisionHeads = 2,
        ContextLength = 16, TextWidth = 32, TextLayers = 1, TextHeads = 2, EmbeddingSize = 24,
    };

    internal static PrefixClipOptions Options { get; } = new()
    {
        Architecture = Architecture, VocabularySize = 600, BatchSize = 8, Epochs = 12, LearningRate = 3e-3, Seed = 5,
        Loss = LossFunction.UniCl, PromptTemplates = PromptTemplates.Of("{}", "a photo of something {}"), Progress = new OneThread(),
    };

    private static readonly Lazy<TinyData> SharedData = new(() => new TinyData());

    private static readonly Lazy<PrefixClipTransformer> SharedModel = new(() => Train(Options));

    private static readonly Lazy<PrefixClipTransformer> SharedSkippingModel =
        new(() => Train(Options with { BadRows = BadRowPolicy.Skip }));

    internal static TinyData Data => SharedData.Value;

    /// <summary>A model that tells the colours apart. Tests must not dispose it.</summary>
    internal static PrefixClipTransformer Model => SharedModel.Value;

    /// <summary>The same with the policy to give missing values for images that cannot be read.</summary>
    internal static PrefixClipTransformer SkippingModel => SharedSkippingModel.Value;

    /// <summary>Trains a model that the caller disposes.</summary>
    internal static PrefixClipTransformer Train(PrefixClipOptions options)
    {
        var mlContext = new MLContext(seed: 1);
        return mlContext.Transforms.PrefixClip(options).Fit(Data.Train(mlContext));
    }

    /// <summary>Such small matrices are slower on two threads than on one, above all where other programs use the cores too.</summary>
    private sealed class OneThread : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Step == 1) torch.set_num_threads(1);
        }
    }

    [AssemblyCleanup]
    public static void Clean()
    {
        if (SharedModel.IsValueCreated) Model.Dispose();
        if (SharedSkippingModel.IsValueCreated) SkippingModel.Dispose();
        if (SharedData.IsValueCreated) Data.Dispose();
    }
}
