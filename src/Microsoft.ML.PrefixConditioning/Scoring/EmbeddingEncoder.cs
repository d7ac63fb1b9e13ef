using System.Buffers;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Encodes images and texts of several rows. Safe for use from many threads.</summary>
internal sealed class EmbeddingEncoder(TrainedModel model, PrefixSelection? prefix)
{
    private readonly ImagePreprocessor _preprocessor = model.Settings.CreatePreprocessor();

    /// <summary>D.</summary>
    public int EmbeddingSize { get; } = model.Settings.Architecture.EmbeddingSize;

    /// <summary>Number of images to preprocess at a time: 64, or fewer if their pixels would not fit into an array.</summary>
    public int ImagesPerPass => PixelBatch.Most(64, _preprocessor.Length);

    /// <summary>Decodes and preprocesses images on all cores. Whether an unreadable image is an error is decided when its embedding is
    /// read.</summary>
    /// <param name="images">N images.</param>
    /// <param name="place">What messages call an image, given its index among these.</param>
    /// <param name="cancellation">Stops between two images.</param>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
    public PreparedImages Prepare(
        ReadOnlyMemory<ImageReference> images, Func<int, string> place, CancellationToken cancellation = default)
    {
        var length = _preprocessor.Length;
        var pixels = ArrayPool<float>.Shared.Rent(images.Length * length);   // PreparedImages gives it back
        var faults = _preprocessor.DecodeTest(images.Length, i => images.Span[i], model.Settings.ImageDecoding,
            i => pixels.AsMemory(i * length, length), cancellation);
        var readable = Enumerable.Range(0, faults.Length).Where(i => faults[i] is null).ToArray();
        for (var i = 0; i < readable.Length; i++)
            if (i != readable[i]) Array.Copy(pixels, readable[i] * length, pixels, i * length, length);
        // With this policy an unreadable image is a missing value, not a fault.
        return new PreparedImages(this, pixels, readable, [.. faults.Select((fault, i) =>
            fault is null || model.Settings.BadRows == BadRowPolicy.Skip ? null : new InvalidDataException(
                $"{place(i)}: {fault.Message} A model trained with {nameof(PrefixClipOptions.BadRows)} = {nameof(BadRowPolicy.Skip)} " +
                "gives missing values instead.", fault))]);
    }

    /// <summary>Adds the vision tower to a step of the ONNX model that ML.NET writes, with an input of pixels.</summary>
    /// <param name="step">The step.</param>
    /// <param name="image">The column of images.</param>
    /// <param name="finish">Takes the graph's name for [N, D] and writes the step; the weights can be read until it returns.</param>
    public void Add(OnnxStep step, DataViewSchema.Column image, Action<string> finish) => model.Lend(network =>
    {
        var pixels = step.TakePixels(image, model.Settings.Architecture.ImageSize);
        finish(OnnxExport.EncodeImages(step.Graph, model.Settings, network, prefix, PixelValues.Rgb255, pixels));
    });

    /// <summary>[N, D] row by row.</summary>
    /// <param name="pixels">[N, 3, S, S] or more.</param>
    /// <param name="count">N.</param>
    public float[] Encode(float[] pixels, int count) => model.EncodeImages(pixels, count, prefix);

    /// <summary>[N, D] row by row.</summary>
    public float[] Encode(IReadOnlyList<string> texts) => model.EncodeTexts(texts, prefix);
}

/// <summary>Preprocessed images of several rows.</summary>
/// <param name="encoder">The encoder that preprocessed them.</param>
/// <param name="pixels">[R, 3, S, S] for the R readable images.</param>
/// <param name="readable">Indexes of the readable images among all, ascending.</param>
/// <param name="faults">For each image, why it is unreadable; null if it is readable or counts as missing.</param>
internal sealed class PreparedImages(EmbeddingEncoder encoder, float[] pixels, int[] readable, InvalidDataException?[] faults)
{
    private float[] _pixels = pixels;
    private float[]? _embeddings;

    /// <summary>Whether an image is readable, regardless of the model's policy.</summary>
    public bool IsReadable(int index) => Array.BinarySearch(readable, index) >= 0;

    /// <summary>An image's embedding, [D]. The first call runs the network for all of them.</summary>
    /// <param name="index">Index of the image.</param>
    /// <returns>Unit length; NaN for a missing image.</returns>
    /// <exception cref="InvalidDataException">The image cannot be read and the model's policy is to fail.</exception>
    public ReadOnlySpan<float> Embedding(int index)
    {
        if (faults[index] is { } fault) throw new InvalidDataException(fault.Message, fault);
        _embeddings ??= Encode();
        return _embeddings.AsSpan(index * encoder.EmbeddingSize, encoder.EmbeddingSize);
    }

    private float[] Encode()
    {
        var all = new float[faults.Length * encoder.EmbeddingSize];
        Array.Fill(all, float.NaN);
        if (readable.Length > 0)
        {
            var encoded = encoder.Encode(_pixels, readable.Length);
            for (var i = 0; i < readable.Length; i++)
                encoded.AsSpan(i * encoder.EmbeddingSize, encoder.EmbeddingSize).CopyTo(all.AsSpan(readable[i] * encoder.EmbeddingSize));
        }
        if (_pixels.Length > 0) ArrayPool<float>.Shared.Return(_pixels);   // several megabytes that are not needed again
        _pixels = [];
        return all;
    }
}
