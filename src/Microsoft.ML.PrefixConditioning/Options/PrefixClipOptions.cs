using System.Diagnostics.CodeAnalysis;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Every setting of <c>PrefixClipEstimator</c>. Immutable; the library never changes it.</summary>
/// <remarks>Defaults follow the CLIP paper (arXiv 2103.00020) and open_clip v3.3.0 unless noted.</remarks>
public sealed record PrefixClipOptions
{
    internal const int MaxPrefixLength = 64; // as long as a whole caption; the paper uses 1
    internal const int MinBatchSize = 2; // a row learns from the others of its batch
    internal const int DefaultBatchSize = 128;

    private readonly ClipArchitecture? _architecture;

    /// <summary>Column with the image.</summary>
    /// <value>Text (a path or a locator inside an archive), a vector of bytes (an encoded file) or an ML.NET image. Default "Image".</value>
    public string ImageColumnName { get; init; } = "Image";

    /// <summary>Column with the caption, or with the class name of a labeled image.</summary>
    /// <value>Text. Default "Text".</value>
    public string TextColumnName { get; init; } = "Text";

    /// <summary>Column that says which dataset type a row belongs to, and so which prefix it trains.</summary>
    /// <value>Text, or key with text key values. Default "DatasetType".</value>
    public string DatasetTypeColumnName { get; init; } = "DatasetType";

    /// <summary>Column with the class identity, for UniCL's positives. It may be absent: then rows of a class-name type with equal text are one class.</summary>
    /// <value>Text, or key with text key values. Default "Label".</value>
    public string LabelColumnName { get; init; } = "Label";

    /// <summary>Output column for image embeddings.</summary>
    /// <value>Default "ImageEmbedding".</value>
    public string ImageEmbeddingColumnName { get; init; } = "ImageEmbedding";

    /// <summary>Output column for text embeddings; added when the input has the text column.</summary>
    /// <value>Default "TextEmbedding".</value>
    public string TextEmbeddingColumnName { get; init; } = "TextEmbedding";

    /// <summary>Sizes of the two towers.</summary>
    /// <value>
    /// Null leaves it open: <see cref="ClipArchitecture.Tiny"/>, or with <see cref="InitialWeights"/> that of the file. One that is set must be
    /// the file's; its image size may differ, and then position embeddings are interpolated. Default open.
    /// </value>
    [AllowNull]
    public ClipArchitecture Architecture
    {
        get => _architecture ?? ClipArchitecture.Tiny;
        init => _architecture = value;
    }

    /// <summary>A published CLIP model to start from: a folder or file as <c>mlContext.Transforms.LoadClip</c> reads them.</summary>
    /// <value>
    /// A path, or null to start from random weights. Architecture, vocabulary, mean and standard deviation are the file's then, and prefixes are
    /// added to it with random values. Default null.
    /// </value>
    public string? InitialWeights { get; init; }

    /// <summary>Which parts are trained; the others stay as they are.</summary>
    /// <value>Default <see cref="TrainableParts.All"/>.</value>
    public TrainableParts TrainableParts { get; init; } = TrainableParts.All;

    /// <summary>Blocks of the vision tower that stay as they are, from the first one on, and with them patch and position embeddings.</summary>
    /// <value>0, which freezes nothing, to the number of blocks. Default 0.</value>
    public int FrozenVisionLayers { get; init; }

    /// <summary>Blocks of the text tower that stay as they are, from the first one on, and with them token and position embeddings.</summary>
    /// <value>0, which freezes nothing, to the number of blocks. Default 0.</value>
    public int FrozenTextLayers { get; init; }

    /// <summary>Learning rate of the prefixes over that of the rest; prefixes that are new in a trained model may learn faster.</summary>
    /// <value>Greater than 0. Default 1.</value>
    public double PrefixLearningRateFactor { get; init; } = 1;

    /// <summary>Factor by which the learning rate falls from each block of a tower to the one before it.</summary>
    /// <value>
    /// Above 0, at most 1. In a tower of L blocks, block i (from 1) learns with the rate times decay^(L + 1 - i), the embeddings before the blocks
    /// with decay^(L + 1); last norm, projections, prefixes and logit scale with the whole rate. Default 1: the same rate for all.
    /// Source: ELECTRA (arXiv 2003.10555), in the form of BEiT (arXiv 2106.08254).
    /// </value>
    public double LayerDecay { get; init; } = 1;

    /// <summary>The dataset types that rows may have. Those without rows get no prefix.</summary>
    /// <value>At least one; names differ. Default caption and classification.</value>
    public IReadOnlyList<DatasetType> DatasetTypes { get; init; } = [DatasetType.Caption, DatasetType.Classification];

    /// <summary>Learned prefix tokens per dataset type in the text tower; 0 trains without prefix conditioning.</summary>
    /// <value>0 to 64. Default 1 (arXiv 2206.01125, section 3.2).</value>
    public int PrefixLength { get; init; } = 1;

    /// <summary>Learned prefix tokens per dataset type in the vision tower.</summary>
    /// <value>0 to 64. Default 0: the paper conditions the text tower only.</value>
    public int ImagePrefixLength { get; init; }

    /// <summary>CLIP's own vocabulary: its merges file, or a folder with Hugging Face's vocab.json and merges.txt.</summary>
    /// <value>
    /// A path, or null to learn a vocabulary from the training texts; with <see cref="InitialWeights"/>, null for the one beside the weights.
    /// Default null.
    /// </value>
    public string? VocabularyPath { get; init; }

    /// <summary>Largest size of a learned vocabulary; a small corpus gives fewer tokens.</summary>
    /// <value>514 or more: 512 single bytes and the start and end tokens. Default 4096. Without meaning for a vocabulary that is read.</value>
    public int VocabularySize { get; init; } = 4096;

    /// <summary>The contrastive loss.</summary>
    /// <value>Default <see cref="LossFunction.Clip"/>.</value>
    public LossFunction Loss { get; init; } = LossFunction.Clip;

    /// <summary>Which rows meet in one batch.</summary>
    /// <value>Default <see cref="BatchComposition.PerDatasetType"/> (arXiv 2206.01125, section 3.2).</value>
    public BatchComposition BatchComposition { get; init; } = BatchComposition.PerDatasetType;

    /// <summary>How often each dataset type's batches are drawn, by name; in <see cref="BatchComposition.Mixed"/> batches how often its rows are. Only
    /// the ratio matters.</summary>
    /// <value>Greater than 0 for every type that has rows, or null for the types' row counts. Default null.</value>
    public IReadOnlyDictionary<string, double>? DatasetTypeWeights { get; init; }

    /// <summary>Sentences that wrap class names; in training one is drawn per row and step.</summary>
    /// <value>Default <see cref="PromptTemplates.Default"/>.</value>
    public PromptTemplates PromptTemplates { get; init; } = PromptTemplates.Default;

    /// <summary>Rows per step. All others of a batch are a row's negatives.</summary>
    /// <value>
    /// At least 2, at most the rows of the smallest dataset type (in <see cref="BatchComposition.Mixed"/> batches: all rows), and within 2^31
    /// pixel values; or null for 128, or as many rows as that if there are fewer. Default null.
    /// </value>
    public int? BatchSize { get; init; }

    /// <summary>Rows that pass through the towers at a time. The loss still compares the whole batch, with the same gradients: memory is that of a
    /// chunk, for one more forward pass ("gradient caching", arXiv 2101.06983).</summary>
    /// <value>At least 1, or null for the whole batch at once. Default null.</value>
    public int? ChunkSize { get; init; }

    /// <summary>Passes over the data: one epoch is as many steps as full batches fit into the rows.</summary>
    /// <value>At least 1. Default 20.</value>
    public int Epochs { get; init; } = 20;

    /// <summary>Peak learning rate, reached when warm-up ends.</summary>
    /// <value>Greater than 0; per optimizer step. Default 5e-4 (CLIP paper, table 19, ViT-B).</value>
    public double LearningRate { get; init; } = 5e-4;

    /// <summary>Steps over which the learning rate rises from 0 to its peak.</summary>
    /// <value>0 or more, or null for a tenth of all steps, at most 10,000. Default null.</value>
    public int? WarmupSteps { get; init; }

    /// <summary>The learning rate after warm-up.</summary>
    /// <value>Default <see cref="LearningRateSchedule.Cosine"/>.</value>
    public LearningRateSchedule LearningRateSchedule { get; init; } = LearningRateSchedule.Cosine;

    /// <summary>AdamW's weight decay, for matrices only: no decay for gains, biases, prefixes and the logit scale.</summary>
    /// <value>0 or more. Default 0.2.</value>
    public double WeightDecay { get; init; } = 0.2;

    /// <summary>AdamW's decay rate of the first moment.</summary>
    /// <value>0 to below 1. Default 0.9.</value>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>AdamW's decay rate of the second moment.</summary>
    /// <value>0 to below 1. Default 0.98.</value>
    public double Beta2 { get; init; } = 0.98;

    /// <summary>AdamW's epsilon.</summary>
    /// <value>Greater than 0. Default 1e-6.</value>
    public double Epsilon { get; init; } = 1e-6;

    /// <summary>Largest length of the gradient over all parameters; longer ones are scaled down.</summary>
    /// <value>Greater than 0, or null for no clipping. Default null.</value>
    public double? GradientClipNorm { get; init; }

    /// <summary>Smallest share of an image's area that a random crop keeps; 1 switches the random crop off.</summary>
    /// <value>Greater than 0 and at most 1. Default 0.9 (open_clip).</value>
    public double MinCropScale { get; init; } = 0.9;

    /// <summary>How often an image is mirrored in training.</summary>
    /// <value>A probability, 0 to 1. Default 0: text and many signs are not symmetric.</value>
    public double HorizontalFlipProbability { get; init; }

    /// <summary>How files are read: as people expect, or as the reference implementation does.</summary>
    /// <value>Default <see cref="ImageDecoding.Upright"/>. Kept by the model for scoring.</value>
    public ImageDecoding ImageDecoding { get; init; } = ImageDecoding.Upright;

    /// <summary>What to do with a row that cannot be used: its image is missing or unreadable, its text is empty, or its dataset type is
    /// missing or unknown.</summary>
    /// <value>Default <see cref="BadRowPolicy.Fail"/>. Kept by the model for images in scoring.</value>
    public BadRowPolicy BadRows { get; init; } = BadRowPolicy.Fail;

    /// <summary>With <see cref="BadRowPolicy.Skip"/>, the share of bad rows above which training fails all the same.</summary>
    /// <value>0 to 1. Default 0.1.</value>
    public double MaxBadRowFraction { get; init; } = 0.1;

    /// <summary>Memory for decoded training images, so that later epochs need not decode again.</summary>
    /// <value>Megabytes, 0 or more. Default 1024.</value>
    public int ImageCacheMegabytes { get; init; } = 1024;

    /// <summary>Seed of everything random. On a processor the same seed, options and data give the same model.</summary>
    /// <value>Any number, or null to draw it from the <see cref="MLContext"/>, which has its own seed. Default null.</value>
    public int? Seed { get; init; }

    /// <summary>Where to compute.</summary>
    /// <value>Default <see cref="ComputeDevice.Auto"/>.</value>
    public ComputeDevice Device { get; init; } = ComputeDevice.Auto;

    /// <summary>Labeled images whose zero-shot accuracy is taken after every epoch: an image column and a label column.</summary>
    /// <value>A view, or null for no validation. Default null.</value>
    public IDataView? ValidationSet { get; init; }

    /// <summary>The prefix that the validation set's class names get.</summary>
    /// <value>A selection, or null for the caption prefix. Default null.</value>
    public PrefixSelection? ValidationPrefix { get; init; }

    /// <summary>Folder for checkpoints; a run that finds one of its own there goes on from it.</summary>
    /// <value>A path, or null for none. Default null.</value>
    public string? CheckpointFolder { get; init; }

    /// <summary>Steps between two checkpoints.</summary>
    /// <value>At least 1, or null for one per epoch. Default null.</value>
    public int? CheckpointSteps { get; init; }

    /// <summary>Called after every step, on the training thread.</summary>
    /// <value>Default null.</value>
    public IProgress<TrainingProgress>? Progress { get; init; }

    /// <summary>Stops the run with <see cref="OperationCanceledException"/>; with a checkpoint folder, what was learned is kept.</summary>
    /// <value>Default none.</value>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>Rows per step. <c>Fit</c> sets a batch size that is left open before it trains.</summary>
    internal int RowsPerStep => BatchSize ?? DefaultBatchSize;

    /// <summary>Whether a processor computes with libtorch's operations, as a GPU does, for tests and benchmarks to compare with.</summary>
    internal bool Reference { get; init; }

    /// <summary>The architecture that was set, or null where it was left open.</summary>
    internal ClipArchitecture? ChosenArchitecture => _architecture;

    /// <summary>Mean and standard deviation of pixels; those of the initial weights, which <c>Fit</c> fills in.</summary>
    internal ImageNormalization Normalization { get; init; } = ImageNormalization.Clip;

    /// <summary>SHA-256 of the initial weights, which <c>Fit</c> fills in where a checkpoint has to be recognized; else empty.</summary>
    internal string InitialWeightsHash { get; init; } = "";

    /// <summary>Checks every setting and reports all faults at once.</summary>
    /// <exception cref="ArgumentException">At least one setting is out of its range.</exception>
    internal void Validate()
    {
        var faults = Faults().ToArray();
        if (faults.Length > 0)
            throw new ArgumentException($"{nameof(PrefixClipOptions)} has {faults.Length} fault(s):{string.Concat(faults.Select(f => $"{Environment.NewLine}- {f}"))}");
    }

    private IEnumerable<string> Faults()
    {
        foreach (var (property, name) in new[]
        {
            (nameof(ImageColumnName), ImageColumnName), (nameof(TextColumnName), TextColumnName),
            (nameof(DatasetTypeColumnName), DatasetTypeColumnName), (nameof(LabelColumnName), LabelColumnName),
            (nameof(ImageEmbeddingColumnName), ImageEmbeddingColumnName), (nameof(TextEmbeddingColumnName), TextEmbeddingColumnName),
        })
            if (string.IsNullOrWhiteSpace(name)) yield return $"{property} is empty; give the name of a column.";
        if (ImageEmbeddingColumnName == TextEmbeddingColumnName)
            yield return $"{nameof(ImageEmbeddingColumnName)} and {nameof(TextEmbeddingColumnName)} are both '{ImageEmbeddingColumnName}'; give them different names.";
        foreach (var fault in Architecture.Faults()) yield return $"{nameof(Architecture)}: {fault}";
        if (Architecture.ResNet is not null && InitialWeights is null)
            yield return $"{nameof(Architecture)} has a ResNet, whose batch normalization keeps its statistics: it can only start from {nameof(InitialWeights)}.";
        if (Architecture.ResNet is not null && ImagePrefixLength != 0) yield return $"{nameof(ImagePrefixLength)} is {ImagePrefixLength}; a ResNet takes no prefix, so it must be 0.";
        if (Architecture.Swin is not null && ImagePrefixLength != 0) yield return $"{nameof(ImagePrefixLength)} is {ImagePrefixLength}; a Swin takes no prefix, so it must be 0.";
        foreach (var fault in FreezingFaults()) yield return fault;
        foreach (var fault in DatasetTypeFaults()) yield return fault;
        foreach (var (property, length) in new[] { (nameof(PrefixLength), PrefixLength), (nameof(ImagePrefixLength), ImagePrefixLength) })
            if (length is < 0 or > MaxPrefixLength) yield return $"{property} is {length}; 0 to {MaxPrefixLength} are allowed.";
        if (VocabularySize < 514) yield return $"{nameof(VocabularySize)} is {VocabularySize}; at least 514 are needed (512 bytes, start and end).";
        if (PromptTemplates is null) yield return $"{nameof(PromptTemplates)} is null; use PromptTemplates.NameOnly for class names as they are.";
        if (RowsPerStep < MinBatchSize)
            yield return $"{nameof(BatchSize)} is {BatchSize}; at least {MinBatchSize} are needed, because a row learns from the others of its batch.";
        if (Architecture is { ImageSize: > 0 } sizes && (InitialWeights is null || _architecture is not null) && RowsPerStep > Array.MaxLength / (3L * sizes.ImageSize * sizes.ImageSize))
            yield return $"{nameof(BatchSize)} is {RowsPerStep}; at {sizes.ImageSize} x {sizes.ImageSize} pixels at most {Array.MaxLength / (3L * sizes.ImageSize * sizes.ImageSize)} images fit into one batch.";
        if (ChunkSize < 1) yield return $"{nameof(ChunkSize)} is {ChunkSize}; at least 1 is needed, or null for the whole batch at once.";
        if (Epochs < 1) yield return $"{nameof(Epochs)} is {Epochs}; at least 1 is needed.";
        if (!(LearningRate > 0) || double.IsInfinity(LearningRate)) yield return FormattableString.Invariant($"{nameof(LearningRate)} is {LearningRate}; it must be greater than 0.");
        if (WarmupSteps < 0) yield return $"{nameof(WarmupSteps)} is {WarmupSteps}; 0 or more are allowed.";
        if (!(WeightDecay >= 0) || double.IsInfinity(WeightDecay)) yield return FormattableString.Invariant($"{nameof(WeightDecay)} is {WeightDecay}; 0 or more are allowed.");
        if (!(Beta1 is >= 0 and < 1)) yield return FormattableString.Invariant($"{nameof(Beta1)} is {Beta1}; it must be 0 or more and below 1.");
        if (!(Beta2 is >= 0 and < 1)) yield return FormattableString.Invariant($"{nameof(Beta2)} is {Beta2}; it must be 0 or more and below 1.");
        if (!(Epsilon > 0) || double.IsInfinity(Epsilon)) yield return FormattableString.Invariant($"{nameof(Epsilon)} is {Epsilon}; it must be greater than 0.");
        if (GradientClipNorm is { } norm && (!(norm > 0) || double.IsInfinity(norm))) yield return FormattableString.Invariant($"{nameof(GradientClipNorm)} is {norm}; it must be greater than 0, or null for no clipping.");
        if (!(MinCropScale is > 0 and <= 1)) yield return FormattableString.Invariant($"{nameof(MinCropScale)} is {MinCropScale}; it must be above 0 and at most 1.");
        if (!(HorizontalFlipProbability is >= 0 and <= 1)) yield return FormattableString.Invariant($"{nameof(HorizontalFlipProbability)} is {HorizontalFlipProbability}; a probability is 0 to 1.");
        if (!(MaxBadRowFraction is >= 0 and <= 1)) yield return FormattableString.Invariant($"{nameof(MaxBadRowFraction)} is {MaxBadRowFraction}; 0 to 1 are allowed.");
        if (ImageCacheMegabytes < 0) yield return $"{nameof(ImageCacheMegabytes)} is {ImageCacheMegabytes}; 0 or more are allowed.";
        foreach (var (property, path) in new[] { (nameof(InitialWeights), InitialWeights), (nameof(VocabularyPath), VocabularyPath), (nameof(CheckpointFolder), CheckpointFolder) })
            if (path is not null && string.IsNullOrWhiteSpace(path)) yield return $"{property} is empty; give a path, or null for none.";
        if (CheckpointSteps < 1) yield return $"{nameof(CheckpointSteps)} is {CheckpointSteps}; at least 1 is needed, or null for one per epoch.";
        foreach (var (name, type, value) in new (string, Type, object)[]
        {
            (nameof(Loss), typeof(LossFunction), Loss), (nameof(BatchComposition), typeof(BatchComposition), BatchComposition),
            (nameof(LearningRateSchedule), typeof(LearningRateSchedule), LearningRateSchedule), (nameof(ImageDecoding), typeof(ImageDecoding), ImageDecoding),
            (nameof(BadRows), typeof(BadRowPolicy), BadRows), (nameof(Device), typeof(ComputeDevice), Device),
        })
            if (!Enum.IsDefined(type, value)) yield return $"{name} is {value}; use a member of {type.Name}.";
    }

    private IEnumerable<string> FreezingFaults()
    {
        if ((TrainableParts & ~TrainableParts.All) != 0) yield return $"{nameof(TrainableParts)} is {(int)TrainableParts}; use members of {nameof(PrefixConditioning.TrainableParts)}.";
        else if (TrainableParts == TrainableParts.None) yield return $"{nameof(TrainableParts)} is None; name at least one part that is trained.";
        else if (TrainableParts == TrainableParts.Prefixes && PrefixLength == 0 && ImagePrefixLength == 0)
            yield return $"{nameof(TrainableParts)} is Prefixes, and both prefix lengths are 0: there is nothing to train. Set {nameof(PrefixLength)} to 1 or more.";
        var known = InitialWeights is null || _architecture is not null;
        foreach (var (property, frozen, layers) in new[]
        {
            (nameof(FrozenVisionLayers), FrozenVisionLayers, Architecture.VisionLayers), (nameof(FrozenTextLayers), FrozenTextLayers, Architecture.TextLayers),
        })
            if (frozen < 0 || (known && frozen > 0 && frozen > layers)) yield return $"{property} is {frozen}; {(known ? $"0 to {layers}" : "0 or more")} are allowed, as many as the tower has blocks.";
        if (!(PrefixLearningRateFactor > 0) || double.IsInfinity(PrefixLearningRateFactor))
            yield return FormattableString.Invariant($"{nameof(PrefixLearningRateFactor)} is {PrefixLearningRateFactor}; it must be greater than 0.");
        if (!(LayerDecay is > 0 and <= 1)) yield return FormattableString.Invariant($"{nameof(LayerDecay)} is {LayerDecay}; it must be above 0 and at most 1.");
    }

    private IEnumerable<string> DatasetTypeFaults()
    {
        if (DatasetTypes is null or { Count: 0 })
        {
            yield return $"{nameof(DatasetTypes)} is empty; name at least one, such as DatasetType.Caption.";
            yield break;
        }
        if (DatasetTypes.Any(t => string.IsNullOrWhiteSpace(t?.Name))) yield return $"{nameof(DatasetTypes)} holds a type without a name.";
        foreach (var type in DatasetTypes.Where(t => t is not null && !Enum.IsDefined(t.Texts)))
            yield return $"{nameof(DatasetTypes)} gives '{type.Name}' the texts {(int)type.Texts}; use a member of {nameof(TextKind)}.";
        foreach (var twice in DatasetTypes.Where(t => t is not null).GroupBy(t => t.Name, StringComparer.Ordinal).Where(g => g.Count() > 1))
            yield return $"{nameof(DatasetTypes)} names '{twice.Key}' {twice.Count()} times; every type needs its own name.";
        foreach (var (name, weight) in DatasetTypeWeights ?? new Dictionary<string, double>())
        {
            if (DatasetTypes.All(t => t?.Name != name)) yield return $"{nameof(DatasetTypeWeights)} names '{name}', which is not in {nameof(DatasetTypes)}.";
            if (!(weight > 0) || double.IsInfinity(weight)) yield return FormattableString.Invariant($"{nameof(DatasetTypeWeights)} gives '{name}' the weight {weight}; it must be greater than 0.");
        }
    }
}
