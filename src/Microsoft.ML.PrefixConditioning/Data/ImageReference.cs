using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>An image that is not decoded yet, in one of the three forms of an image column.</summary>
/// <remarks>Independent of the cursor that it was read from: pixels and bytes are copies.</remarks>
internal readonly record struct ImageReference
{
    /// <summary>A path, or a locator inside an archive; null in the other forms.</summary>
    public string? Locator { get; private init; }

    /// <summary>An encoded file (PNG, JPEG, ...); null in the other forms.</summary>
    public byte[]? Encoded { get; private init; }

    /// <summary>Raw pixels, 4 bytes each, row by row without padding; null in the other forms.</summary>
    public byte[]? Pixels { get; private init; }

    /// <summary>Width of <see cref="Pixels"/>.</summary>
    public int Width { get; private init; }

    /// <summary>Height of <see cref="Pixels"/>.</summary>
    public int Height { get; private init; }

    /// <summary>Byte order of <see cref="Pixels"/>.</summary>
    public MLPixelFormat PixelFormat { get; private init; }

    /// <summary>True for a missing value: an empty text, no bytes, or a null image.</summary>
    public bool IsMissing => string.IsNullOrEmpty(Locator) && Encoded is not { Length: > 0 } && Pixels is null;

    /// <summary>What messages call this image.</summary>
    public string Name => Locator is { Length: > 0 } ? NearName.Quoted(Locator)
        : Encoded is not null ? $"an encoded image of {Encoded.Length} bytes"
        : Pixels is not null ? $"an image of {Width} x {Height} pixels" : "a missing image";

    /// <summary>A file, by its path or URI, or an archive entry; read on demand.</summary>
    public static ImageReference FromLocator(string locator) => new() { Locator = ImageLocator.FromFileUri(locator) };

    /// <summary>An encoded file in memory.</summary>
    public static ImageReference FromEncoded(byte[] bytes) => new() { Encoded = bytes };

    /// <summary>A copy of an ML.NET image's pixels; a null image becomes a missing reference.</summary>
    public static ImageReference FromImage(MLImage? image) => image is null ? default : new()
    {
        Pixels = image.Pixels.ToArray(), Width = image.Width, Height = image.Height, PixelFormat = image.PixelFormat,
    };
}
