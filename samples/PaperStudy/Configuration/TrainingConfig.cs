using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.ML.PrefixConditioning;

namespace PaperStudy;

/// <summary>Training settings as a configuration gives them; the rest has the package's defaults.</summary>
internal sealed record TrainingConfig
{
    /// <summary>Name of a property of <see cref="ClipArchitecture"/>: "Tiny", "Small", "SmallSwin", "ViTB32", "SwinT" ...</summary>
    public string Architecture { get; init; } = "Tiny";

    /// <summary>Width and height of the images in pixels; null for the architecture's.</summary>
    public int? ImageSize { get; init; }

    public int? PatchSize { get; init; }

    public int? VisionLayers { get; init; }

    public int? TextLayers { get; init; }

    public int? ContextLength { get; init; }

    /// <summary>Optimizer steps, the same for every model; rounded to whole passes over its data.</summary>
    public int Steps { get; init; } = 1000;

    public int BatchSize { get; init; } = 64;

    public BatchComposition Batches { get; init; } = BatchComposition.PerDatasetType;

    public IReadOnlyDictionary<string, double>? TypeWeights { get; init; }

    public int PrefixLength { get; init; } = 1;

    public int ImagePrefixLength { get; init; }

    public double PrefixLearningRateFactor { get; init; } = 1;

    /// <summary>Prompt templates, each with {}. Default the package's seven.</summary>
    public IReadOnlyList<string>? Templates { get; init; }

    public int? VocabularySize { get; init; }

    public double LearningRate { get; init; } = 1e-3;

    public int? WarmupSteps { get; init; }

    public double WeightDecay { get; init; } = 0.1;

    public double? GradientClipNorm { get; init; }

    public double MinCropScale { get; init; } = 0.5;

    public double HorizontalFlipProbability { get; init; } = 0.5;

    public int? ChunkSize { get; init; }

    public Precision Precision { get; init; }

    /// <summary>A folder or file of a published CLIP to start from.</summary>
    public string? InitialWeights { get; init; }

    /// <summary>Whether test-time prefixes differ: by tokens, or by projections.</summary>
    [JsonIgnore]
    public bool IsConditioned => PrefixLength > 0 || ImagePrefixLength > 0;

    /// <summary>The settings of a model: the study's, and over them the model's own.</summary>
    /// <exception cref="InvalidDataException">A setting is unknown or has the wrong type.</exception>
    public static TrainingConfig Of(StudyConfig study, ModelConfig model) =>
        StudyConfigFile.Read<TrainingConfig>(Merged(study, model), $"the training settings of model '{model.Name}'");

    /// <summary>The same as JSON, for hashing.</summary>
    public static JsonObject Merged(StudyConfig study, ModelConfig model)
    {
        var merged = study.Training.DeepClone().AsObject();
        foreach (var (key, value) in model.Training) merged[key] = value?.DeepClone();
        return merged;
    }

    /// <summary>The package's options for one run.</summary>
    /// <param name="types">The dataset types, in the order of the sources.</param>
    /// <param name="rows">Training rows.</param>
    /// <param name="loss">"CLIP" or "UniCL".</param>
    /// <param name="seed">Seed of the run.</param>
    public PrefixClipOptions ToOptions(IReadOnlyList<DatasetType> types, long rows, string loss, int seed)
    {
        var stepsPerEpoch = Math.Max(1, rows / Math.Max(1, BatchSize));   // a batch of 0 is the options' to refuse
        var options = new PrefixClipOptions
        {
            Architecture = Towers(),
            DatasetTypes = types,
            Loss = loss == "UniCL" ? LossFunction.UniCl : LossFunction.Clip,
            BatchComposition = Batches,
            BatchSize = BatchSize,
            ChunkSize = ChunkSize,
            Precision = Precision,
            DatasetTypeWeights = types.Count > 1 ? TypeWeights : null,
            Epochs = Math.Max(1, (int)Math.Round((double)Steps / stepsPerEpoch)),
            PrefixLength = PrefixLength,
            ImagePrefixLength = ImagePrefixLength,
            FineTuning = new() { PrefixLearningRateFactor = PrefixLearningRateFactor },
            PromptTemplates = Templates is null ? PromptTemplates.Default : PromptTemplates.Of([.. Templates]),
            LearningRate = LearningRate,
            Optimizer = new() { WarmupSteps = WarmupSteps, WeightDecay = WeightDecay, GradientClipNorm = GradientClipNorm },
            Augmentation = new() { MinCropScale = MinCropScale, HorizontalFlipProbability = HorizontalFlipProbability },
            InitialWeights = InitialWeights,
            Seed = seed,
        };
        return VocabularySize is { } size ? options with { VocabularySize = size } : options;
    }

    private ClipArchitecture Towers()
    {
        var known = typeof(ClipArchitecture).GetProperties().Where(p =>
            p.PropertyType == typeof(ClipArchitecture) && p.GetMethod!.IsStatic).ToArray();
        var towers = (ClipArchitecture?)known.FirstOrDefault(p => p.Name == Architecture)?.GetValue(null)
            ?? throw new InvalidDataException($"The architecture '{Architecture}' is unknown; use one of " +
                $"{string.Join(", ", known.Select(p => p.Name))}.");
        return towers with
        {
            ImageSize = ImageSize ?? towers.ImageSize,
            PatchSize = PatchSize ?? towers.PatchSize,
            VisionLayers = VisionLayers ?? towers.VisionLayers,
            TextLayers = TextLayers ?? towers.TextLayers,
            ContextLength = ContextLength ?? towers.ContextLength,
        };
    }
}
