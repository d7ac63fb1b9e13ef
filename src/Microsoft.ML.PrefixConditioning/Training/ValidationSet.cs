using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Labelled images on which zero-shot accuracy is taken while training.</summary>
internal sealed class ValidationSet
{
    private const int ImagesPerPass = 128;

    private readonly float[][] _pixels;      // normalised once: validation images are not augmented
    private readonly int[] _labels;
    private readonly string[] _classNames;
    private readonly PromptTemplates _templates;
    private readonly int _imageSize;

    private ValidationSet(float[][] pixels, int[] labels, string[] classNames, PrefixClipOptions options)
    {
        (_pixels, _labels, _classNames) = (pixels, labels, classNames);
        (_templates, _imageSize) = (options.PromptTemplates, options.Architecture.ImageSize);
    }

    /// <summary>Reads the view's image and label columns; the class names are the labels that occur.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">There are no rows, fewer than two classes, or an image cannot be read.</exception>
    public static ValidationSet Read(IDataView view, PrefixClipOptions options)
    {
        var (images, labels) = LabelledImages.Read(view, options.ImageColumnName, options.LabelColumnName);
        var classNames = labels.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        if (classNames.Length < 2)
            throw new InvalidDataException($"The validation set has {classNames.Length} class(es) in {labels.Count} row(s); accuracy needs at least two. Pass a set with more classes, or none.");
        var preprocessor = ImagePreprocessor.ForClip(options.Architecture.ImageSize);
        var pixels = new float[images.Count][];
        try
        {
            Parallel.For(0, images.Count, i =>
            {
                var target = new float[preprocessor.Length];
                preprocessor.ApplyTest(ImageDecoder.Decode(images[i], options.ImageDecoding), target);
                pixels[i] = target;
            });
        }
        catch (AggregateException e) when (e.InnerException is InvalidDataException or IOException)
        {
            throw new InvalidDataException($"The validation set: {e.InnerException.Message}", e.InnerException);
        }
        return new ValidationSet(pixels, [.. labels.Select(l => Array.BinarySearch(classNames, l, StringComparer.Ordinal))], classNames, options);
    }

    /// <summary>Share of images whose nearest class embedding is their own class's, 0 to 1.</summary>
    public double Accuracy(ClipModel model, ClipTokenizer tokenizer, IReadOnlyList<(int Type, double Weight)> prefixes)
    {
        using var scope = NewDisposeScope();
        using var noGrad = inference_mode();
        var classes = ClassEmbeddings.Compute(model, tokenizer, _classNames, _templates, prefixes);   // [C, D]
        var correct = 0L;
        for (var begin = 0; begin < _pixels.Length; begin += ImagesPerPass)
        {
            using var pass = NewDisposeScope();
            var count = Math.Min(ImagesPerPass, _pixels.Length - begin);
            var images = PixelBatch.ToTensor(_pixels.AsSpan(begin, count), _imageSize, model.Device);
            var types = PrefixResolution.ImageTypes(model, prefixes, count);
            var nearest = model.EncodeImages(images, types).matmul(classes.transpose(0, 1)).argmax(1).cpu();  // [N]
            for (var i = 0; i < count; i++)
                if (nearest[i].item<long>() == _labels[begin + i]) correct++;
        }
        return (double)correct / _pixels.Length;
    }
}
