using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>An image by its path, as users' own classes have it.</summary>
internal sealed class PathRow
{
    public string? Image { get; set; }

    public string? Label { get; set; }
}

/// <summary>The same with a text.</summary>
internal sealed class CaptionedRow
{
    public string? Image { get; set; }

    public string? Text { get; set; }
}

/// <summary>An encoded file.</summary>
internal sealed class BytesRow
{
    public byte[] Image { get; set; } = [];
}

/// <summary>An ML.NET image.</summary>
internal sealed class PixelsRow
{
    [ImageType(20, 20)]
    public MLImage? Image { get; set; }
}

/// <summary>A vector that is no embedding of the test's model.</summary>
internal sealed class SevenNumbers
{
    [VectorType(7)]
    public float[] E { get; set; } = new float[7];
}
