using Microsoft.ML.Data;
using SkiaSharp;
using static Microsoft.ML.PrefixConditioning.Tests.HandMadeImages;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ScaledDecodingTests
{
    [TestMethod]
    [DataRow(12, 38, 25)]
    [DataRow(13, 75, 50)]     // 24.9 rows are fewer than twice 13
    [DataRow(24, 75, 50)]
    [DataRow(25, 113, 75)]
    [DataRow(87, 263, 175)]
    [DataRow(88, 300, 199)]
    [DataRow(500, 300, 199)]
    [DataRow(int.MaxValue, 300, 199)]
    public void Decode_Jpeg_HasTheSmallestScaleWithTwiceTheShortSide(int shortSide, int width, int height)
    {
        var image = Scaled(GoldenFile("02_chelsea_rgb_300x199.jpg"), shortSide);
        Assert.AreEqual((width, height), (image.Width, image.Height));
    }

    // 1.5 of 255 levels: the scaled decode averages pixels before the bicubic filter does.
    [TestMethod]
    [DataRow("02_chelsea_rgb_300x199.jpg")]
    [DataRow("03_coffee_rgb_subsampled420_211x281.jpg")]
    [DataRow("04_rocket_rgb_wide_300x90.jpg")]
    [DataRow("10_chelsea_cmyk_200x150.jpg")]
    [DataRow("11_rocket_exif_orientation6_250x160.jpg")]
    [DataRow("12_horse_gray_L_129x100.jpg")]
    public void Decode_GoldenJpeg_IsCloseToTheFullDecodeOnceResized(string file)
    {
        const int Size = 32;
        var bytes = GoldenFile(file);
        Assert.IsLessThan(Decode(bytes, ImageDecoding.Upright, Size).ByteSize, Scaled(bytes, Size).ByteSize);
        Assert.IsLessThan(1.5, MeanDifference(Cropped(bytes, ImageDecoding.Upright, Size), Cropped(bytes, ImageDecoding.Scaled, Size)));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    [DataRow(3)]
    [DataRow(4)]
    [DataRow(5)]
    [DataRow(6)]
    [DataRow(7)]
    [DataRow(8)]
    public void Decode_JpegWithOrientation_IsTurnedUpright(int orientation)
    {
        const int Size = 16;
        // A quarter of a side of 129 pixels ends a quarter of the way into a pixel, which turning brings to any side.
        var jpeg = JpegWithExif(Encode(SKEncodedImageFormat.Jpeg, 193, 129, (x, y) => new SKColor((byte)x, (byte)(y * 2 % 256), 50)),
            Exif(orientation));
        var image = Scaled(jpeg, Size);
        Assert.AreEqual(orientation >= 5 ? (33, 49) : (49, 33), (image.Width, image.Height));
        Assert.IsLessThan(1.0, MeanDifference(Cropped(jpeg, ImageDecoding.Upright, Size), Cropped(jpeg, ImageDecoding.Scaled, Size)));
    }

    [TestMethod]
    [DataRow(SKEncodedImageFormat.Png)]
    [DataRow(SKEncodedImageFormat.Webp)]
    public void Decode_OtherFormats_AreDecodedAsUpright(SKEncodedImageFormat format)
    {
        var file = Encode(format, 96, 64, (x, y) => new SKColor((byte)x, (byte)y, 50, (byte)(x * 2)));
        CollectionAssert.AreEqual(Decode(file, ImageDecoding.Upright, 8).Pixels.ToArray(), Scaled(file, 8).Pixels.ToArray());
    }

    [TestMethod]
    public void Decode_TransparentMLImage_IsDecodedAsUpright()
    {
        var image = ImageReference.FromImage(MLImage.CreateFromPixels(2, 1, MLPixelFormat.Rgba32, [200, 100, 0, 50, 20, 10, 0, 20]));
        CollectionAssert.AreEqual(ImageDecoder.Decode(image, ImageDecoding.Upright).Pixels.ToArray(),
            ImageDecoder.Decode(image, ImageDecoding.Scaled, 1).Pixels.ToArray());
    }

    [TestMethod]
    public void Decode_TruncatedJpeg_FailsInTheSameWords()
    {
        var file = GoldenFile("02_chelsea_rgb_300x199.jpg");
        foreach (var kept in new[] { 3, file.Length / 4, file.Length / 2, file.Length - 40 })
            Assert.AreEqual(Fault(file[..kept], ImageDecoding.Upright), Fault(file[..kept], ImageDecoding.Scaled));
    }

    [TestMethod]
    public void Decode_DamagedJpegTables_FailsInTheSameWords()
    {
        var file = GoldenFile("02_chelsea_rgb_300x199.jpg");
        var table = file.AsSpan().IndexOf<byte>([0xFF, 0xC4]);   // the first Huffman table
        file.AsSpan(table + 5, 16).Fill(0xFF);
        Assert.AreEqual(Fault(file, ImageDecoding.Upright), Fault(file, ImageDecoding.Scaled));
    }

    private static byte[] GoldenFile(string name) => File.ReadAllBytes(Golden.Path("preprocess", "images", name));

    private static RgbImage Scaled(byte[] file, int shortSide) => Decode(file, ImageDecoding.Scaled, shortSide);

    private static RgbImage Decode(byte[] file, ImageDecoding mode, int shortSide) =>
        ImageDecoder.Decode(ImageReference.FromEncoded(file), mode, shortSide);

    private static string Fault(byte[] file, ImageDecoding mode) =>
        Assert.ThrowsExactly<InvalidDataException>(() => Decode(file, mode, 16)).Message;

    private static byte[] Cropped(byte[] file, ImageDecoding mode, int size)
    {
        var preprocessor = ImagePreprocessor.ForClip(size);
        var pixels = new byte[preprocessor.Length];
        preprocessor.CropTest(Decode(file, mode, size), pixels);
        return pixels;
    }

    private static double MeanDifference(byte[] expected, byte[] actual) => expected.Zip(actual, (e, a) => Math.Abs(e - a)).Average();
}
