using Microsoft.Extensions.AI;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A trained model as embedding generators of Microsoft.Extensions.AI.</summary>
public static class ClipEmbeddings
{
    internal const string DefaultModelId = "prefix-clip";
    private const string PrefixKey = "prefix";

    /// <summary>Makes a generator of text embeddings.</summary>
    /// <param name="model">The model. The generator does not dispose it; do not dispose it while the generator is used.</param>
    /// <param name="prefix">The prefix of calls whose options set none; null means the caption prefix.</param>
    /// <param name="modelId">The model's name in metadata and embeddings. A call whose options name another model is an error.</param>
    /// <returns>The generator. It gives the vectors of <see cref="PrefixClipTransformer.EncodeTexts"/>.</returns>
    /// <remarks>
    /// Safe for use from many threads. <c>GenerateAsync</c> computes on the thread pool, which also enumerates the texts: do not change
    /// them before the task ends. It encodes 64 texts at a time and can be canceled between two such batches.
    /// </remarks>
    public static IEmbeddingGenerator<string, Embedding<float>> AsTextEmbeddingGenerator(
        this PrefixClipTransformer model, PrefixSelection? prefix = null, string modelId = DefaultModelId) =>
        new TextEmbeddingGenerator(model, prefix, modelId);

    /// <summary>Makes a generator of image embeddings.</summary>
    /// <param name="model">The model. The generator does not dispose it; do not dispose it while the generator is used.</param>
    /// <param name="prefix">The prefix of calls whose options set none; null means the caption prefix. It matters only for models with
    /// image prefixes.</param>
    /// <param name="modelId">The model's name in metadata and embeddings. A call whose options name another model is an error.</param>
    /// <returns>The generator. It takes encoded files with an image media type and gives the vectors of
    /// <see cref="PrefixClipTransformer.EncodeImages(IReadOnlyList{byte[]})"/>: NaN for an unreadable image if the model's policy is to
    /// skip.</returns>
    /// <remarks>
    /// Safe for use from many threads. <c>GenerateAsync</c> computes on the thread pool, which also enumerates the images: do not change
    /// them before the task ends. It encodes at most 64 images at a time and can be canceled between two images.
    /// </remarks>
    public static IEmbeddingGenerator<DataContent, Embedding<float>> AsImageEmbeddingGenerator(
        this PrefixClipTransformer model, PrefixSelection? prefix = null, string modelId = DefaultModelId) =>
        new ImageEmbeddingGenerator(model, prefix, modelId);

    /// <summary>Chooses the prefix of one call.</summary>
    /// <param name="options">The options, which stay as they are.</param>
    /// <param name="prefix">The prefix.</param>
    /// <returns>A copy of the options whose <see cref="EmbeddingGenerationOptions.AdditionalProperties"/> have the prefix under
    /// "prefix".</returns>
    public static EmbeddingGenerationOptions WithPrefix(this EmbeddingGenerationOptions options, PrefixSelection prefix)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(prefix);
        var copy = options.Clone();
        (copy.AdditionalProperties ??= [])[PrefixKey] = prefix;
        return copy;
    }

    /// <summary>The prefix that options set; null if they set none.</summary>
    /// <exception cref="ArgumentException">The value is no prefix.</exception>
    internal static PrefixSelection? Prefix(EmbeddingGenerationOptions? options)
    {
        if (options?.AdditionalProperties?.TryGetValue(PrefixKey, out var value) is not true || value is null) return null;
        return value as PrefixSelection ?? throw new ArgumentException(
            $"The additional property \"{PrefixKey}\" is of type {value.GetType().Name}; set it with options." +
            $"{nameof(WithPrefix)}({nameof(PrefixSelection)}).", nameof(options));
    }
}
