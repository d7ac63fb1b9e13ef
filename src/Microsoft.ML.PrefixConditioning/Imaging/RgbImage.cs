namespace Microsoft.ML.PrefixConditioning;

/// <summary>A stretch of a side, in pixels that need not be whole.</summary>
internal readonly record struct Extent(double Start, double Length);

/// <summary>A decoded image: 8-bit RGB, interleaved, row by row from the top, without padding between rows.</summary>
/// <remarks>Once filled it is only read, so threads can share it.</remarks>
internal sealed class RgbImage
{
    /// <summary>Bytes per pixel.</summary>
    public const int Channels = 3;

    // Vector code may read this many bytes behind the last pixel (their weight is 0), so they must be ours.
    internal const int ReadSlack = 16;

    private readonly byte[] _buffer;

    /// <summary>An image whose pixels are still to be written; their value is not defined.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A side is 0 or less.</exception>
    public RgbImage(int width, int height)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        Width = width;
        Height = height;
        (Horizontal, Vertical) = (new(0, width), new(0, height));
        _buffer = LargeArray.Allocate(checked((width * height * Channels) + ReadSlack));
    }

    /// <summary>A copy of pixels.</summary>
    /// <param name="width">Pixels per row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="pixels">[height, width, 3].</param>
    /// <exception cref="ArgumentException">The pixels' number does not fit the sides.</exception>
    public RgbImage(int width, int height, ReadOnlySpan<byte> pixels) : this(width, height)
    {
        if (pixels.Length != Pixels.Length)
            throw new ArgumentException(
                $"{pixels.Length} bytes were given for {width} x {height} pixels; expected {Pixels.Length}.", nameof(pixels));
        pixels.CopyTo(Pixels);
    }

    /// <summary>Pixels per row.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Where the picture lies in the rows: all of them, unless a reduced scale left part of a pixel at one end.</summary>
    public Extent Horizontal { get; init; }

    /// <summary>Where the picture lies in the columns.</summary>
    public Extent Vertical { get; init; }

    /// <summary>[Height, Width, 3].</summary>
    public Span<byte> Pixels => _buffer.AsSpan(0, Width * Height * Channels);

    /// <summary>Memory that the image takes.</summary>
    public long ByteSize => _buffer.Length;
}
