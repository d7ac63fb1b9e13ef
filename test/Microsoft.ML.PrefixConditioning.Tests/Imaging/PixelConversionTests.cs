using Microsoft.ML.Data;
using SkiaSharp;
using static Microsoft.ML.PrefixConditioning.Tests.HandMadeImages;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass, TestCategory(Numeric.Category)]
public sealed class PixelConversionTests
{
    [TestMethod]
    [DataRow(SKEncodedOrigin.TopLeft, "ABCDEF")]
    [DataRow(SKEncodedOrigin.TopRight, "CBAFED")]
    [DataRow(SKEncodedOrigin.BottomRight, "FEDCBA")]
    [DataRow(SKEncodedOrigin.BottomLeft, "DEFABC")]
    [DataRow(SKEncodedOrigin.LeftTop, "ADBECF")]
    [DataRow(SKEncodedOrigin.RightTop, "DAEBFC")]
    [DataRow(SKEncodedOrigin.RightBottom, "FCEBDA")]
    [DataRow(SKEncodedOrigin.LeftBottom, "CFBEAD")]
    public void FromDecoded_EveryOrigin_MovesEveryPixel(SKEncodedOrigin origin, string expected)
    {
        // Stored: A B C / D E F.
        var pixels = "ABCDEF".SelectMany(letter => new byte[] { (byte)letter, 1, 2, 255 }).ToArray();
        var image = PixelConversion.FromDecoded(pixels, 3, 2, AlphaMeaning.Opaque, origin, ImageDecoding.Upright);
        Assert.AreEqual(expected, string.Concat(Enumerable.Range(0, 6).Select(i => (char)image.Pixels[i * 3])));
        Assert.AreEqual((int)origin >= 5 ? 2 : 3, image.Width);
        CollectionAssert.AreEqual(new byte[] { 1, 2 }, image.Pixels[1..3].ToArray());
    }

    [TestMethod]
    [DataRow(MLPixelFormat.Rgba32)]
    [DataRow(MLPixelFormat.Bgra32)]
    public void Decode_RawPixels_AreReadInTheirOrder(MLPixelFormat format)
    {
        byte[] pixels = format == MLPixelFormat.Rgba32 ? [1, 2, 3, 255, 4, 5, 6, 255] : [3, 2, 1, 255, 6, 5, 4, 255];
        using var image = MLImage.CreateFromPixels(2, 1, format, pixels);
        var decoded = ImageDecoder.Decode(ImageReference.FromImage(image), ImageDecoding.Upright);
        CollectionAssert.AreEqual(new byte[] { 1, 2, 3, 4, 5, 6 }, decoded.Pixels.ToArray());
    }

    [TestMethod]
    public void Decode_MLImageOfATransparentFile_EqualsTheFileUpToRounding()
    {
        // MLImage holds premultiplied colours.
        var png = Png(16, 16, 8, 6, (x, y) => [x * 17, y * 17, 99, x == 0 ? 0 : y * 17]);
        using var image = MLImage.CreateFromStream(new MemoryStream(png));
        var fromFile = Decode(png, ImageDecoding.Upright);
        var fromImage = ImageDecoder.Decode(ImageReference.FromImage(image), ImageDecoding.Upright);
        for (var i = 0; i < fromFile.Pixels.Length; i++) Assert.AreEqual(fromFile.Pixels[i], fromImage.Pixels[i], 1, $"byte {i}");
        // At full opacity the reference's way gives the same colours; below it they are restored as far as 8 bits allow.
        var dropped = ImageDecoder.Decode(ImageReference.FromImage(image), ImageDecoding.OpenClip);
        Assert.AreEqual(Decode(png, ImageDecoding.OpenClip).Pixels[(8 * 16 + 5) * 3], dropped.Pixels[(8 * 16 + 5) * 3], 2);
    }

    [TestMethod]
    public void FromDecoded_EveryColorAndOpacity_IsRoundedOverWhite()
    {
        for (var opacity = 0; opacity < 256; opacity++)
        {
            var width = 256 - (opacity % 7);   // also rows that do not fill the last vector
            var pixels = Enumerable.Range(0, width).SelectMany(c => new byte[] { (byte)c, 0, (byte)(255 - c), (byte)opacity }).ToArray();
            var image = PixelConversion.FromDecoded(
                pixels, width, 1, AlphaMeaning.Straight, SKEncodedOrigin.TopLeft, ImageDecoding.Upright);
            byte OverWhite(int color) => (byte)(((color * opacity) + (255 * (255 - opacity)) + 127) / 255);
            CollectionAssert.AreEqual(
                Enumerable.Range(0, width).SelectMany(c => new[] { OverWhite(c), OverWhite(0), OverWhite(255 - c) }).ToArray(),
                image.Pixels.ToArray(), $"opacity {opacity}");
        }
    }

    [TestMethod]
    [DataRow(MLPixelFormat.Rgba32)]
    [DataRow(MLPixelFormat.Bgra32)]
    public void FromMLImage_PremultipliedPixels_AreConvertedOneByOne(MLPixelFormat format)
    {
        for (var count = 1; count < 40; count++)
        {
            byte[] pixels = [.. Enumerable.Range(0, count).SelectMany(i => new byte[] { (byte)i, (byte)(i / 2), 0, (byte)(2 * i) })];
            byte[] Expected(Func<int, int, int> convert) => [.. Enumerable.Range(0, count).SelectMany(i =>
            {
                byte[] rgb = [(byte)convert(i, 2 * i), (byte)convert(i / 2, 2 * i), (byte)convert(0, 2 * i)];
                return format == MLPixelFormat.Rgba32 ? rgb : Enumerable.Reverse(rgb);
            })];
            CollectionAssert.AreEqual(
                Expected((color, opacity) => color + 255 - opacity),
                PixelConversion.FromMLImage(pixels, count, 1, format, ImageDecoding.Upright).Pixels.ToArray(), $"{count} pixels");
            CollectionAssert.AreEqual(
                Expected((color, opacity) => opacity == 0 ? color : ((color * 255) + (opacity / 2)) / opacity),
                PixelConversion.FromMLImage(pixels, count, 1, format, ImageDecoding.OpenClip).Pixels.ToArray(), $"{count} pixels");
        }
    }

    [TestMethod]
    public void Decode_RawPixelsWithColourAboveAlpha_AreTakenAsStraight()
    {
        using var image = MLImage.CreateFromPixels(2, 1, MLPixelFormat.Rgba32, [200, 100, 0, 128, 200, 100, 0, 0]);
        CollectionAssert.AreEqual(new byte[] { 227, 177, 127, 255, 255, 255 },
            ImageDecoder.Decode(ImageReference.FromImage(image), ImageDecoding.Upright).Pixels.ToArray());
        CollectionAssert.AreEqual(new byte[] { 200, 100, 0, 200, 100, 0 },
            ImageDecoder.Decode(ImageReference.FromImage(image), ImageDecoding.OpenClip).Pixels.ToArray());
    }

    private static RgbImage Decode(byte[] file, ImageDecoding mode) => ImageDecoder.Decode(ImageReference.FromEncoded(file), mode);
}
