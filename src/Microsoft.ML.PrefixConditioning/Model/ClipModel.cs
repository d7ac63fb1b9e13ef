using System.Diagnostics;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Both towers, the prefixes and the logit scale: everything that is learned.</summary>
/// <remarks>Source: CLIP paper (arXiv 2103.00020), figure 3, as built by open_clip v3.3.0. Reading is safe from many threads.</remarks>
internal sealed class ClipModel : IDisposable
{
    private const double InitialLogitScale = 2.6592600369327781; // ln(1 / 0.07); CLIP paper, section 2.5
    private const double InitialSigmoidScale = 2.302585092994046; // ln 10; arXiv 2303.15343, section 3.2, as the bias of -10

    /// <summary>The first value of the sigmoid loss's bias.</summary>
    internal const double InitialLogitBias = -10;

    private readonly ModelWeights _weights;

    private ClipModel(ModelWeights weights, ClipModelShape shape, bool useTensorOperations)
    {
        _weights = weights;
        Shape = shape;
        var fused = !useTensorOperations && weights.Device.type == TorchSharp.DeviceType.CPU;
        Vision = shape.Architecture switch
        {
            { VisionKind: null } => new VisionTower(weights, shape, fused),
            { ResNet: not null } => new ResNetTower(weights, shape.Architecture),
            { Swin: not null } => new SwinTower(weights, shape.Architecture),
            var other => throw new UnreachableException($"{other.VisionKind.Name} has no tower: add it to {nameof(ClipModel)}."),
        };
        Text = new TextTower(weights, shape, fused);
        var logits = weights.Of(TrainableParts.LogitScale);
        LogitScale = logits.Constant("logit_scale", shape.HasLogitBias ? InitialSigmoidScale : InitialLogitScale);
        if (shape.HasLogitBias) LogitBias = logits.Constant("logit_bias", InitialLogitBias);
        weights.Seal();
    }

    /// <summary>A new model with open_clip's initial values, drawn from the seed.</summary>
    /// <param name="shape">Sizes.</param>
    /// <param name="device">Where the weights lie.</param>
    /// <param name="seed">Of the initial values.</param>
    /// <param name="useTensorOperations">Whether a processor computes with libtorch's operations, as a GPU does.</param>
    /// <param name="products">The type that matrices are rounded to before they are multiplied.</param>
    public static ClipModel Create(ClipModelShape shape, Device device, ulong seed, bool useTensorOperations = false,
        ScalarType products = ScalarType.Float32) =>
        Build(ModelWeights.Initialized(device, seed, products), shape, useTensorOperations);

    /// <summary>A model whose weights are undefined until they are read.</summary>
    /// <param name="shape">Sizes.</param>
    /// <param name="device">Where the weights lie.</param>
    /// <param name="useTensorOperations">Whether a processor computes with libtorch's operations, as a GPU does.</param>
    /// <param name="products">The type that matrices are rounded to before they are multiplied.</param>
    /// <param name="rounded">Whether the weights are kept in this type; such a model cannot be trained.</param>
    public static ClipModel CreateUnset(ClipModelShape shape, Device device, bool useTensorOperations = false,
        ScalarType products = ScalarType.Float32, bool rounded = false) =>
        Build(ModelWeights.Unset(device, products, rounded), shape, useTensorOperations);

    private static ClipModel Build(ModelWeights weights, ClipModelShape shape, bool useTensorOperations)
    {
        try
        {
            return new ClipModel(weights, shape, useTensorOperations);
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

    /// <summary>Token ids -> [N, D].</summary>
    public TextTower Text { get; }

    /// <summary>Scalar: the logarithm of the factor between cosine and logit.</summary>
    public Tensor LogitScale { get; }

    /// <summary>Scalar: what the sigmoid loss adds to every logit; null in models of other losses.</summary>
    public Tensor? LogitBias { get; }

    /// <summary>All weights with their names in weight files.</summary>
    public IReadOnlyList<KeyValuePair<string, Tensor>> Weights => _weights.Named;

    /// <summary>All weights as files have them, in single precision. Those that had to be converted belong to the dispose scope.</summary>
    public IReadOnlyCollection<KeyValuePair<string, Tensor>> WeightsForFiles() =>
        [.. Weights.Select(w => w.Value.dtype == ScalarType.Float32 ? w : new(w.Key, w.Value.to(ScalarType.Float32)))];

    /// <summary>The part and the layer that a weight was declared with.</summary>
    public WeightPlace PlaceOf(string name) => _weights.PlaceOf(name);

    /// <summary>Where the weights are.</summary>
    public Device Device => _weights.Device;

    /// <summary>Number of learned values.</summary>
    public long ParameterCount => _weights.ParameterCount;

    /// <summary>Ends all training: frees gradients and the intermediate results of a step, and freezes the weights.</summary>
    /// <returns>This model.</returns>
    public ClipModel Freeze()
    {
        foreach (var (_, weight) in Weights)
        {
            weight.grad = null;
            weight.requires_grad = false;
        }
        Vision.Stack?.FreeMemory();
        Text.Stack.FreeMemory();
        return this;
    }

    /// <summary>Image embeddings of unit length: [N, 3, S, S] -> [N, D].</summary>
    /// <param name="images">[N, 3, S, S] normalized pixels.</param>
    /// <param name="datasetTypes">[N], the index of each image's dataset type, or null for no prefix.</param>
    /// <param name="branchFactors">With stochastic depth, in training: what residual branches are multiplied by; null for 1.</param>
    /// <exception cref="ArgumentException">The images have another size.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The model does not have a dataset type.</exception>
    public Tensor EncodeImages(Tensor images, long[]? datasetTypes, Tensor? branchFactors = null)
    {
        var size = Shape.Architecture.ImageSize;
        if (images.shape is not [_, 3, var height, var width] || height != size || width != size)
            throw new ArgumentException(
                $"Images are [{string.Join(", ", images.shape)}]; this model takes [N, 3, {size}, {size}].", nameof(images));
        CheckTypes(datasetTypes);
        return ToUnitLength(() => Vision.Forward(images, datasetTypes, branchFactors));
    }

    /// <summary>Text embeddings of unit length: [N, D].</summary>
    /// <param name="texts">N texts.</param>
    /// <param name="datasetTypes">[N], the index of each text's dataset type, or null for no prefix.</param>
    /// <exception cref="ArgumentException">A text is longer than the context length.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The model does not have a dataset type or a token.</exception>
    public Tensor EncodeTexts(TokenBatch texts, long[]? datasetTypes)
    {
        if (texts.Length > Shape.Architecture.ContextLength)
            throw new ArgumentException(
                $"A text has {texts.Length} tokens; this model takes at most {Shape.Architecture.ContextLength}.", nameof(texts));
        foreach (var id in texts.Ids)
            if (id < 0 || id >= Shape.VocabularySize)
                throw new ArgumentOutOfRangeException(
                    nameof(texts), $"A token id is {id}, the vocabulary has {Shape.VocabularySize}; use the model's own tokenizer.");
        CheckTypes(datasetTypes);
        return ToUnitLength(() => Text.Forward(texts, datasetTypes));
    }

    /// <summary>Adds to the gradients of the weights that embeddings depend on; to none where all of these are frozen.</summary>
    /// <param name="embeddings">[N, D], what this model encoded.</param>
    /// <param name="gradient">[N, D], of the embeddings.</param>
    public void Backward(Tensor embeddings, Tensor gradient)
    {
        if (embeddings.requires_grad) embeddings.backward([gradient]);
        Vision.Stack?.ThrowFault();
        Text.Stack.ThrowFault();
    }

    private void CheckTypes(long[]? datasetTypes)
    {
        foreach (var type in datasetTypes ?? [])
            if (type < 0 || type >= Shape.DatasetTypes)
                throw new ArgumentOutOfRangeException(
                    nameof(datasetTypes), $"A dataset type is {type}; this model has {Shape.DatasetTypes}, counted from 0.");
    }

    private static Tensor ToUnitLength(Func<Tensor> features)
    {
        using var scope = NewDisposeScope();
        return nn.functional.normalize(features().to(ScalarType.Float32), p: 2, dim: 1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Vision.Dispose();
        Text.Stack.Dispose();
        _weights.Dispose();
    }
}

/// <summary>The sizes that determine every weight's shape.</summary>
/// <param name="Architecture">Sizes of the towers.</param>
/// <param name="VocabularySize">Token ids.</param>
/// <param name="DatasetTypes">Dataset types that have a prefix.</param>
/// <param name="PrefixLength">Prefix tokens per type in the text tower.</param>
/// <param name="ImagePrefixLength">Prefix tokens per type in the vision tower.</param>
/// <param name="HasLogitBias">Whether it is trained with the sigmoid loss, which has a bias.</param>
internal sealed record ClipModelShape(
    ClipArchitecture Architecture, int VocabularySize, int DatasetTypes, int PrefixLength, int ImagePrefixLength,
    bool HasLogitBias = false);
