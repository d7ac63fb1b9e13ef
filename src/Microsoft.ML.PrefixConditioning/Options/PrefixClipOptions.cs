using System.ComponentModel.DataAnnotations;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Settings of <see cref="PrefixClipEstimator"/>: the everyday ones, and groups for the rest. Immutable.</summary>
/// <remarks>Defaults follow the CLIP paper (arXiv 2103.00020) and open_clip v3.3.0 unless noted.</remarks>
public sealed record PrefixClipOptions : IValidatableObject
{
    internal const int MaxPrefixLength = 64; // as long as a whole caption; the paper uses 1
    internal const int MinBatchSize = 2; // a row learns from the others of its batch
    internal const int DefaultBatchSize = 128;

    /// <summary>Sizes of the two towers.</summary>
    /// <value>
    /// Sizes, or null for <see cref="ClipArchitecture.Tiny"/>, or with <see cref="InitialWeights"/> for that of the file. One that is
    /// set must agree with the file. Its image size may differ; position embeddings are then interpolated. Default null.
    /// </value>
    public ClipArchitecture? Architecture { get; init; }

    /// <summary>A pretrained CLIP model to start from: a folder or file that <c>LoadClip</c> reads.</summary>
    /// <value>
    /// A path, or null for random weights. The file decides architecture, vocabulary, mean and standard deviation of pixels. Prefixes
    /// are added with random values. Default null.
    /// </value>
    public string? InitialWeights { get; init; }

    /// <summary>The dataset types that rows may have. A type without rows gets no prefix.</summary>
    /// <value>At least one, with different names. Default caption and classification.</value>
    public IReadOnlyList<DatasetType> DatasetTypes { get; init; } = [DatasetType.Caption, DatasetType.Classification];

    /// <summary>How often batches of each dataset type are drawn, by name; in <see cref="BatchComposition.Mixed"/> batches, its
    /// rows.</summary>
    /// <value>
    /// A number greater than 0 for each type that has rows; only ratios matter. Null for the numbers of rows. Default null.
    /// </value>
    public IReadOnlyDictionary<string, double>? DatasetTypeWeights { get; init; }

    /// <summary>Learned prefix tokens per dataset type in the text tower. With 0, the model trains without prefix conditioning.</summary>
    /// <value>Tokens. Source: arXiv 2206.01125, section 3.2. Default 1.</value>
    [Range(0, MaxPrefixLength)]
    public int PrefixLength { get; init; } = 1;

    /// <summary>Learned prefix tokens per dataset type in the vision tower.</summary>
    /// <value>Tokens. The paper conditions the text tower only. Default 0.</value>
    [Range(0, MaxPrefixLength)]
    public int ImagePrefixLength { get; init; }

    /// <summary>A vocabulary to read: CLIP's merges file, or a folder with Hugging Face's vocab.json and merges.txt.</summary>
    /// <value>
    /// A path, or null to learn the vocabulary from the training texts, or with <see cref="InitialWeights"/> to read the one beside
    /// the weights. Default null.
    /// </value>
    public string? VocabularyPath { get; init; }

    /// <summary>Largest size of a learned vocabulary. A small corpus gives fewer tokens. Ignored where a vocabulary is read.</summary>
    /// <value>Tokens; 512 of them are single bytes, and two mark start and end. Default 4096.</value>
    [Range(514, int.MaxValue)]
    public int VocabularySize { get; init; } = 4096;

    /// <summary>Sentences around class names. Training draws one per row and step.</summary>
    /// <value>Default <see cref="PromptTemplates.Default"/>.</value>
    public PromptTemplates PromptTemplates { get; init; } = PromptTemplates.Default;

    /// <summary>The contrastive loss.</summary>
    /// <value>Default <see cref="LossFunction.Clip"/>.</value>
    public LossFunction Loss { get; init; } = LossFunction.Clip;

    /// <summary>Which rows form a batch.</summary>
    /// <value>Source: arXiv 2206.01125, section 3.2. Default <see cref="BatchComposition.PerDatasetType"/>.</value>
    public BatchComposition BatchComposition { get; init; } = BatchComposition.PerDatasetType;

    /// <summary>Rows per step. The other rows of a batch are a row's negatives.</summary>
    /// <value>
    /// At most the rows of the smallest dataset type (in <see cref="BatchComposition.Mixed"/> batches, all rows) and 2^31 pixel values.
    /// Null for 128, or for as many rows as there are if these are fewer. Default null.
    /// </value>
    [Range(MinBatchSize, int.MaxValue)]
    public int? BatchSize { get; init; }

    /// <summary>Rows that pass through the towers at a time. The loss still compares the whole batch, with the same gradients; memory is
    /// that of a chunk, for one more forward pass.</summary>
    /// <value>Rows, or null for the whole batch. Source: "gradient caching", arXiv 2101.06983. Default null.</value>
    [Range(1, int.MaxValue)]
    public int? ChunkSize { get; init; }

    /// <summary>Passes over the data. An epoch has as many steps as full batches fit into the rows.</summary>
    /// <value>Epochs. Default 20.</value>
    [Range(1, int.MaxValue)]
    public int Epochs { get; init; } = 20;

    /// <summary>Peak learning rate, reached after warm-up.</summary>
    /// <value>Per optimizer step. Source: CLIP paper, table 19, ViT-B. Default 0.0005.</value>
    [Range(0.0, double.MaxValue, MinimumIsExclusive = true)]
    public double LearningRate { get; init; } = 5e-4;

    /// <summary>How image files are decoded. The model keeps it for scoring. <see cref="ImageDecoding.Scaled"/> decodes large JPEG files
    /// about three times as fast and changes embeddings a little.</summary>
    /// <value>Default <see cref="ImageDecoding.Upright"/>.</value>
    public ImageDecoding ImageDecoding { get; init; } = ImageDecoding.Upright;

    /// <summary>What happens to a row with a missing or unreadable image, an empty text, or a missing or unknown dataset type. The model
    /// keeps it for images in scoring.</summary>
    /// <value>Default <see cref="BadRowPolicy.Fail"/>.</value>
    public BadRowPolicy BadRows { get; init; } = BadRowPolicy.Fail;

    /// <summary>With <see cref="BadRowPolicy.Skip"/>, the share of bad rows above which training fails all the same.</summary>
    /// <value>A fraction. Default 0.1.</value>
    [Range(0.0, 1.0)]
    public double MaxBadRowFraction { get; init; } = 0.1;

    /// <summary>Memory for decoded training images, so that later epochs do not decode them again.</summary>
    /// <value>Megabytes. Default 1024.</value>
    [Range(0, int.MaxValue)]
    public int ImageCacheMegabytes { get; init; } = 1024;

    /// <summary>Seed of everything random. On a processor, the same seed, options and data give the same model.</summary>
    /// <value>Any number, or null to draw it from the <see cref="MLContext"/>, which has its own seed. Default null.</value>
    public int? Seed { get; init; }

    /// <summary>Where to compute.</summary>
    /// <value>Default <see cref="ComputeDevice.Auto"/>.</value>
    public ComputeDevice Device { get; init; } = ComputeDevice.Auto;

    /// <summary>Labeled images. Their zero-shot accuracy is measured after each epoch.</summary>
    /// <value>A view with an image column and a label column, or null for no validation. Default null.</value>
    public IDataView? ValidationSet { get; init; }

    /// <summary>The prefix of the validation set's class names.</summary>
    /// <value>A selection, or null for the caption prefix. Default null.</value>
    public PrefixSelection? ValidationPrefix { get; init; }

    /// <summary>Receives a report after each step, on the training thread.</summary>
    /// <value>A receiver, or null for none. Default null.</value>
    public IProgress<TrainingProgress>? Progress { get; init; }

    /// <summary>Ends the run with <see cref="OperationCanceledException"/>. With a checkpoint folder, the run's state is saved
    /// first.</summary>
    /// <value>Default none.</value>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>Names of columns.</summary>
    /// <value>Default: the defaults of <see cref="ClipColumns"/>.</value>
    public ClipColumns Columns { get; init; } = new();

    /// <summary>AdamW and the learning rate over time.</summary>
    /// <value>Default: the defaults of <see cref="OptimizerOptions"/>.</value>
    public OptimizerOptions Optimizer { get; init; } = new();

    /// <summary>Random changes to training images.</summary>
    /// <value>Default: the defaults of <see cref="AugmentationOptions"/>.</value>
    public AugmentationOptions Augmentation { get; init; } = new();

    /// <summary>What is trained, and how fast each part learns.</summary>
    /// <value>Default: the defaults of <see cref="FineTuningOptions"/>.</value>
    public FineTuningOptions FineTuning { get; init; } = new();

    /// <summary>Where and how often a run saves its state.</summary>
    /// <value>Default: the defaults of <see cref="CheckpointOptions"/>.</value>
    public CheckpointOptions Checkpoints { get; init; } = new();

    /// <summary>Whether a processor computes with libtorch's operations, as a GPU does, for tests and benchmarks to compare with.</summary>
    internal bool Reference { get; init; }

    /// <summary>Checks every setting, without or with the architecture that the initial weights gave.</summary>
    /// <exception cref="ArgumentException">Names all settings that are out of their range.</exception>
    internal void Validate(ClipArchitecture? found = null) =>
        OptionFaults.ThrowIfAny(nameof(PrefixClipOptions), OptionFaults.Of(this).Concat(FaultsWith(found ?? KnownArchitecture)));

    private ClipArchitecture? KnownArchitecture => Architecture ?? (InitialWeights is null ? ClipArchitecture.Tiny : null);

    IEnumerable<ValidationResult> IValidatableObject.Validate(ValidationContext validationContext) =>
        Faults().Select(fault => new ValidationResult(fault));

    private IEnumerable<string> Faults()
    {
        if (Architecture?.ResNet is not null && InitialWeights is null)
            yield return $"{nameof(Architecture)} has a ResNet, which cannot be trained from random weights; set {nameof(InitialWeights)}.";
        if (FineTuning?.TrainableParts == TrainableParts.Prefixes && PrefixLength == 0 && ImagePrefixLength == 0)
            yield return $"{nameof(FineTuning)}.{nameof(FineTuning.TrainableParts)} is Prefixes, and both prefix lengths are 0: there is " +
                $"nothing to train. Set {nameof(PrefixLength)} to at least 1.";
        if (DatasetTypes is null) yield break;
        if (DatasetTypes.Count == 0) yield return $"{nameof(DatasetTypes)} is empty; name at least one, such as DatasetType.Caption.";
        if (DatasetTypes.Any(t => string.IsNullOrWhiteSpace(t?.Name))) yield return $"{nameof(DatasetTypes)} has a type without a name.";
        foreach (var type in DatasetTypes.Where(t => t is not null && !Enum.IsDefined(t.Texts)))
            yield return $"{nameof(DatasetTypes)} gives '{type.Name}' the texts {type.Texts}; use a member of {nameof(TextKind)}.";
        foreach (var twice in DatasetTypes.Where(t => t is not null).GroupBy(t => t.Name, StringComparer.Ordinal).Where(g => g.Count() > 1))
            yield return $"{nameof(DatasetTypes)} names '{twice.Key}' {twice.Count()} times; every type needs its own name.";
        foreach (var (name, weight) in DatasetTypeWeights ?? new Dictionary<string, double>())
        {
            if (DatasetTypes.All(t => t?.Name != name))
                yield return $"{nameof(DatasetTypeWeights)} names '{name}', which is not in {nameof(DatasetTypes)}.";
            if (!(weight > 0) || double.IsInfinity(weight))
                yield return FormattableString.Invariant(
                    $"{nameof(DatasetTypeWeights)} gives '{name}' the weight {weight}; it must be greater than 0.");
        }
    }

    /// <summary>Faults that only the architecture shows.</summary>
    private IEnumerable<string> FaultsWith(ClipArchitecture? architecture)
    {
        if (architecture is null) yield break;
        if ((architecture.ResNet is not null || architecture.Swin is not null) && ImagePrefixLength != 0)
            yield return $"{nameof(ImagePrefixLength)} is {ImagePrefixLength}; a {(architecture.Swin is null ? "ResNet" : "Swin")} takes " +
                "no prefix, so it must be 0.";
        var most = architecture.ImageSize < 1 ? int.MaxValue : Array.MaxLength / (3L * architecture.ImageSize * architecture.ImageSize);
        if ((BatchSize ?? DefaultBatchSize) is var rows && rows > most)
            yield return $"{nameof(BatchSize)} is {rows}; at {architecture.ImageSize} x {architecture.ImageSize} pixels at most {most} " +
                "images fit into one batch.";
        foreach (var (property, frozen, layers) in new[]
        {
            (nameof(FineTuning.FrozenVisionLayers), FineTuning?.FrozenVisionLayers, architecture.VisionLayers),
            (nameof(FineTuning.FrozenTextLayers), FineTuning?.FrozenTextLayers, architecture.TextLayers),
        })
            if (frozen is > 0 and <= ClipArchitecture.MaxLayers && frozen > layers)
                yield return $"{nameof(FineTuning)}.{property} is {frozen}; the tower has {layers} blocks, and no more can be frozen.";
    }
}
