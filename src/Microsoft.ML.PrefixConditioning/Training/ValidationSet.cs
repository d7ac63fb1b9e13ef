using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Labeled images on which zero-shot accuracy is taken while training.</summary>
internal sealed class ValidationSet
{
    private const long KeptBytes = 256L << 20; // 1,783 images of 224 x 224 pixels; the others are decoded at every validation

    private readonly IReadOnlyList<ImageReference> _images;
    private readonly float[]?[] _kept;         // [3, S, S] each: validation images are not augmented
    private readonly int[] _labels;
    private readonly string[] _classNames;
    private readonly PrefixClipOptions _options;
    private readonly ImagePreprocessor _preprocessor;

    private int ImagesPerPass => PixelBatch.Most(128, _preprocessor.Length);

    private ValidationSet(IReadOnlyList<ImageReference> images, int[] labels, string[] classNames, PrefixClipOptions options)
    {
        (_images, _labels, _classNames, _options) = (images, labels, classNames, options);
        _preprocessor = ImagePreprocessor.For(options.Architecture.ImageSize, options.Normalization);
        _kept = new float[]?[(int)Math.Min(images.Count, KeptBytes / sizeof(float) / _preprocessor.Length)];
    }

    /// <summary>Reads the view's image and label columns; the class names are the labels that occur.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">There are no rows, fewer than two classes, or an image cannot be read.</exception>
    public static ValidationSet Read(IDataView view, PrefixClipOptions options)
    {
        var (images, labels) = LabeledImages.Read(view, options.ImageColumnName, options.LabelColumnName);
        labels = [.. labels.Select(CanonicalComposition.Compose)];   // one class, however a file system composes its name
        var classNames = labels.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        if (classNames.Length < 2)
            throw new InvalidDataException($"The validation set has {classNames.Length} class(es) in {labels.Count} row(s); accuracy needs at least two. Pass a set with more classes, or none.");
        var set = new ValidationSet(
            images, [.. labels.Select(l => Array.BinarySearch(classNames, l, StringComparer.Ordinal))], classNames, options);
        void Keep(int i, float[] pixels)
        {
            if (i < set._kept.Length) set._kept[i] = pixels;
        }
        set.ForEach(0, images.Count, Keep, options.CancellationToken);   // finds unreadable images before training
        return set;
    }

    /// <summary>Share of images whose nearest class embedding is their own class's, 0 to 1.</summary>
    /// <remarks>Not stopped by the options' token: a step and the validation after it are recorded together.</remarks>
    public double Accuracy(ClipModel model, ClipTokenizer tokenizer, IReadOnlyList<(int Type, double Weight)> prefixes)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var classes = ClassEmbeddings.Compute(model, tokenizer, _classNames, _options.PromptTemplates, prefixes);   // [C, D]
        var correct = 0L;
        var buffer = new float[Math.Min(ImagesPerPass, _images.Count) * _preprocessor.Length];
        for (var begin = 0; begin < _images.Count; begin += ImagesPerPass)
        {
            using var pass = NewDisposeScope();
            var count = Math.Min(ImagesPerPass, _images.Count - begin);
            ForEach(begin, count, (i, pixels) => pixels.CopyTo(buffer, (i - begin) * _preprocessor.Length), CancellationToken.None);
            var images = PixelBatch.ToTensor(buffer, count, _preprocessor.Size, model.Device);
            var types = PrefixResolution.ImageTypes(model, prefixes, count);
            var nearest = model.EncodeImages(images, types).matmul(classes.transpose(0, 1)).argmax(1).cpu().data<long>().ToArray();  // [N]
            for (var i = 0; i < count; i++)
                if (nearest[i] == _labels[begin + i]) correct++;
        }
        return (double)correct / _images.Count;
    }

    /// <summary>Runs an action on the pixels of images, [3, S, S] each, on all cores.</summary>
    private void ForEach(int begin, int count, Action<int, float[]> action, CancellationToken cancellation)
    {
        try
        {
            Parallel.For(begin, begin + count, new ParallelOptions { CancellationToken = cancellation }, i =>
            {
                var pixels = i < _kept.Length ? _kept[i] : null;
                if (pixels is null)
                {
                    pixels = new float[_preprocessor.Length];
                    _preprocessor.ApplyTest(ImageDecoder.Decode(_images[i], _options.ImageDecoding), pixels);
                }
                action(i, pixels);
            });
        }
        catch (AggregateException e) when (e.InnerExceptions.OfType<InvalidDataException>().FirstOrDefault() is { } bad)
        {
            throw new InvalidDataException($"The validation set: {bad.Message}", bad);
        }
    }
}
