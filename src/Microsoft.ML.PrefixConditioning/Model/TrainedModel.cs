using Microsoft.ML.Runtime;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A model with everything that is needed to use it: weights, vocabulary, settings and history.</summary>
/// <remarks>Safe for use from many threads; one that is disposed meanwhile frees its memory when the last use ends.</remarks>
internal sealed class TrainedModel(ClipModel network, ClipTokenizer tokenizer, ModelSettings settings, TrainingHistory history)
    : IDisposable
{
    private readonly ClipModel _network = network.Freeze();
    private readonly UseCount _uses = new("model", network.Dispose);
    private readonly ClassEmbeddingCache _classes = new();

    public ClipTokenizer Tokenizer { get; } = tokenizer;
    public ModelSettings Settings { get; } = settings;
    public TrainingHistory History { get; } = history;

    /// <summary>Mean and variance of the training images' embeddings, per dataset type; null if the model has none.</summary>
    public IReadOnlyList<EmbeddingSummary>? Summaries { get; init; }

    /// <summary>The factor between cosine and logit, exp of the learned scale.</summary>
    public double LogitScale { get; } = Math.Exp(network.LogitScale.Number());

    /// <summary>Number of learned values.</summary>
    public long ParameterCount { get; } = network.ParameterCount;

    /// <summary>Lends the network; it is not freed during the call.</summary>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public void Lend(Action<ClipModel> borrow)
    {
        using var use = _uses.Begin();
        borrow(_network);
    }

    /// <summary>A copy whose matrix products have another precision, and whose weights are kept in it.</summary>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public TrainedModel WithPrecision(Precision precision, IHostEnvironment environment)
    {
        using var use = _uses.Begin();
        using var noGrad = no_grad();
        var products = TorchDevice.ProductType(precision, _network.Device, Settings.Architecture, environment);
        var network = ClipModel.CreateUnset(_network.Shape, _network.Device, products: products, rounded: true);
        foreach (var (from, to) in _network.Weights.Zip(network.Weights)) to.Value.copy_(from.Value);
        return new TrainedModel(network, Tokenizer, Settings with { Precision = precision }, History) { Summaries = Summaries };
    }

    /// <summary>Throws if the model was disposed.</summary>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public void ThrowIfDisposed() => _uses.Begin().Dispose();

    /// <summary>Class embeddings with the selected prefix: [C, D] row by row.</summary>
    /// <remarks>The last few results are kept: a classifier that is made again for the same classes costs nothing.</remarks>
    public float[] EncodeClasses(
        IReadOnlyList<string> classNames, PromptTemplates templates, PrefixSelection? prefix, Action<int>? onPass = null)
    {
        var prefixes = PrefixResolution.Resolve(prefix, Settings.DatasetTypes);
        return _classes.GetOrAdd(classNames, templates, prefixes, () =>
            Values(() => ClassEmbeddings.Compute(_network, Tokenizer, classNames, templates, prefixes, onPass)));
    }

    /// <summary>Text embeddings with the selected prefix: [U, D] row by row, unit length.</summary>
    public float[] EncodeTexts(IReadOnlyList<string> texts, PrefixSelection? prefix)
    {
        var prefixes = PrefixResolution.Resolve(prefix, Settings.DatasetTypes);
        if (texts.Count == 0) return [];
        var tokens = texts.Select(t => Tokenizer.Encode(t, Settings.Architecture.ContextLength)).ToArray();
        return Values(() => ClassEmbeddings.FromTokens(_network, tokens, templates: 1, prefixes));
    }

    /// <summary>Image embeddings: [N, D] row by row, unit length.</summary>
    /// <param name="pixels">[N, 3, S, S], normalized.</param>
    /// <param name="count">N.</param>
    /// <param name="prefix">Matters only for models with image prefixes.</param>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public float[] EncodeImages(ReadOnlySpan<float> pixels, int count, PrefixSelection? prefix)
    {
        using var use = _uses.Begin();
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var images = PixelBatch.ToTensor(pixels, count, Settings.Architecture.ImageSize, _network.Device);
        var types = PrefixResolution.ImageTypes(_network, PrefixResolution.Resolve(prefix, Settings.DatasetTypes), count);
        return _network.EncodeImages(images, types).cpu().data<float>().ToArray();
    }

    private float[] Values(Func<Tensor> compute)
    {
        using var use = _uses.Begin();
        using var scope = NewDisposeScope();
        return compute().cpu().data<float>().ToArray();
    }

    /// <inheritdoc/>
    public void Dispose() => _uses.Dispose();
}
