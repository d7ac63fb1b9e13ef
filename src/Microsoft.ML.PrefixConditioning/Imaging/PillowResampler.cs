using System.Buffers;
using System.Collections.Concurrent;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Pillow's bicubic resizing of 8-bit images, with its arithmetic and so its exact results.</summary>
/// <remarks>
/// Source: Pillow 9.4.0, <c>Resample.c</c>: first along rows, rounded to 8 bits, then along columns, rounded again. Weights are
/// kept for sizes seen before, up to a limit. Safe for threads.
/// </remarks>
internal sealed class PillowResampler
{
    // A table for 224 pixels takes about 16 kB when an image is halved: enough for a thousand different sizes.
    internal const long MaxKeptBytes = 16 << 20;

    private readonly ConcurrentDictionary<ResampleAxis, ResampleWeights> _weights = new();
    private readonly ResampleKernel _kernel;
    private long _keptBytes;

    /// <summary>A resampler that uses the fastest code of this machine.</summary>
    public PillowResampler() : this(ResampleKernels.Best) { }

    /// <summary>A resampler that uses the given code.</summary>
    internal PillowResampler(ResampleKernel kernel) => _kernel = kernel;

    /// <summary>Memory of the weights that are kept, at most <see cref="MaxKeptBytes"/>.</summary>
    internal long KeptBytes => Interlocked.Read(ref _keptBytes);

    /// <summary>Resizes a part of an image and keeps a window of the result.</summary>
    /// <param name="image">The image; it is not changed.</param>
    /// <param name="horizontal">What is taken and kept of every row.</param>
    /// <param name="vertical">What is taken and kept of every column.</param>
    /// <param name="destination">[vertical.Count, horizontal.Count, 3].</param>
    public unsafe void Resize(RgbImage image, ResampleAxis horizontal, ResampleAxis vertical, Span<byte> destination)
    {
        const int Channels = RgbImage.Channels;
        var rowBytes = horizontal.Count * Channels;
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, vertical.Count * rowBytes);
        CheckInside(horizontal, image.Width, nameof(horizontal));
        CheckInside(vertical, image.Height, nameof(vertical));
        var rowWeights = WeightsOf(horizontal);
        var columnWeights = WeightsOf(vertical);
        int firstRow = columnWeights.FirstSource, rows = columnWeights.EndSource - firstRow;   // only those that the result needs

        var buffer = ArrayPool<byte>.Shared.Rent(checked((rows * rowBytes) + 1));   // [rows, kept, 3], and a byte that kernels may write
        fixed (byte* source = image.Pixels, narrowed = buffer, result = destination)
        {
            for (var row = 0; row < rows; row++)
            {
                var from = source + ((((long)(vertical.SourceStart + firstRow + row) * image.Width) + horizontal.SourceStart) * Channels);
                if (horizontal.IsCopy)
                    new ReadOnlySpan<byte>(from + (horizontal.First * Channels), rowBytes).CopyTo(buffer.AsSpan(row * rowBytes));
                else
                    ResampleKernels.ResizeRow(_kernel, from, rowWeights, narrowed + ((long)row * rowBytes));
            }
            for (var y = 0; y < vertical.Count; y++)
            {
                if (vertical.IsCopy)
                {
                    buffer.AsSpan((int)(vertical.First + y - firstRow) * rowBytes, rowBytes).CopyTo(destination[(y * rowBytes)..]);
                    continue;
                }
                var from = narrowed + ((long)(columnWeights.Starts[y] - firstRow) * rowBytes);
                var weights = columnWeights.Values.AsSpan(y * columnWeights.Stride, columnWeights.Lengths[y]);
                ResampleKernels.SumRows(_kernel, from, rowBytes, weights, result + ((long)y * rowBytes));
            }
        }
        ArrayPool<byte>.Shared.Return(buffer);
    }

    private ResampleWeights WeightsOf(ResampleAxis axis)
    {
        var key = axis with { SourceStart = 0 };   // weights count from there
        if (_weights.TryGetValue(key, out var weights)) return weights;
        weights = new ResampleWeights(key);
        if (Interlocked.Add(ref _keptBytes, weights.ByteSize) > MaxKeptBytes || !_weights.TryAdd(key, weights))
            Interlocked.Add(ref _keptBytes, -weights.ByteSize);
        return weights;
    }

    // The loops below use pointers: a window outside the image would read foreign memory.
    private static void CheckInside(ResampleAxis axis, int length, string name)
    {
        if (axis.SourceStart < 0 || axis.SourceLength < 1 || axis.SourceLength > length - axis.SourceStart
            || axis.Source.Start < 0 || axis.Source.Start + axis.Source.Length > axis.SourceLength
            || axis.Count < 1 || axis.First < 0 || axis.First > axis.ResizedLength - axis.Count)
            throw new ArgumentOutOfRangeException(name, $"{axis} does not lie inside a side of {length} pixels.");
    }
}

/// <summary>How to resample one side of an image: a part of it is resized, and a window of the result is kept.</summary>
/// <param name="SourceStart">First source pixel of the part.</param>
/// <param name="SourceLength">Source pixels of the part; those outside are ignored, as if they had been cropped before.</param>
/// <param name="ResizedLength">Length of the whole resized part. Long, because a very narrow image becomes very long.</param>
/// <param name="First">First resized pixel that is kept.</param>
/// <param name="Count">Number of resized pixels to keep; only these are computed.</param>
internal readonly record struct ResampleAxis(int SourceStart, int SourceLength, long ResizedLength, long First, int Count)
{
    /// <summary>The whole part, resized and kept as a whole.</summary>
    public static ResampleAxis Whole(int sourceStart, int sourceLength, int resizedLength) =>
        new(sourceStart, sourceLength, resizedLength, 0, resizedLength);

    /// <summary>The stretch of the part, relative to its start, that is resized; the whole part by default.</summary>
    public Extent Source { get; init; } = new(0, SourceLength);

    /// <summary>True if every kept pixel is a copy of a source pixel.</summary>
    public bool IsCopy => Source == new Extent(0, ResizedLength);
}
