using System.Buffers;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Images and texts of several rows to embeddings. Safe for use from many threads.</summary>
internal sealed class EmbeddingEncoder(TrainedModel model, PrefixSelection? prefix)
{
    private const ulong ViewPurpose = 12;

    // The training transform, with more left to chance than in most trainings: half of the image may go, and every second view is mirrored.
    private static readonly AugmentationOptions ViewAugmentation = new() { MinCropScale = 0.5, HorizontalFlipProbability = 0.5 };

    private readonly ImagePreprocessor _preprocessor = ImagePreprocessor.For(model.Settings.Architecture.ImageSize, model.Settings.Normalization);

    /// <summary>D.</summary>
    public int EmbeddingSize { get; } = model.Settings.Architecture.EmbeddingSize;

    /// <summary>Decodes and preprocesses images on all cores. An image that cannot be read is a matter of who asks for its
    /// embedding.</summary>
    /// <param name="images">N images.</param>
    /// <param name="place">What messages say of an image's place, from its index among these.</param>
    /// <param name="cancellation">Stops between two images.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public PreparedImages Prepare(
        ReadOnlyMemory<ImageReference> images, Func<int, string> place, CancellationToken cancellation = default) =>
        Prepare(images, (image, pixels, _) => _preprocessor.ApplyTest(image, pixels), place, cancellation);

    /// <summary>The same for randomly cropped and mirrored views of the images.</summary>
    /// <param name="images">N images.</param>
    /// <param name="place">What messages say of an image's place, from its index among these.</param>
    /// <param name="firstRow">The first image's row: a row's view is always the same.</param>
    /// <param name="view">Which of a row's views.</param>
    public PreparedImages PrepareView(ReadOnlyMemory<ImageReference> images, Func<int, string> place, long firstRow, int view) =>
        Prepare(images, (image, pixels, i) =>
        {
            var random = SeededRandom.Derive(0, ViewPurpose, (ulong)(firstRow + i), (ulong)view);
            _preprocessor.ApplyTrain(image, pixels, ViewAugmentation, ref random);
        }, place, CancellationToken.None);

    /// <summary>Images to prepare at a time: 64, and fewer where these would be more numbers than an array holds.</summary>
    public int ImagesPerPass => PixelBatch.Most(64, _preprocessor.Length);

    private PreparedImages Prepare(
        ReadOnlyMemory<ImageReference> images, Transform transform, Func<int, string> place, CancellationToken cancellation)
    {
        var pixels = ArrayPool<float>.Shared.Rent(images.Length * _preprocessor.Length);   // PreparedImages gives it back
        var faults = new InvalidDataException?[images.Length];
        ParallelLoop.Run(images.Length, i =>
            Prepare(images.Span[i], pixels.AsSpan(i * _preprocessor.Length, _preprocessor.Length), transform, ref faults[i], place, i),
            cancellation);

        var readable = Enumerable.Range(0, faults.Length).Where(i => faults[i] is null).ToArray();
        for (var i = 0; i < readable.Length; i++)
            if (i != readable[i])
                Array.Copy(pixels, readable[i] * _preprocessor.Length, pixels, i * _preprocessor.Length, _preprocessor.Length);
        // With this policy an unreadable image is a missing value, not a fault.
        return new PreparedImages(pixels, readable, model.Settings.BadRows == BadRowPolicy.Skip
            ? new InvalidDataException?[faults.Length] : faults);
    }

    /// <summary>[N, D] row by row.</summary>
    /// <param name="pixels">[N, 3, S, S] or more.</param>
    /// <param name="count">N.</param>
    public float[] Encode(float[] pixels, int count) => model.EncodeImages(pixels, count, prefix);

    /// <summary>[N, D] row by row.</summary>
    public float[] Encode(IReadOnlyList<string> texts) => model.EncodeTexts(texts, prefix);

    private void Prepare(
        ImageReference image, Span<float> pixels, Transform transform, ref InvalidDataException? fault, Func<int, string> place, int index)
    {
        try
        {
            transform(ImageDecoder.Decode(image, model.Settings.ImageDecoding), pixels, index);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            fault = new InvalidDataException(
                $"{place(index)}: {e.Message} A model trained with {nameof(PrefixClipOptions.BadRows)} = {nameof(BadRowPolicy.Skip)} " +
                "gives missing values instead.", e);
        }
    }

    /// <summary>An image's pixels to what the vision tower reads, [3, S, S].</summary>
    private delegate void Transform(RgbImage image, Span<float> pixels, int index);
}
