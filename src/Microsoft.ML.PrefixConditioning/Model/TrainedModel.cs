using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A model with everything that is needed to use it: weights, vocabulary, settings and history.</summary>
/// <remarks>Reading is safe from many threads; the owner disposes it when no thread uses it any more.</remarks>
internal sealed class TrainedModel(ClipModel network, ClipTokenizer tokenizer, ModelSettings settings, TrainingHistory history) : IDisposable
{
    public ClipModel Network { get; } = network;
    public ClipTokenizer Tokenizer { get; } = tokenizer;
    public ModelSettings Settings { get; } = settings;
    public TrainingHistory History { get; } = history;

    /// <summary>The factor between cosine and logit, exp of the learned scale.</summary>
    public double LogitScale { get; } = Math.Exp(network.LogitScale.ToDouble());

    /// <summary>Class embeddings with the selected prefix: [C, D] row by row.</summary>
    public float[] EncodeClasses(IReadOnlyList<string> classNames, PromptTemplates templates, PrefixSelection? prefix) =>
        Values(() => ClassEmbeddings.Compute(Network, Tokenizer, classNames, templates, PrefixResolution.Resolve(prefix, Settings.DatasetTypes)));

    /// <summary>Text embeddings with the selected prefix: [U, D] row by row, unit length.</summary>
    public float[] EncodeTexts(IReadOnlyList<string> texts, PrefixSelection? prefix) => texts.Count == 0 ? [] : Values(() =>
        ClassEmbeddings.FromTokens(
            Network, [.. texts.Select(t => Tokenizer.Encode(t, Settings.Architecture.ContextLength))], templates: 1, PrefixResolution.Resolve(prefix, Settings.DatasetTypes)));

    /// <summary>Image embeddings: [N, D] row by row, unit length.</summary>
    /// <param name="pixels">[N, 3, S, S], normalised.</param>
    /// <param name="count">N.</param>
    /// <param name="prefix">Matters only for models with image prefixes.</param>
    public float[] EncodeImages(ReadOnlySpan<float> pixels, int count, PrefixSelection? prefix)
    {
        using var scope = NewDisposeScope();
        using var noGrad = inference_mode();
        var images = PixelBatch.ToTensor(pixels, count, Settings.Architecture.ImageSize, Network.Device);
        var types = PrefixResolution.ImageTypes(Network, PrefixResolution.Resolve(prefix, Settings.DatasetTypes), count);
        return Network.EncodeImages(images, types).cpu().data<float>().ToArray();
    }

    private static float[] Values(Func<Tensor> compute)
    {
        using var scope = NewDisposeScope();
        return compute().cpu().data<float>().ToArray();
    }

    /// <inheritdoc/>
    public void Dispose() => Network.Dispose();
}
