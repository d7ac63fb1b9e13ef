using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.Json.Serialization;
using Choice = Microsoft.ML.SearchSpace.ChoiceAttribute;
using NestOption = Microsoft.ML.SearchSpace.NestOptionAttribute;
using SweepRange = Microsoft.ML.SearchSpace.RangeAttribute;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Settings of <see cref="PrefixClipEstimator"/>: the everyday ones, and groups for the rest. Immutable.</summary>
/// <remarks>
/// Defaults follow the CLIP paper (arXiv 2103.00020) and open_clip v3.3.0 unless noted. ML.NET's sweep attributes say what a search varies.
/// System.Text.Json writes and reads all settings except those of the running process: <see cref="ValidationSet"/>,
/// <see cref="ProcessGroup"/>, <see cref="Progress"/> and <see cref="CancellationToken"/>.
/// </remarks>
public sealed record PrefixClipOptions : IValidatableObject
{
    internal const int MaxPrefixLength = 64; // as long as a whole caption; the paper uses 1
    internal const int MinBatchSize = 2; // a row learns from the others of its batch
    internal const int DefaultBatchSize = 128;
    internal const int MaxDatasetTypes = 256; // a row's type is one byte

    /// <summary>Sizes of the two towers.</summary>
    /// <value>
    /// Null means <see cref="ClipArchitecture.Tiny"/>, or with <see cref="InitialWeights"/> the architecture of the files. If both are set,
    /// they must agree; only the image size may differ, and position embeddings are then interpolated. Default null.
    /// </value>
    public ClipArchitecture? Architecture { get; init; }

    /// <summary>A pretrained CLIP model to start from: a folder, a file, or a model on the hub, as <c>LoadClip</c> reads.</summary>
    /// <value>
    /// Null means random weights. The files determine the architecture, the vocabulary, and the mean and standard deviation of pixels.
    /// Prefixes that they lack are initialized randomly. Default null.
    /// </value>
    public string? InitialWeights { get; init; }

    /// <summary>The dataset types that rows may have. A type without rows gets no prefix.</summary>
    /// <value>At least one; names are unique. Default caption and classification.</value>
    public IReadOnlyList<DatasetType> DatasetTypes { get; init; } = [DatasetType.Caption, DatasetType.Classification];

    /// <summary>Relative frequency of each dataset type, by name: of its batches, or of its rows in <see cref="BatchComposition.Mixed"/>
    /// batches.</summary>
    /// <value>
    /// A number greater than 0 for each type that has rows; only ratios matter. Null means in proportion to the row counts. Default null.
    /// </value>
    public IReadOnlyDictionary<string, double>? DatasetTypeWeights { get; init; }

    /// <summary>Learned prefix tokens per dataset type in the text tower. With 0, the model trains without prefix conditioning.</summary>
    /// <value>Source: arXiv 2206.01125, section 3.2. Default 1.</value>
    [Range(0, MaxPrefixLength)]
    [SweepRange(1, 4, init: 1, logBase: false)]
    public int PrefixLength { get; init; } = 1;

    /// <summary>Learned prefix tokens per dataset type in the vision tower.</summary>
    /// <value>The paper conditions the text tower only. Default 0.</value>
    [Range(0, MaxPrefixLength)]
    public int ImagePrefixLength { get; init; }

    /// <summary>Path of the vocabulary: CLIP's merges file, or a folder with Hugging Face's vocab.json and merges.txt.</summary>
    /// <value>
    /// Null means that the vocabulary is learned from the training texts, or with <see cref="InitialWeights"/> read from beside the
    /// weights. Default null.
    /// </value>
    public string? VocabularyPath { get; init; }

    /// <summary>Maximum size of a learned vocabulary. A small corpus yields fewer tokens. Ignored if a vocabulary is read.</summary>
    /// <value>Tokens, of which 512 are single bytes and two mark start and end. Default 4096.</value>
    [Range(514, int.MaxValue)]
    public int VocabularySize { get; init; } = 4096;

    /// <summary>Sentences around class names. Training draws one at random per row and step.</summary>
    /// <value>Default <see cref="PromptTemplates.Default"/>.</value>
    public PromptTemplates PromptTemplates { get; init; } = PromptTemplates.Default;

    /// <summary>The contrastive loss.</summary>
    /// <value>Default <see cref="LossFunction.Clip"/>.</value>
    [Choice(LossFunction.Clip, LossFunction.UniCl, LossFunction.SigLip)]
    public LossFunction Loss { get; init; } = LossFunction.Clip;

    /// <summary>Which rows form a batch.</summary>
    /// <value>Source: arXiv 2206.01125, section 3.2. Default <see cref="BatchComposition.PerDatasetType"/>.</value>
    [Choice(BatchComposition.PerDatasetType, BatchComposition.Mixed)]
    public BatchComposition BatchComposition { get; init; } = BatchComposition.PerDatasetType;

    /// <summary>Rows per step. The other rows of a batch are a row's negatives.</summary>
    /// <value>
    /// At most the number of rows of the smallest dataset type, or of all rows in <see cref="BatchComposition.Mixed"/> batches, and at most
    /// 2^31 pixel values per batch. Null means 128, or fewer if there are fewer rows. Default null.
    /// </value>
    [Range(MinBatchSize, int.MaxValue)]
    public int? BatchSize { get; init; }

    /// <summary>Files whose rows are shuffled together, for disks on which random reads are slow: each pass takes the files in random
    /// order, so many at a time. Images in files of their own count by folder.</summary>
    /// <value>Files, for each dataset type in <see cref="BatchComposition.PerDatasetType"/> batches. Null means that all rows are
    /// shuffled together. Default null.</value>
    [Range(1, int.MaxValue)]
    public int? ShuffleWindow { get; init; }

    /// <summary>Rows that pass through the towers at a time. The loss still compares the whole batch, and the gradients are the same.
    /// Memory is that of one chunk; each step takes an additional forward pass.</summary>
    /// <value>Null means the whole batch. Source: "gradient caching", arXiv 2101.06983. Default null.</value>
    [Range(1, int.MaxValue)]
    public int? ChunkSize { get; init; }

    /// <summary>Passes over the data. An epoch has as many steps as there are full batches.</summary>
    /// <value>Default 20.</value>
    [Range(1, int.MaxValue)]
    public int Epochs { get; init; } = 20;

    /// <summary>Peak learning rate, reached after warm-up.</summary>
    /// <value>Source: CLIP paper, table 19, ViT-B. Default 0.0005.</value>
    [Range(0.0, double.MaxValue, MinimumIsExclusive = true)]
    [SweepRange(1e-5, 1e-2, init: 5e-4, logBase: true)]
    public double LearningRate { get; init; } = 5e-4;

    /// <summary>How image files are decoded. The trained model decodes images for scoring in the same way.
    /// <see cref="ImageDecoding.Scaled"/> decodes large JPEG files about three times as fast and changes embeddings slightly.</summary>
    /// <value>Default <see cref="ImageDecoding.Upright"/>.</value>
    public ImageDecoding ImageDecoding { get; init; } = ImageDecoding.Upright;

    /// <summary>How to handle a row with a missing or unreadable image, an empty text, or a missing or unknown dataset type. The trained
    /// model applies the same policy to images.</summary>
    /// <value>Default <see cref="BadRowPolicy.Fail"/>.</value>
    public BadRowPolicy BadRows { get; init; } = BadRowPolicy.Fail;

    /// <summary>With <see cref="BadRowPolicy.Skip"/>, the fraction of bad rows above which training still fails.</summary>
    /// <value>Default 0.1.</value>
    [Range(0.0, 1.0)]
    public double MaxBadRowFraction { get; init; } = 0.1;

    /// <summary>Memory for caching decoded training images, so that later epochs need not decode them again.</summary>
    /// <value>Megabytes. Default 1024.</value>
    [Range(0, int.MaxValue)]
    public int ImageCacheMegabytes { get; init; } = 1024;

    /// <summary>Seed for all randomness. On a CPU, the same seed, options and data give the same model.</summary>
    /// <value>Null means one drawn from the <see cref="MLContext"/>, which has its own seed. Default null.</value>
    public int? Seed { get; init; }

    /// <summary>The device to train and score on.</summary>
    /// <value>Default <see cref="ComputeDevice.Auto"/>.</value>
    public ComputeDevice Device { get; init; } = ComputeDevice.Auto;

    /// <summary>The precision of matrix products, in training and in scoring with the trained model. Convolutions of a ResNet stay in
    /// single precision.</summary>
    /// <value>Saved weights are in single precision in any case. Default <see cref="Precision.Float32"/>.</value>
    public Precision Precision { get; init; } = Precision.Float32;

    /// <summary>The processes that train the model together, each with its own part of every batch.</summary>
    /// <value>
    /// Give it on every rank, with the same rows and the same other options; every rank gets the same model. <see cref="BatchSize"/> counts
    /// the rows of all ranks. Progress, validation and checkpoints are rank 0's. Null means this process alone. Default null.
    /// </value>
    [JsonIgnore]
    public ProcessGroup? ProcessGroup { get; init; }

    /// <summary>Labeled images for validation. Their zero-shot accuracy is measured after each epoch.</summary>
    /// <value>A view with an image column and a label column. Null means no validation. Default null.</value>
    [JsonIgnore]
    public IDataView? ValidationSet { get; init; }

    /// <summary>Prefix for the validation set's class names.</summary>
    /// <value>Null means the caption prefix. Default null.</value>
    public PrefixSelection? ValidationPrefix { get; init; }

    /// <summary>Early stopping: training ends when this many epochs in a row have not raised the validation accuracy. The model gets the
    /// weights of the best epoch, even if all epochs were trained.</summary>
    /// <value>Needs <see cref="ValidationSet"/>. Null means all epochs, and the weights of the last. Default null.</value>
    [Range(1, int.MaxValue)]
    public int? Patience { get; init; }

    /// <summary>Receives a report after each step, on the training thread; <c>TrainingMonitor</c> has a console bar and logs.</summary>
    /// <value>Null means no reports. Default null.</value>
    [JsonIgnore]
    public IProgress<TrainingProgress>? Progress { get; init; }

    /// <summary>Cancels training, which throws <see cref="OperationCanceledException"/>. With a checkpoint folder, the state of the run is
    /// saved first.</summary>
    /// <value>Default none.</value>
    [JsonIgnore]
    public CancellationToken CancellationToken { get; init; }

    /// <summary>Column names.</summary>
    /// <value>Default: the defaults of <see cref="ClipColumns"/>.</value>
    public ClipColumns Columns { get; init; } = new();

    /// <summary>AdamW and the learning-rate schedule.</summary>
    /// <value>Default: the defaults of <see cref="OptimizerOptions"/>.</value>
    [NestOption]
    public OptimizerOptions Optimizer { get; init; } = new();

    /// <summary>Random augmentation of training images.</summary>
    /// <value>Default: the defaults of <see cref="AugmentationOptions"/>.</value>
    [NestOption]
    public AugmentationOptions Augmentation { get; init; } = new();

    /// <summary>Which parts are trained, and at which learning rates.</summary>
    /// <value>Default: the defaults of <see cref="FineTuningOptions"/>.</value>
    [NestOption]
    public FineTuningOptions FineTuning { get; init; } = new();

    /// <summary>Where and how often training saves its state.</summary>
    /// <value>Default: the defaults of <see cref="CheckpointOptions"/>.</value>
    public CheckpointOptions Checkpoints { get; init; } = new();

    /// <summary>Whether a CPU computes with libtorch's operations, as a GPU does. Tests and benchmarks compare with it.</summary>
    internal bool UseTensorOperations { get; init; }

    /// <summary>Checks every setting, without or with the architecture that the initial weights gave.</summary>
    /// <exception cref="ArgumentException">Names all settings that are out of their range.</exception>
    internal void Validate(ClipArchitecture? found = null) =>
        OptionFaults.ThrowIfAny(nameof(PrefixClipOptions), OptionFaults.Of(this).Concat(FaultsWith(found ?? KnownArchitecture)));

    private ClipArchitecture? KnownArchitecture => Architecture ?? (InitialWeights is null ? ClipArchitecture.Tiny : null);

    IEnumerable<ValidationResult> IValidatableObject.Validate(ValidationContext validationContext)
    {
        if (Architecture?.VisionKind is { NeedsInitialWeights: true } kind && InitialWeights is null)
            yield return new(
                $"{nameof(Architecture)} has a {kind.Name}, which cannot be trained from random weights; set {nameof(InitialWeights)}.");
        if (FineTuning?.TrainableParts == TrainableParts.Prefixes && PrefixLength == 0 && ImagePrefixLength == 0)
            yield return new(
                $"{nameof(FineTuning)}.{nameof(FineTuning.TrainableParts)} is Prefixes, and both prefix lengths are 0: there is " +
                $"nothing to train. Set {nameof(PrefixLength)} to at least 1.");
        if (Patience is not null && ValidationSet is null && ProcessGroup is null or { Rank: 0 })
            yield return new($"{nameof(Patience)} is {Patience}, but there is no {nameof(ValidationSet)} to measure; set one.");
        if (DatasetTypes is null) yield break;
        if (DatasetTypes.Count == 0) yield return new($"{nameof(DatasetTypes)} is empty; name at least one, such as DatasetType.Caption.");
        if (DatasetTypes.Count > MaxDatasetTypes) yield return new(
            $"{nameof(DatasetTypes)} has {DatasetTypes.Count} types; at most {MaxDatasetTypes} are possible.");
        if (DatasetTypes.Any(t => string.IsNullOrWhiteSpace(t?.Name))) yield return new(
            $"{nameof(DatasetTypes)} has a type without a name.");
        foreach (var type in DatasetTypes.Where(t => t is not null && !Enum.IsDefined(t.Texts)))
            yield return new($"{nameof(DatasetTypes)} gives '{type.Name}' the texts {type.Texts}; use a member of {nameof(TextKind)}.");
        foreach (var twice in DatasetTypes.Where(t => t is not null).GroupBy(t => t.Name, StringComparer.Ordinal).Where(g => g.Count() > 1))
            yield return new($"{nameof(DatasetTypes)} names '{twice.Key}' {twice.Count()} times; every type needs its own name.");
        foreach (var (name, weight) in DatasetTypeWeights ?? new Dictionary<string, double>())
        {
            if (DatasetTypes.All(t => t?.Name != name))
                yield return new($"{nameof(DatasetTypeWeights)} names '{name}', which is not in {nameof(DatasetTypes)}.");
            if (!(weight > 0) || double.IsInfinity(weight))
                yield return new(string.Create(CultureInfo.InvariantCulture,
                    $"{nameof(DatasetTypeWeights)} gives '{name}' the weight {weight}; it must be greater than 0."));
        }
    }

    /// <summary>Faults that only the architecture shows.</summary>
    private IEnumerable<string> FaultsWith(ClipArchitecture? architecture)
    {
        if (architecture is null) yield break;
        if (architecture.VisionKind is { TakesPrefixes: false } kind && ImagePrefixLength != 0)
            yield return $"{nameof(ImagePrefixLength)} is {ImagePrefixLength}; a {kind.Name} takes no prefix, so it must be 0.";
        var most = architecture.ImageSize < 1 ? int.MaxValue : Array.MaxLength / (3L * architecture.ImageSize * architecture.ImageSize)
            * (ProcessGroup?.Count ?? 1);
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
