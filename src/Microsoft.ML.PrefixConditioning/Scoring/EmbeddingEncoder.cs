namespace Microsoft.ML.PrefixConditioning;

/// <summary>Images and texts of several rows to embeddings. Safe for use from many threads.</summary>
internal sealed class EmbeddingEncoder(TrainedModel model, PrefixSelection? prefix)
{
    private readonly ImagePreprocessor _preprocessor = ImagePreprocessor.ForClip(model.Settings.Architecture.ImageSize);

    /// <summary>D.</summary>
    public int EmbeddingSize { get; } = model.Settings.Architecture.EmbeddingSize;

    /// <summary>Decodes and preprocesses images on all cores.</summary>
    /// <param name="images">N images.</param>
    /// <param name="firstRow">Number of the first one in the view, for messages.</param>
    /// <returns>The readable images' pixels one after the other, and which images these are.</returns>
    /// <exception cref="InvalidDataException">An image cannot be read and the model's policy is to fail.</exception>
    public PreparedImages Prepare(ReadOnlyMemory<ImageReference> images, long firstRow)
    {
        var prepared = new float[images.Length][];
        try
        {
            if (images.Length == 1) prepared[0] = Prepare(images.Span[0], firstRow)!;
            else Parallel.For(0, images.Length, i => prepared[i] = Prepare(images.Span[i], firstRow + i)!);
        }
        catch (AggregateException e) when (e.InnerExceptions.OfType<InvalidDataException>().FirstOrDefault() is { } bad)
        {
            throw new InvalidDataException(bad.Message, bad);
        }
        var readable = Enumerable.Range(0, prepared.Length).Where(i => prepared[i] is not null).ToArray();
        var pixels = readable.Length == 1 ? prepared[readable[0]] : new float[readable.Length * _preprocessor.Length];
        if (readable.Length > 1)
            for (var i = 0; i < readable.Length; i++) prepared[readable[i]].CopyTo(pixels, i * _preprocessor.Length);
        return new PreparedImages(pixels, readable, images.Length);
    }

    /// <summary>[N, D] row by row; NaN for images that could not be read.</summary>
    public float[] Encode(PreparedImages images)
    {
        if (images.Readable.Length == 0) return Missing(images.Count);
        var encoded = model.EncodeImages(images.Pixels, images.Readable.Length, prefix);
        if (images.Readable.Length == images.Count) return encoded;
        var all = Missing(images.Count);
        for (var i = 0; i < images.Readable.Length; i++)
            encoded.AsSpan(i * EmbeddingSize, EmbeddingSize).CopyTo(all.AsSpan(images.Readable[i] * EmbeddingSize));
        return all;
    }

    /// <summary>[N, D] row by row.</summary>
    public float[] Encode(IReadOnlyList<string> texts) => model.EncodeTexts(texts, prefix);

    private float[] Missing(int count)
    {
        var values = new float[count * EmbeddingSize];
        Array.Fill(values, float.NaN);
        return values;
    }

    private float[]? Prepare(ImageReference image, long row)
    {
        try
        {
            var pixels = new float[_preprocessor.Length];
            _preprocessor.ApplyTest(ImageDecoder.Decode(image, model.Settings.ImageDecoding), pixels);
            return pixels;
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            if (model.Settings.BadImages == BadImagePolicy.Skip) return null;
            throw new InvalidDataException(
                $"Row {row}: {e.Message} A model trained with {nameof(PrefixClipOptions.BadImages)} = {nameof(BadImagePolicy.Skip)} gives missing values instead.", e);
        }
    }
}

/// <summary>Images that are ready for the network.</summary>
/// <param name="Pixels">[R, 3, S, S] for the R readable ones.</param>
/// <param name="Readable">Their places among all, ascending.</param>
/// <param name="Count">All images.</param>
internal sealed record PreparedImages(float[] Pixels, int[] Readable, int Count);
