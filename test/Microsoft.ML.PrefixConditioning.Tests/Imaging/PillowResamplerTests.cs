namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass, TestCategory(Numeric.Category)]
public sealed class PillowResamplerTests
{
    // Those with instructions of their own only where the machine has these.
    private static readonly ResampleKernel[] Kernels =
        [.. Enum.GetValues<ResampleKernel>().Where(k => k <= ResampleKernel.Vector || k <= ResampleKernels.Best)];

    [TestMethod]
    public void Resize_RandomSizes_AllKernelsGiveTheSameBytes()
    {
        var random = new SeededRandom(1);
        for (var round = 0; round < 150; round++)
        {
            var image = RandomImage(1 + random.NextInt32(120), 1 + random.NextInt32(120), ref random);
            var horizontal = RandomAxis(image.Width, ref random);
            var vertical = RandomAxis(image.Height, ref random);
            var expected = Resize(ResampleKernel.Scalar, image, horizontal, vertical);
            foreach (var kernel in Kernels)
                Assert.IsTrue(expected.AsSpan().SequenceEqual(Resize(kernel, image, horizontal, vertical)),
                    $"{kernel} differs from plain arithmetic for {image.Width} x {image.Height}, {horizontal}, {vertical}.");
        }
    }

    [TestMethod]
    public void Resize_BlackAndWhiteEdges_AllKernelsClampOvershoot()
    {
        // Bicubic sums go below 0 and above 255 next to an edge.
        var image = new RgbImage(8, 8);
        for (var i = 0; i < image.Pixels.Length; i++) image.Pixels[i] = (byte)(i / 3 % 8 < 4 ? 0 : 255);
        foreach (var kernel in Kernels)
        {
            var result = Resize(kernel, image, ResampleAxis.Whole(0, 8, 32), ResampleAxis.Whole(0, 8, 32));
            Assert.IsTrue(result.AsSpan(0, 12 * 3).IndexOfAnyExcept((byte)0) < 0, $"{kernel}: the dark side stays 0.");
            Assert.IsTrue(result.AsSpan(20 * 3, 12 * 3).IndexOfAnyExcept((byte)255) < 0, $"{kernel}: the bright side stays 255.");
        }
    }

    [TestMethod]
    public void Resize_ToTheSameSize_IsACopy()
    {
        var random = new SeededRandom(2);
        var image = RandomImage(37, 23, ref random);
        var result = Resize(ResampleKernels.Best, image, ResampleAxis.Whole(0, 37, 37), ResampleAxis.Whole(0, 23, 23));
        CollectionAssert.AreEqual(image.Pixels.ToArray(), result);
    }

    [TestMethod]
    public void Resize_PartOfAnImage_EqualsResizingTheCutOutPart()
    {
        var random = new SeededRandom(3);
        var image = RandomImage(61, 47, ref random);
        var part = new RgbImage(30, 20);
        for (var y = 0; y < 20; y++)
            image.Pixels.Slice(((y + 9) * 61 + 13) * 3, 30 * 3).CopyTo(part.Pixels[(y * 30 * 3)..]);
        var expected = Resize(ResampleKernels.Best, part, ResampleAxis.Whole(0, 30, 16), ResampleAxis.Whole(0, 20, 16));
        var result = Resize(ResampleKernels.Best, image, ResampleAxis.Whole(13, 30, 16), ResampleAxis.Whole(9, 20, 16));
        CollectionAssert.AreEqual(expected, result);
    }

    [TestMethod]
    public void Resize_WindowOfTheResult_EqualsCuttingTheWholeResult()
    {
        var random = new SeededRandom(4);
        var image = RandomImage(90, 70, ref random);
        var whole = Resize(ResampleKernels.Best, image, ResampleAxis.Whole(0, 90, 40), ResampleAxis.Whole(0, 70, 30));
        var window = Resize(ResampleKernels.Best, image, new ResampleAxis(0, 90, 40, 7, 21), new ResampleAxis(0, 70, 30, 11, 10));
        for (var y = 0; y < 10; y++)
            CollectionAssert.AreEqual(whole.AsSpan(((y + 11) * 40 + 7) * 3, 21 * 3).ToArray(), window.AsSpan(y * 21 * 3, 21 * 3).ToArray());
    }

    [TestMethod]
    public void Resize_MoreSizesThanWeightsAreKeptFor_StaysWithinMemoryAndCorrect()
    {
        var random = new SeededRandom(6);
        var image = RandomImage(3000, 1, ref random);
        var resampler = new PillowResampler();
        byte[] result = new byte[224 * 3], again = new byte[224 * 3];
        for (var length = 3000; length > 2600; length--)
            resampler.Resize(image, ResampleAxis.Whole(0, length, 224), ResampleAxis.Whole(0, 1, 1), result);
        Assert.IsInRange(PillowResampler.MaxKeptBytes / 2, PillowResampler.MaxKeptBytes, resampler.KeptBytes);
        resampler.Resize(image, ResampleAxis.Whole(0, 2601, 224), ResampleAxis.Whole(0, 1, 1), again);
        CollectionAssert.AreEqual(result, again);
    }

    [TestMethod]
    public void Resize_PartOutsideTheImage_Throws()
    {
        var image = new RgbImage(10, 10);
        var inside = ResampleAxis.Whole(0, 10, 5);
        foreach (var outside in new[]
        {
            ResampleAxis.Whole(1, 10, 5), ResampleAxis.Whole(-1, 5, 5), ResampleAxis.Whole(0, 0, 5),
            new ResampleAxis(0, 10, 5, 1, 5), new ResampleAxis(0, 10, 5, -1, 5), new ResampleAxis(0, 10, 5, 0, 0),
        })
        {
            var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(
                () => new PillowResampler().Resize(image, outside, inside, new byte[outside.Count * 5 * 3]));
            StringAssert.Contains(error.Message, "does not lie inside a side of 10 pixels");
            Assert.AreEqual("horizontal", error.ParamName);
        }
    }

    [TestMethod]
    public void Resize_WrongDestination_Throws() => Assert.ThrowsExactly<ArgumentOutOfRangeException>(
        () => new PillowResampler().Resize(new RgbImage(4, 4), ResampleAxis.Whole(0, 4, 2), ResampleAxis.Whole(0, 4, 2), new byte[11]));

    [TestMethod]
    public void Weights_AnyAxis_AddUpToOne()
    {
        foreach (var (source, resized) in new[] { (300, 32), (32, 300), (1, 7), (7, 1), (500, 224) })
        {
            var weights = new ResampleWeights(ResampleAxis.Whole(0, source, resized));
            for (var i = 0; i < resized; i++)
            {
                var sum = weights.Values.AsSpan(i * weights.Stride, weights.Lengths[i]).ToArray().Sum();
                // Each weight is rounded to the nearest 2^-22.
                Assert.AreEqual(1 << ResampleWeights.FractionBits, sum, weights.Lengths[i] / 2.0 + 1, $"{source} -> {resized}, pixel {i}");
            }
        }
    }

    private static byte[] Resize(ResampleKernel kernel, RgbImage image, ResampleAxis horizontal, ResampleAxis vertical)
    {
        var result = new byte[horizontal.Count * vertical.Count * 3];
        new PillowResampler(kernel).Resize(image, horizontal, vertical, result);
        return result;
    }

    private static ResampleAxis RandomAxis(int length, ref SeededRandom random)
    {
        var start = random.NextInt32(length);
        var resized = 1 + random.NextInt32(90);
        var first = random.NextInt32(resized);
        return new ResampleAxis(start, 1 + random.NextInt32(length - start), resized, first, 1 + random.NextInt32(resized - first));
    }

    internal static RgbImage RandomImage(int width, int height, ref SeededRandom random)
    {
        var image = new RgbImage(width, height);
        foreach (ref var value in image.Pixels)
            value = (byte)(random.NextInt32(4) == 0 ? random.NextInt32(2) * 255 : random.NextInt32(256));   // extremes make overshoot
        return image;
    }
}
