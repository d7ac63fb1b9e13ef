using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Both towers, the prefixes and the logit scale: everything that is learned.</summary>
/// <remarks>Source: CLIP paper (arXiv 2103.00020), figure 3, as built by open_clip v3.3.0. Reading is safe from many threads.</remarks>
internal sealed class ClipModel : IDisposable
{
    private const double InitialLogitScale = 2.6592600369327781; // ln(1 / 0.07); CLIP paper, section 2.5

    private readonly ModelWeights _weights;

    private ClipModel(ModelWeights weights, ClipModelShape shape)
    {
        _weights = weights;
        Shape = shape;
        Vision = shape.Architecture.ResNet is null
            ? new VisionTower(weights, shape.Architecture, shape.DatasetTypes, shape.ImagePrefixLength) : new ResNetTower(weights, shape.Architecture);
        Text = new TextTower(weights, shape.Architecture, shape.VocabularySize, shape.DatasetTypes, shape.PrefixLength);
        LogitScale = weights.Constant("logit_scale", InitialLogitScale);
        weights.Seal();
    }

    /// <summary>A new model with the reference's initial values, drawn from the seed.</summary>
    public static ClipModel Create(ClipModelShape shape, Device device, ulong seed) => Build(ModelWeights.Initialised(device, seed), shape);

    /// <summary>A model whose weights are undefined until they are read.</summary>
    public static ClipModel CreateUnset(ClipModelShape shape, Device device) => Build(ModelWeights.Unset(device), shape);

    private static ClipModel Build(ModelWeights weights, ClipModelShape shape)
    {
        try
        {
            return new ClipModel(weights, shape);
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

    /// <summary>Image embeddings of unit length: [N, 3, S, S] -> [N, D].</summary>
    public Tensor EncodeImages(Tensor images, Tensor? datasetTypes) => ToUnitLength(() => Vision.Forward(images, datasetTypes));

    /// <summary>Text embeddings of unit length: [N, L] -> [N, D].</summary>
    public Tensor EncodeTexts(Tensor ids, Tensor? datasetTypes) => ToUnitLength(() => Text.Forward(ids, datasetTypes));

    private static Tensor ToUnitLength(Func<Tensor> features)
    {
        using var scope = NewDisposeScope();
        return nn.functional.normalize(features(), p: 2, dim: 1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => _weights.Dispose();
}

/// <summary>The sizes that determine every weight's shape.</summary>
/// <param name="Architecture">Sizes of the towers.</param>
/// <param name="VocabularySize">Token ids.</param>
/// <param name="DatasetTypes">Dataset types that have a prefix.</param>
/// <param name="PrefixLength">Prefix tokens per type in the text tower.</param>
/// <param name="ImagePrefixLength">Prefix tokens per type in the vision tower.</param>
internal sealed record ClipModelShape(ClipArchitecture Architecture, int VocabularySize, int DatasetTypes, int PrefixLength, int ImagePrefixLength);
