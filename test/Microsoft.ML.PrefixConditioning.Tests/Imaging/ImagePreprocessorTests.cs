namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass, TestCategory(Numeric.Category)]
public sealed class ImagePreprocessorTests
{
    private static readonly GoldenTensors.Tensors Decoded = GoldenTensors.Read("preprocess", "decoded.safetensors");

    private static GoldenTensors.Tensors Expected(int size) => GoldenTensors.Read("preprocess", $"expected_{size}.safetensors");

    private static IEnumerable<string> ImageNames =>
        Decoded.Names.Where(n => n.EndsWith(".decoded_rgb_u8", StringComparison.Ordinal)).Select(n => n[..n.IndexOf('.')]);

    // The reference's result for an image that was converted to RGB first, as ours are. It differs from the other for 08, 09 and 10.
    private static string BytesName(GoldenTensors.Tensors expected, string image) =>
        expected.Contains($"{image}.rgb_first_u8") ? $"{image}.rgb_first_u8" : $"{image}.u8";

    [TestMethod]
    [DataRow(1.0, 224)]     // the central crop has the short side
    [DataRow(0.9, 249)]     // 224 / 0.9: a side as long as the image's leaves the other nine tenths
    [DataRow(0.25, 518)]    // 224 / sqrt(3/4 * 0.25): a small box of ratio 3/4
    public void TrainingShortSide_ShareOfTheCrop_LeavesTheSmallestCropItsPixels(double minCropScale, int expected) =>
        Assert.AreEqual(expected, ImagePreprocessor.ForClip(224).TrainingShortSide(new() { MinCropScale = minCropScale }));

    [TestMethod]
    [DataRow(32)]
    [DataRow(224)]
    public void CropTest_GoldenPixels_EqualsPillowBitForBit(int size)
    {
        var expected = Expected(size);
        var result = new byte[size * size * 3];
        var compared = 0;
        foreach (var name in ImageNames)
        {
            ImagePreprocessor.ForClip(size).CropTest(DecodedImage(name), result);
            AssertEqual(expected.Bytes(BytesName(expected, name)), result, name);
            compared++;
        }
        Assert.AreEqual(12, compared);
    }

    [TestMethod]
    public void ApplyTest_GoldenPixels_EqualsOpenClipBitForBit()
    {
        var expected = Expected(32);
        var preprocessor = ImagePreprocessor.ForClip(32);
        var result = new float[preprocessor.Length];
        foreach (var name in ImageNames)
        {
            preprocessor.ApplyTest(DecodedImage(name), result);
            AssertEqual(expected.Floats(expected.Contains($"{name}.rgb_first") ? $"{name}.rgb_first" : name), result, name);
        }
    }

    [TestMethod]
    [DataRow("01_astronaut_rgb_256x256")]
    [DataRow("04_rocket_rgb_wide_300x90")]
    public void ApplyTest_GoldenPixelsAt224_EqualsOpenClipBitForBit(string name)
    {
        var preprocessor = ImagePreprocessor.ForClip(224);
        var result = new float[preprocessor.Length];
        preprocessor.ApplyTest(DecodedImage(name), result);
        AssertEqual(Expected(224).Floats(name), result, name);
    }

    [TestMethod]
    [DataRow("01_astronaut_rgb_256x256")]
    [DataRow("05_hubble_tall_77x290")]
    [DataRow("06_retina_small_45x60")]
    [DataRow("07_camera_gray_L_180x260")]
    [DataRow("08_astronaut_rgba_240x190")]
    [DataRow("09_coffee_palette_P_220x147")]
    public void ApplyTest_GoldenPngFile_EqualsOpenClipBitForBit(string name)
    {
        var image = FileImage($"{name}.png");
        var result = new float[3 * 32 * 32];
        ImagePreprocessor.ForClip(32).ApplyTest(image, result);
        var expected = Expected(32);
        AssertEqual(expected.Floats(expected.Contains($"{name}.rgb_first") ? $"{name}.rgb_first" : name), result, name);
        var large = new byte[224 * 224 * 3];
        ImagePreprocessor.ForClip(224).CropTest(image, large);
        expected = Expected(224);
        AssertEqual(expected.Bytes(BytesName(expected, name)), large, name);
    }

    // JPEG leaves the last level to the decoder; resizing averages, so it adds nothing to what decoding may differ by.
    [TestMethod]
    [DataRow("02_chelsea_rgb_300x199")]
    [DataRow("03_coffee_rgb_subsampled420_211x281")]
    [DataRow("04_rocket_rgb_wide_300x90")]
    [DataRow("10_chelsea_cmyk_200x150")]
    [DataRow("11_rocket_exif_orientation6_250x160")]
    [DataRow("12_horse_gray_L_129x100")]
    public void ApplyTest_GoldenJpegFile_IsWithinDecoderDifferences(string name)
    {
        var image = FileImage($"{name}.jpg");
        foreach (var size in new[] { 32, 224 })
        {
            var expected = Expected(size);
            var result = new byte[size * size * 3];
            ImagePreprocessor.ForClip(size).CropTest(image, result);
            var differences = expected.Bytes(BytesName(expected, name)).ToArray().Zip(result, (e, r) => Math.Abs(e - r)).ToArray();
            Assert.IsLessThanOrEqualTo(ImageDecoderTests.JpegTolerance, differences.Max(), $"{name} at {size}, in levels");
        }
    }

    [TestMethod]
    public void ApplyTest_OtherMeanAndDeviation_AreUsed()
    {
        var preprocessor = new ImagePreprocessor(1, [0.5f, 0.25f, 0], [0.5f, 0.25f, 2]);
        var result = new float[3];
        preprocessor.ApplyTest(new RgbImage(1, 1, [255, 0, 51]), result);
        CollectionAssert.AreEqual(new[] { 1f, -1f, 0.1f }, result);
    }

    [TestMethod]
    [DataRow(1, 1)]
    [DataRow(1, 1000)]
    [DataRow(1000, 1)]
    [DataRow(2, 100_000)]
    [DataRow(223, 224)]
    public void ApplyTest_TinyAndExtremeSides_OneColourStaysThatColour(int width, int height)
    {
        var image = new RgbImage(width, height);
        for (var i = 0; i < image.Pixels.Length; i++) image.Pixels[i] = (byte)(50 * (1 + (i % 3)));
        var result = new byte[224 * 224 * 3];
        ImagePreprocessor.ForClip(224).CropTest(image, result);
        for (var i = 0; i < result.Length; i++) Assert.AreEqual((byte)(50 * (1 + (i % 3))), result[i], $"byte {i}");
        var trained = new float[3 * 224 * 224];
        var random = new SeededRandom(5);
        ImagePreprocessor.ForClip(224).ApplyTrain(image, trained, new() { MinCropScale = 0.5, HorizontalFlipProbability = 0.5 },
            ref random);
        Assert.AreEqual(trained[0], trained[(224 * 224) - 1]);
    }

    [TestMethod]
    public void CropTest_NarrowImage_KeepsTheMiddle()
    {
        // 2 x 40: rows of their own brightness; the middle two rows are 19 and 20.
        var image = new RgbImage(2, 40);
        for (var i = 0; i < image.Pixels.Length; i++) image.Pixels[i] = (byte)(i / 6 * 6);
        var result = new byte[2 * 2 * 3];
        ImagePreprocessor.ForClip(2).CropTest(image, result);
        CollectionAssert.AreEqual(image.Pixels.Slice(19 * 6, 12).ToArray(), result);
    }

    [TestMethod]
    [DataRow(3, 2)]   // 1.5 -> 2
    [DataRow(5, 2)]   // 2.5 -> 2
    [DataRow(7, 4)]   // 3.5 -> 4
    [DataRow(9, 4)]   // 4.5 -> 4
    public void CropTest_OddRemainder_RoundsHalfToEven(int remainder, int offset)
    {
        // Two rows need no resizing for a size of 2: columns are copied, and the offset shows in them.
        var image = new RgbImage(2 + remainder, 2);
        for (var i = 0; i < image.Pixels.Length; i++) image.Pixels[i] = (byte)(i / 3 % image.Width);
        var result = new byte[2 * 2 * 3];
        ImagePreprocessor.ForClip(2).CropTest(image, result);
        Assert.AreEqual(offset, result[0]);
    }

    [TestMethod]
    public void ApplyTrain_NoAugmentation_EqualsApplyTest()
    {
        var image = DecodedImage("04_rocket_rgb_wide_300x90");
        var preprocessor = ImagePreprocessor.ForClip(32);
        float[] tested = new float[preprocessor.Length], trained = new float[preprocessor.Length];
        preprocessor.ApplyTest(image, tested);
        var random = new SeededRandom(1);
        preprocessor.ApplyTrain(image, trained, new() { MinCropScale = 1, HorizontalFlipProbability = 0 }, ref random);
        AssertEqual(tested, trained, "no augmentation");
    }

    [TestMethod]
    public void ApplyTrain_AlwaysFlip_MirrorsEveryRow()
    {
        var image = DecodedImage("04_rocket_rgb_wide_300x90");
        var preprocessor = ImagePreprocessor.ForClip(32);
        float[] tested = new float[preprocessor.Length], flipped = new float[preprocessor.Length];
        preprocessor.ApplyTest(image, tested);
        var random = new SeededRandom(1);
        preprocessor.ApplyTrain(image, flipped, new() { MinCropScale = 1, HorizontalFlipProbability = 1 }, ref random);
        for (var row = 0; row < 3 * 32; row++) tested.AsSpan(row * 32, 32).Reverse();
        AssertEqual(tested, flipped, "mirrored");
    }

    [TestMethod]
    public void ApplyTrain_SameSeed_GivesTheSameAndAnotherSeedAnother()
    {
        var image = DecodedImage("02_chelsea_rgb_300x199");
        float[] Train(ulong seed)
        {
            var random = new SeededRandom(seed);
            var result = new float[3 * 32 * 32];
            ImagePreprocessor.ForClip(32).ApplyTrain(image, result, new() { MinCropScale = 0.5, HorizontalFlipProbability = 0.5 },
                ref random);
            return result;
        }
        CollectionAssert.AreEqual(Train(7), Train(7));
        CollectionAssert.AreNotEqual(Train(7), Train(8));
    }

    [TestMethod]
    public void ApplyTrain_HalfFlipProbability_FlipsAboutHalf()
    {
        // Left black, right white: a flip shows in the first number.
        var image = new RgbImage(2, 2, [0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 255, 255]);
        var preprocessor = ImagePreprocessor.ForClip(2);
        var result = new float[preprocessor.Length];
        var random = new SeededRandom(9);
        var flips = 0;
        for (var i = 0; i < 1000; i++)
        {
            preprocessor.ApplyTrain(image, result, new() { MinCropScale = 1, HorizontalFlipProbability = 0.5 }, ref random);
            if (result[0] > result[1]) flips++;
        }
        Assert.AreEqual(500, flips, 80);   // five standard deviations; the seed is fixed
    }

    [TestMethod]
    public void ApplyTest_ManyThreads_GiveTheSameResult()
    {
        var preprocessor = ImagePreprocessor.ForClip(32);
        var images = ImageNames.Select(DecodedImage).ToArray();
        var expected = images.Select(image =>
        {
            var result = new float[preprocessor.Length];
            ImagePreprocessor.ForClip(32).ApplyTest(image, result);
            return result;
        }).ToArray();
        Parallel.For(0, 240, new ParallelOptions { MaxDegreeOfParallelism = 16 }, i =>
        {
            var result = new float[preprocessor.Length];
            preprocessor.ApplyTest(images[i % images.Length], result);
            Assert.IsTrue(expected[i % images.Length].AsSpan().SequenceEqual(result), $"image {i % images.Length}");
        });
    }

    [TestMethod]
    public void ApplyTest_WrongDestination_Throws() => Assert.ThrowsExactly<ArgumentOutOfRangeException>(
        () => ImagePreprocessor.ForClip(4).ApplyTest(new RgbImage(1, 1), new float[47]));

    private static RgbImage DecodedImage(string name)
    {
        var shape = Decoded.Shape($"{name}.decoded_rgb_u8");
        return new RgbImage(shape[1], shape[0], Decoded.Bytes($"{name}.decoded_rgb_u8"));
    }

    private static RgbImage FileImage(string file) =>
        ImageDecoder.Decode(ImageReference.FromLocator(Golden.Path("preprocess", "images", file)), ImageDecoding.OpenClip);

    private static void AssertEqual<T>(ReadOnlySpan<T> expected, ReadOnlySpan<T> actual, string name) where T : IEquatable<T>
    {
        Assert.AreEqual(expected.Length, actual.Length, name);
        var at = expected.CommonPrefixLength(actual);
        if (at < expected.Length) Assert.Fail($"{name}: element {at} is {actual[at]}, expected {expected[at]}.");
    }
}
