using System.Buffers;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Turns decoded pixels into the input of the vision tower: normalized [3, S, S], with S the tower's image size.</summary>
/// <remarks>
/// Source: open_clip v3.3.0 <c>image_transform</c> on torchvision 0.14.1 and Pillow 9.4.0; equal to them bit for bit from the same
/// pixels (<c>golden/preprocess</c>). Safe for threads.
/// </remarks>
internal sealed class ImagePreprocessor
{
    private const int Channels = RgbImage.Channels;

    private readonly PillowResampler _resampler = new();
    private readonly float[] _normalized;   // [3, 256]: what each byte of each channel becomes

    /// <summary>A preprocessor for one model.</summary>
    /// <param name="size">Pixels per side of the result.</param>
    /// <param name="mean">Mean of red, green and blue, for pixels in [0, 1].</param>
    /// <param name="standardDeviation">Standard deviation of red, green and blue.</param>
    public ImagePreprocessor(int size, ReadOnlySpan<float> mean, ReadOnlySpan<float> standardDeviation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        ArgumentOutOfRangeException.ThrowIfNotEqual(mean.Length, Channels);
        ArgumentOutOfRangeException.ThrowIfNotEqual(standardDeviation.Length, Channels);
        Size = size;
        _normalized = new float[Channels * 256];
        for (var i = 0; i < _normalized.Length; i++)
            _normalized[i] = (((i % 256) / 255f) - mean[i / 256]) / standardDeviation[i / 256];
    }

    /// <summary>A preprocessor with the mean and standard deviation of a model.</summary>
    public static ImagePreprocessor For(int size, ImageNormalization normalization) =>
        new(size, normalization.Mean.ToArray(), normalization.StandardDeviation.ToArray());

    /// <summary>S: pixels per side of the result.</summary>
    public int Size { get; }

    /// <summary>Number of values in one result, 3 * S * S.</summary>
    public int Length => Channels * Size * Size;

    /// <summary>The length of the short side at which the smallest random crop has S pixels per side.</summary>
    public int TrainingShortSide(AugmentationOptions augmentation) =>
        (int)Math.Ceiling(Size / RandomCrop.SmallestSide(augmentation.MinCropScale));

    /// <summary>The test transform: resizes the short side to S and keeps the center.</summary>
    /// <param name="image">Any size.</param>
    /// <param name="destination">[3, S, S].</param>
    public void ApplyTest(RgbImage image, Span<float> destination) => Apply(image, CentralAxes(image), Mirroring.None, destination);

    /// <summary>The training transform: resizes a random part of the image to S x S, and sometimes mirrors it.</summary>
    /// <param name="image">Any size.</param>
    /// <param name="destination">[3, S, S].</param>
    /// <param name="augmentation">How strongly to augment.</param>
    /// <param name="random">The generator; the same state gives the same result.</param>
    public void ApplyTrain(RgbImage image, Span<float> destination, AugmentationOptions augmentation, ref SeededRandom random)
    {
        var axes = CentralAxes(image);
        if (augmentation.MinCropScale < 1)
        {
            var box = RandomCrop.Draw(image.Width, image.Height, augmentation.MinCropScale, ref random);
            axes = (ResampleAxis.Whole(box.Left, box.Width, Size), ResampleAxis.Whole(box.Top, box.Height, Size));
        }
        var mirroring = random.NextDouble() < augmentation.HorizontalFlipProbability ? Mirroring.Horizontal : Mirroring.None;
        Apply(image, axes, mirroring, destination);
    }

    /// <summary>The test transform before normalizing.</summary>
    /// <param name="image">Any size.</param>
    /// <param name="destination">[S, S, 3].</param>
    internal void CropTest(RgbImage image, Span<byte> destination)
    {
        var (horizontal, vertical) = CentralAxes(image);
        _resampler.Resize(image, horizontal, vertical, destination);
    }

    /// <summary>Decodes images and applies the test transform, on all cores.</summary>
    /// <param name="count">N.</param>
    /// <param name="image">The image of an index below N.</param>
    /// <param name="decoding">How files are decoded.</param>
    /// <param name="destination">The destination of an image, [3, S, S].</param>
    /// <param name="cancellation">Stops between two images.</param>
    /// <returns>[N] why an image is unreadable; null if it is readable.</returns>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
    public Exception?[] DecodeTest(int count, Func<int, ImageReference> image, ImageDecoding decoding, Func<int, Memory<float>> destination,
        CancellationToken cancellation)
    {
        var faults = new Exception?[count];
        ParallelLoop.Run(count, i =>
        {
            try
            {
                using var memory = new MemoryShare(cancellation);
                ApplyTest(ImageDecoder.Decode(image(i), decoding, Size, memory), destination(i).Span);
            }
            catch (Exception e) when (ImageDecoder.IsUnreadable(e))
            {
                faults[i] = e;
            }
        }, cancellation);
        return faults;
    }

    private (ResampleAxis Horizontal, ResampleAxis Vertical) CentralAxes(RgbImage image)
    {
        var shortSide = Math.Min(image.Horizontal.Length, image.Vertical.Length);
        return (CentralAxis(image.Width, image.Horizontal, shortSide), CentralAxis(image.Height, image.Vertical, shortSide));
    }

    private ResampleAxis CentralAxis(int pixels, Extent picture, double shortSide)
    {
        var resized = (long)(Size * picture.Length / shortSide);   // torchvision's int(size * long / short)
        var offset = (long)Math.Round((resized - Size) / 2.0);   // halves to even, as Python's round
        return new ResampleAxis(0, pixels, resized, offset, Size) { Source = picture };
    }

    private void Apply(RgbImage image, (ResampleAxis Horizontal, ResampleAxis Vertical) axes, Mirroring mirroring, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, Length);
        if (axes == (ResampleAxis.Whole(0, image.Width, image.Width), ResampleAxis.Whole(0, image.Height, image.Height)))
        {
            Normalize(image.Pixels, mirroring, destination);   // it has the size already
            return;
        }
        var buffer = ArrayPool<byte>.Shared.Rent(Length);
        var pixels = buffer.AsSpan(0, Length);
        _resampler.Resize(image, axes.Horizontal, axes.Vertical, pixels);   // [S, S, 3]
        Normalize(pixels, mirroring, destination);                          // [S, S, 3] -> [3, S, S]
        ArrayPool<byte>.Shared.Return(buffer);
    }

    private unsafe void Normalize(ReadOnlySpan<byte> pixels, Mirroring mirroring, Span<float> destination)
    {
        var plane = Size * Size;
        fixed (byte* source = pixels)
        fixed (float* red = _normalized, target = destination)
        {
            float* green = red + 256, blue = green + 256;
            var pixel = source;
            for (var to = target; to < target + plane; to++, pixel += Channels)
            {
                to[0] = red[pixel[0]];
                to[plane] = green[pixel[1]];
                to[2 * plane] = blue[pixel[2]];
            }
        }
        if (mirroring == Mirroring.None) return;
        for (var row = 0; row < Channels * Size; row++) destination.Slice(row * Size, Size).Reverse();
    }

    private enum Mirroring
    {
        None,
        Horizontal,
    }
}
