using Microsoft.Extensions.AI;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Computes embeddings in batches on the thread pool. Safe for use from many threads; does not own the model.</summary>
internal abstract class ClipEmbeddingGenerator<TInput> : IEmbeddingGenerator<TInput, Embedding<float>>
{
    private readonly PrefixClipTransformer _model;
    private readonly PrefixSelection? _prefix;
    private readonly EmbeddingGeneratorMetadata _metadata;

    protected ClipEmbeddingGenerator(PrefixClipTransformer model, PrefixSelection? prefix, string modelId)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentException.ThrowIfNullOrWhiteSpace(modelId);
        PrefixResolution.Resolve(prefix, model.DatasetTypes);   // throws now, not in the first call
        (_model, _prefix) = (model, prefix);
        _metadata = new("Microsoft.ML.PrefixConditioning", defaultModelId: modelId,
            defaultModelDimensions: model.Architecture.EmbeddingSize);
    }

    /// <summary>One vector per input.</summary>
    /// <param name="encoder">The model with the call's prefix.</param>
    /// <param name="batch">At most <see cref="EmbeddingEncoder.ImagesPerPass"/> inputs.</param>
    /// <param name="first">Index of the batch's first input in the call, for messages.</param>
    /// <param name="cancellation">Stops the encoding.</param>
    protected abstract IEnumerable<float[]> Encode(EmbeddingEncoder encoder, TInput[] batch, int first, CancellationToken cancellation);

    public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<TInput> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (options?.ModelId is { } id && id != _metadata.DefaultModelId)
            throw new ArgumentException($"The options name the model '{id}'; this generator has '{_metadata.DefaultModelId}'.",
                nameof(options));
        if (options?.Dimensions is { } dimensions && dimensions != _metadata.DefaultModelDimensions)
            throw new ArgumentException(
                $"The options ask for {dimensions} dimensions; this model's embeddings have {_metadata.DefaultModelDimensions}.",
                nameof(options));
        var prefix = ClipEmbeddings.Prefix(options) ?? _prefix;
        PrefixResolution.Resolve(prefix, _model.DatasetTypes);
        return Task.Run(() => Generate(values, prefix, cancellationToken), cancellationToken);
    }

    private GeneratedEmbeddings<Embedding<float>> Generate(
        IEnumerable<TInput> values, PrefixSelection? prefix, CancellationToken cancellation)
    {
        var encoder = new EmbeddingEncoder(_model.Trained, prefix);
        var all = new GeneratedEmbeddings<Embedding<float>>();
        foreach (var batch in values.Chunk(encoder.ImagesPerPass))
        {
            cancellation.ThrowIfCancellationRequested();
            foreach (var vector in Encode(encoder, batch, all.Count, cancellation))
                all.Add(new Embedding<float>(vector) { ModelId = _metadata.DefaultModelId });
        }
        return all;
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null) return null;
        return serviceType == typeof(EmbeddingGeneratorMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType.IsInstanceOfType(_model) ? _model : null;
    }

    public void Dispose() { }
}

/// <summary>Embeddings of texts.</summary>
internal sealed class TextEmbeddingGenerator(PrefixClipTransformer model, PrefixSelection? prefix, string modelId)
    : ClipEmbeddingGenerator<string>(model, prefix, modelId)
{
    protected override IEnumerable<float[]> Encode(EmbeddingEncoder encoder, string[] batch, int first, CancellationToken cancellation)
    {
        if (Array.IndexOf(batch, null) is >= 0 and var i)
            throw new ArgumentException($"The text at index {first + i} is null; pass an empty text for no words.");
        return encoder.Encode(batch).Chunk(encoder.EmbeddingSize);
    }
}

/// <summary>Embeddings of encoded image files.</summary>
internal sealed class ImageEmbeddingGenerator(PrefixClipTransformer model, PrefixSelection? prefix, string modelId)
    : ClipEmbeddingGenerator<DataContent>(model, prefix, modelId)
{
    protected override IEnumerable<float[]> Encode(
        EmbeddingEncoder encoder, DataContent[] batch, int first, CancellationToken cancellation)
    {
        var images = batch.Select((content, i) => ImageReference.FromEncoded(Bytes(content, Place(i)))).ToArray();
        var prepared = encoder.Prepare(images, Place, cancellation);
        return batch.Select((_, i) => prepared.Embedding(i).ToArray());

        string Place(int i) => $"The image at index {first + i}";
    }

    private static byte[] Bytes(DataContent? content, string place)
    {
        if (content is null) throw new ArgumentException($"{place} is null.");
        if (!content.HasTopLevelMediaType("image"))
            throw new ArgumentException($"{place} has the media type '{content.MediaType}'; only images have embeddings here.");
        if (content.Data.IsEmpty)
            throw new ArgumentException($"{place} has the media type '{content.MediaType}' and no data.");
        return content.Data.ToArray();
    }
}
