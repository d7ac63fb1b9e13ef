namespace Microsoft.ML.PrefixConditioning;

/// <summary>A rectangle of pixels.</summary>
internal readonly record struct PixelBox(int Left, int Top, int Width, int Height);

/// <summary>The part of an image that a training step uses: torchvision's RandomResizedCrop.</summary>
/// <remarks>Source: torchvision 0.14.1, <c>RandomResizedCrop</c>. The distribution is the same; the random numbers are not.</remarks>
internal static class RandomCrop
{
    // torchvision's defaults, which open_clip keeps.
    private const double MinRatio = 3.0 / 4;
    private const double MaxRatio = 4.0 / 3;
    private const int Tries = 10;

    /// <summary>Draws a box.</summary>
    /// <param name="width">In pixels, of the image.</param>
    /// <param name="height">In pixels, of the image.</param>
    /// <param name="minScale">Smallest fraction of the image's area, above 0 and at most 1; the largest is 1.</param>
    /// <param name="random">The random generator.</param>
    /// <returns>
    /// A box inside the image: area uniform and ratio log-uniform among those that fit; if no try fits, the largest central box of a
    /// valid ratio.
    /// </returns>
    public static PixelBox Draw(int width, int height, double minScale, ref SeededRandom random)
    {
        var area = (double)width * height;
        for (var i = 0; i < Tries; i++)
        {
            var targetArea = area * Uniform(minScale, 1, ref random);
            var ratio = Math.Exp(Uniform(Math.Log(MinRatio), Math.Log(MaxRatio), ref random));
            // Math.Round takes halves to even, as Python does.
            double boxWidth = Math.Round(Math.Sqrt(targetArea * ratio)), boxHeight = Math.Round(Math.Sqrt(targetArea / ratio));
            if (boxWidth < 1 || boxWidth > width || boxHeight < 1 || boxHeight > height) continue;
            var top = random.NextInt32(height - (int)boxHeight + 1);
            var left = random.NextInt32(width - (int)boxWidth + 1);
            return new PixelBox(left, top, (int)boxWidth, (int)boxHeight);
        }
        return Central(width, height);
    }

    /// <summary>The smallest side that a box can have before rounding, as a share of the image's short side.</summary>
    /// <remarks>A box keeps at least the share s of the area. By its ratio, its sides have at least sqrt(3/4 s) of the short side; and as
    /// no side is longer than the image's, the other has at least s of the image's.</remarks>
    public static double SmallestSide(double minScale) => Math.Max(minScale, Math.Sqrt(minScale * MinRatio));

    private static PixelBox Central(int width, int height)
    {
        var ratio = (double)width / height;
        int boxWidth = width, boxHeight = height;
        if (ratio < MinRatio) boxHeight = (int)Math.Round(width / MinRatio);
        else if (ratio > MaxRatio) boxWidth = (int)Math.Round(height * MaxRatio);
        return new PixelBox((width - boxWidth) / 2, (height - boxHeight) / 2, boxWidth, boxHeight);
    }

    private static double Uniform(double from, double to, ref SeededRandom random) => from + (random.NextDouble() * (to - from));
}
