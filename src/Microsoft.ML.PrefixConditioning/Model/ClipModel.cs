using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Both towers, the prefixes and the logit scale: everything that is learned.</summary>
/// <remarks>Source: CLIP paper (arXiv 2103.00020), figure 3, as built by open_clip v3.3.0. Reading is safe from many threads.</remarks>
internal sealed class ClipModel : IDisposable
{
    private const double InitialLogitScale = 2.6592600369327781; // ln(1 / 0.07); CLIP paper, section 2.5

    private readonly ModelWeights _weights;
    private readonly FusedVisionTower? _fusedVision;
    private readonly FusedTextTower? _fusedText;

    private ClipModel(ModelWeights weights, ClipModelShape shape, bool reference)
    {
        _weights = weights;
        Shape = shape;
        Vision = shape.Architecture switch
        {
            { ResNet: not null } => new ResNetTower(weights, shape.Architecture),
            { Swin: not null } => new SwinTower(weights, shape.Architecture),
            _ => new VisionTower(weights, shape.Architecture, shape.DatasetTypes, shape.ImagePrefixLength),
        };
        Text = new TextTower(weights, shape);
        LogitScale = weights.Constant("logit_scale", InitialLogitScale);
        weights.Seal();
        if (reference || weights.Device.type != TorchSharp.DeviceType.CPU) return;
        if (Vision is VisionTower vision && vision.Positions.shape[0] + shape.ImagePrefixLength <= FusedBlocks.LongestSequence)
            _fusedVision = new FusedVisionTower(vision);   // a ResNet and a Swin are libtorch's alone
        if (shape.Architecture.ContextLength + shape.PrefixLength <= FusedBlocks.LongestSequence) _fusedText = new FusedTextTower(Text);
    }

    /// <summary>A new model with open_clip's initial values, drawn from the seed.</summary>
    /// <param name="shape">Sizes.</param>
    /// <param name="device">Where the weights lie.</param>
    /// <param name="seed">Of the initial values.</param>
    /// <param name="reference">Whether a processor computes with libtorch's operations, as a GPU does.</param>
    public static ClipModel Create(ClipModelShape shape, Device device, ulong seed, bool reference = false) =>
        Build(ModelWeights.Initialised(device, seed), shape, reference);

    /// <summary>A model whose weights are undefined until they are read.</summary>
    public static ClipModel CreateUnset(ClipModelShape shape, Device device, bool reference = false) =>
        Build(ModelWeights.Unset(device), shape, reference);

    private static ClipModel Build(ModelWeights weights, ClipModelShape shape, bool reference)
    {
        try
        {
            return new ClipModel(weights, shape, reference);
        }
        catch
        {
            weights.Dispose();   // memory ran out half-way, for example
            throw;
        }
    }

    /// <summary>The sizes that determine every weight's shape.</summary>
    public ClipModelShape Shape { get; }

    /// <summary>[N, 3, S, S] -> [N, D].</summary>
    public IVisionTower Vision { get; }

    /// <summary>[N, L] ids -> [N, D].</summary>
    public TextTower Text { get; }

    /// <summary>Scalar: the logarithm of the factor between cosine and logit.</summary>
    public Tensor LogitScale { get; }

    /// <summary>All weights with their names in weight files.</summary>
    public IReadOnlyList<KeyValuePair<string, Tensor>> Weights => _weights.Named;

    /// <summary>Where the weights are.</summary>
    public Device Device => _weights.Device;

    /// <summary>Number of learned values.</summary>
    public long ParameterCount => _weights.ParameterCount;

    /// <summary>Frees what only training needs: gradients, and the intermediate results of a step.</summary>
    public void EndTraining()
    {
        foreach (var (_, weight) in Weights) weight.grad = null;
        _fusedVision?.Blocks.FreeMemory();
        _fusedText?.Blocks.FreeMemory();
    }

    /// <summary>Image embeddings of unit length: [N, 3, S, S] -> [N, D].</summary>
    /// <param name="images">[N, 3, S, S] normalised pixels.</param>
    /// <param name="datasetTypes">[N] int64, or null for no prefix.</param>
    /// <param name="branchFactors">In the training of a Swin: what its residual branches are multiplied by; null for 1.</param>
    public Tensor EncodeImages(Tensor images, Tensor? datasetTypes, Tensor? branchFactors = null) =>
        _fusedVision is { } tower && !is_grad_enabled() ? FusedPass.Encode(tower, InputOf(images, datasetTypes))
            : ToUnitLength(() => Vision is SwinTower swin ? swin.Forward(images, datasetTypes, branchFactors) : Vision.Forward(images, datasetTypes));

    /// <summary>Text embeddings of unit length: [N, L] -> [N, D].</summary>
    public Tensor EncodeTexts(Tensor ids, Tensor? datasetTypes) => _fusedText is { } tower && !is_grad_enabled()
        ? FusedPass.Encode(tower, TextInputOf(ids, datasetTypes)) : ToUnitLength(() => Text.Forward(ids, datasetTypes));

    /// <summary>The same as a pass that can be gone back through.</summary>
    public ITowerPass BeginImages(Tensor images, Tensor? datasetTypes, Tensor? branchFactors = null) => _fusedVision is { } tower
        ? new FusedPass<VisionInput>(tower, InputOf(images, datasetTypes)) : new GraphPass(EncodeImages(images, datasetTypes, branchFactors));

    /// <summary>The same as a pass that can be gone back through.</summary>
    public ITowerPass BeginTexts(Tensor ids, Tensor? datasetTypes) => _fusedText is { } tower
        ? new FusedPass<TextInput>(tower, TextInputOf(ids, datasetTypes)) : new GraphPass(EncodeTexts(ids, datasetTypes));

    // The fused towers read memory by address: what does not fit the weights must not get there.
    private VisionInput InputOf(Tensor images, Tensor? datasetTypes)
    {
        var size = Shape.Architecture.ImageSize;
        return images.shape is [_, 3, var height, var width] && height == size && width == size
            ? new(images.contiguous(), Shape.ImagePrefixLength == 0 ? null : TypesOf(datasetTypes)) : throw new ArgumentException(
                $"Images are [{string.Join(", ", images.shape)}]; this model takes [N, 3, {size}, {size}].", nameof(images));
    }

    private long[]? TypesOf(Tensor? datasetTypes)
    {
        var types = datasetTypes?.data<long>().ToArray();
        return types is null || types.All(t => t >= 0 && t < Shape.DatasetTypes) ? types : throw new ArgumentOutOfRangeException(
            nameof(datasetTypes), $"A dataset type is {types.First(t => t < 0 || t >= Shape.DatasetTypes)}; this model has {Shape.DatasetTypes}, counted from 0.");
    }

    /// <summary>Every text up to its end token, which has the largest id; its first place counts.</summary>
    private TextInput TextInputOf(Tensor ids, Tensor? datasetTypes)
    {
        using var scope = NewDisposeScope();
        var (values, length) = (ids.data<long>().ToArray(), (int)ids.shape[1]);
        var vocabulary = Text.Tokens.shape[0];
        foreach (var id in values)
            if (id < 0 || id >= vocabulary)
                throw new ArgumentOutOfRangeException(nameof(ids), $"A token id is {id}, the vocabulary has {vocabulary}; use the model's own tokenizer.");
        var texts = values.Chunk(length).Select(row => Array.ConvertAll(row[..(Array.IndexOf(row, row.Max()) + 1)], id => (int)id)).ToArray();
        if (texts.FirstOrDefault(t => t.Length > Shape.Architecture.ContextLength) is { } text)
            throw new ArgumentException($"A text has {text.Length} tokens; this model takes at most {Shape.Architecture.ContextLength}.", nameof(ids));
        return new TextInput(texts, Shape.PrefixLength > 0 ? TypesOf(datasetTypes) : null);
    }

    private static Tensor ToUnitLength(Func<Tensor> features)
    {
        using var scope = NewDisposeScope();
        return nn.functional.normalize(features(), p: 2, dim: 1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _fusedVision?.Dispose();
        _fusedText?.Dispose();
        _weights.Dispose();
    }
}

/// <summary>The sizes that determine every weight's shape.</summary>
/// <param name="Architecture">Sizes of the towers.</param>
/// <param name="VocabularySize">Token ids.</param>
/// <param name="DatasetTypes">Dataset types that have a prefix.</param>
/// <param name="PrefixLength">Prefix tokens per type in the text tower.</param>
/// <param name="ImagePrefixLength">Prefix tokens per type in the vision tower.</param>
internal sealed record ClipModelShape(
    ClipArchitecture Architecture, int VocabularySize, int DatasetTypes, int PrefixLength, int ImagePrefixLength);
