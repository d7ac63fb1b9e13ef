using System.Globalization;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Labeled images for measuring zero-shot accuracy during training.</summary>
internal sealed class ValidationSet
{
    private const long KeptBytes = 256L << 20; // 1,783 images of 224 x 224 pixels; the others are decoded at every validation

    private readonly IReadOnlyList<ImageReference> _images;
    private readonly float[]?[] _kept;         // [3, S, S] each: validation images are not augmented
    private readonly int[] _labels;
    private readonly string[] _classNames;
    private readonly TrainingSetup _setup;
    private readonly ImagePreprocessor _preprocessor;

    private CancellationToken Cancellation => _setup.Options.CancellationToken;

    private int ImagesPerPass => PixelBatch.Most(128, _preprocessor.Length);

    private ValidationSet(IReadOnlyList<ImageReference> images, int[] labels, string[] classNames, TrainingSetup setup)
    {
        (_images, _labels, _classNames, _setup) = (images, labels, classNames, setup);
        _preprocessor = setup.Model.CreatePreprocessor();
        _kept = new float[]?[(int)Math.Min(images.Count, KeptBytes / sizeof(float) / _preprocessor.Length)];
    }

    /// <summary>Reads the view's image and label columns; the class names are the labels that occur.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">There are no rows, fewer than two classes, or an image cannot be read.</exception>
    public static ValidationSet Read(IDataView view, TrainingSetup setup, TrainingLog? log = null)
    {
        var (images, labels) = LabeledImages.Read(view, setup.Options.Columns);
        labels = [.. labels.Select(CanonicalComposition.Compose)];   // one class, however a file system composes its name
        var classNames = labels.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        if (classNames.Length < 2)
            throw new InvalidDataException($"The validation set has {classNames.Length} class(es) in {labels.Count} row(s); accuracy " +
                "needs at least two. Pass a set with more classes, or none.");
        var set = new ValidationSet(
            images, [.. labels.Select(l => Array.BinarySearch(classNames, l, StringComparer.Ordinal))], classNames, setup);
        set.CheckImages(log);
        return set;
    }

    /// <summary>Zero-shot accuracy, 0 to 1: the fraction of images whose nearest class embedding is that of their own class.</summary>
    /// <exception cref="OperationCanceledException">The options' token was canceled. A resumed run validates the step again.</exception>
    public double Accuracy(
        ClipModel model, ClipTokenizer tokenizer, IReadOnlyList<(int Type, double Weight)> prefixes, TrainingLog? log = null)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var classes = ClassEmbeddings.Compute(model, tokenizer, _classNames, _setup.Options.PromptTemplates, prefixes,
            _ => Cancellation.ThrowIfCancellationRequested());                                                                     // [C, D]
        var correct = 0L;
        var buffer = new float[Math.Min(ImagesPerPass, _images.Count) * _preprocessor.Length];
        for (var begin = 0; begin < _images.Count; begin += ImagesPerPass)
        {
            using var pass = NewDisposeScope();
            var count = Math.Min(ImagesPerPass, _images.Count - begin);
            var kept = Math.Clamp(_kept.Length - begin, 0, count);
            for (var i = 0; i < kept; i++) _kept[begin + i]!.CopyTo(buffer, i * _preprocessor.Length);
            Decode(begin + kept, count - kept, i => Place(buffer, kept + i));
            var images = PixelBatch.ToTensor(buffer, count, _preprocessor.Size, model.Device);
            var types = PrefixResolution.ImageTypes(model, prefixes, count);
            var nearest = model.EncodeImages(images, types).matmul(classes.transpose(0, 1)).argmax(1).cpu().data<long>().ToArray();  // [N]
            for (var i = 0; i < count; i++)
                if (nearest[i] == _labels[begin + i]) correct++;
            log?.Phase(() => Progress("Validating", begin + count));
        }
        return (double)correct / _images.Count;
    }

    /// <summary>Decodes every image, so that an unreadable one is found before training, and keeps as many as fit.</summary>
    private void CheckImages(TrainingLog? log)
    {
        var buffer = new float[Math.Min(ImagesPerPass, _images.Count) * _preprocessor.Length];
        for (var begin = 0; begin < _images.Count; begin += ImagesPerPass)
        {
            var first = begin;
            Decode(first, Math.Min(ImagesPerPass, _images.Count - first), i => first + i < _kept.Length
                ? _kept[first + i] = new float[_preprocessor.Length]
                : Place(buffer, i));
            log?.Phase(() => Progress("Reading the validation set", begin));
        }
    }

    private string Progress(string what, int done) =>
        string.Create(CultureInfo.InvariantCulture, $"{what}: {done:N0} of {_images.Count:N0} images.");

    private Memory<float> Place(float[] buffer, int index) => buffer.AsMemory(index * _preprocessor.Length, _preprocessor.Length);

    private void Decode(int first, int count, Func<int, Memory<float>> destination)
    {
        var faults = _preprocessor.DecodeTest(count, i => _images[first + i], _setup.Options.ImageDecoding, destination, Cancellation);
        if (faults.FirstOrDefault(f => f is not null) is { } fault)
            throw new InvalidDataException($"The validation set: {fault.Message}", fault);
    }
}
