using SkiaSharp;
using static Microsoft.ML.PrefixConditioning.Tests.HandMadeImages;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ImageDecoderTests
{
    // Levels. The JPEG standard lets decoders round differently; SkiaSharp's and Pillow's builds of libjpeg-turbo agree exactly on
    // x86-64, and other processors' vector code may be off by one in luma or chroma.
    internal const int JpegTolerance = 2;

    // What the corners hold after decoding, left to right and top to bottom, for a stored image with the corners R G / B W.
    private static readonly string[] CornersByOrientation = ["", "RGBW", "GRWB", "WBGR", "BWRG", "RBGW", "BRWG", "WGBR", "GWRB"];

    [TestMethod]
    [DataRow("01_astronaut_rgb_256x256.png", 0)]
    [DataRow("05_hubble_tall_77x290.png", 0)]
    [DataRow("06_retina_small_45x60.png", 0)]
    [DataRow("07_camera_gray_L_180x260.png", 0)]
    [DataRow("08_astronaut_rgba_240x190.png", 0)]   // the colours under the alpha are kept
    [DataRow("09_coffee_palette_P_220x147.png", 0)]
    [DataRow("02_chelsea_rgb_300x199.jpg", JpegTolerance)]
    [DataRow("03_coffee_rgb_subsampled420_211x281.jpg", JpegTolerance)]
    [DataRow("04_rocket_rgb_wide_300x90.jpg", JpegTolerance)]
    [DataRow("10_chelsea_cmyk_200x150.jpg", JpegTolerance)]
    [DataRow("11_rocket_exif_orientation6_250x160.jpg", JpegTolerance)]
    [DataRow("12_horse_gray_L_129x100.jpg", JpegTolerance)]
    public void Decode_GoldenFileTheReferencesWay_EqualsPillow(string file, int tolerance)
    {
        var golden = GoldenTensors.Read("preprocess", "decoded.safetensors");
        var name = $"{Path.GetFileNameWithoutExtension(file)}.decoded_rgb_u8";
        var image = ImageDecoder.Decode(ImageReference.FromLocator(Golden.Path("preprocess", "images", file)), ImageDecoding.OpenClip);
        CollectionAssert.AreEqual(golden.Shape(name), new[] { image.Height, image.Width, 3 });
        var differences = golden.Bytes(name).ToArray().Zip(image.Pixels.ToArray(), (e, a) => Math.Abs(e - a)).ToArray();
        Assert.IsLessThanOrEqualTo(tolerance, differences.Max());
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
        var jpeg = JpegWithExif(Encode(SKEncodedImageFormat.Jpeg, 48, 32, Corners(48, 32)), Exif(orientation));
        AssertCorners(jpeg, orientation, 48, 32);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    [DataRow(6)]
    [DataRow(8)]
    public void Decode_WebpWithOrientation_IsTurnedUpright(int orientation)
    {
        var webp = WebpWithExif(Encode(SKEncodedImageFormat.Webp, 48, 32, Corners(48, 32)), 48, 32, Exif(orientation));
        AssertCorners(webp, orientation, 48, 32);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    [DataRow(6)]
    [DataRow(8)]
    public void Decode_PngWithOrientation_IsTurnedUpright(int orientation)
    {
        var corners = Corners(48, 32);
        var png = Png(48, 32, 8, 2, (x, y) => [corners(x, y).Red, corners(x, y).Green, corners(x, y).Blue],
            chunks: ("eXIf", Exif(orientation)));
        AssertCorners(png, orientation, 48, 32);
    }

    [TestMethod]
    public void Decode_PngWithLittleEndianExif_IsTurnedUpright()
    {
        byte[] make = [0x0F, 1, 2, 0, 1, 0, 0, 0, 65, 0, 0, 0], orientation = [0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0];
        byte[] exif = [.. "II*\0"u8, 8, 0, 0, 0, 2, 0, .. make, .. orientation, 0, 0, 0, 0];
        var image = Decode(Png(3, 1, 8, 0, (x, _) => [x], chunks: ("eXIf", exif)), ImageDecoding.Upright);
        Assert.AreEqual((1, 3), (image.Width, image.Height));
        CollectionAssert.AreEqual(Grey(1, 3, (_, y) => y), image.Pixels.ToArray());
    }

    [TestMethod]
    public void Decode_PngWithDamagedExif_IsTakenAsStored()
    {
        var whole = Exif(6);
        int WidthWith(byte[] exif) => Decode(Png(3, 1, 8, 0, (x, _) => [x], chunks: ("eXIf", exif)), ImageDecoding.Upright).Width;
        Assert.AreEqual(1, WidthWith(whole));
        for (var kept = 0; kept < 20; kept++) Assert.AreEqual(3, WidthWith(whole[..kept]), $"{kept} bytes");   // 22 would be enough
        Assert.AreEqual(3, WidthWith(Exif(9)));
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void Decode_OrientationStoredAsLong_IsTurnedUpright(bool bigEndian)
    {
        for (var orientation = 1; orientation <= 8; orientation++)
        {
            var exif = LongExif(orientation, bigEndian);
            var corners = Corners(48, 32);
            AssertCorners(JpegWithExif(Encode(SKEncodedImageFormat.Jpeg, 48, 32, corners), exif), orientation, 48, 32);
            AssertCorners(WebpWithExif(Encode(SKEncodedImageFormat.Webp, 48, 32, corners), 48, 32, exif), orientation, 48, 32);
            AssertCorners(WebpWithExif(Encode(SKEncodedImageFormat.Webp, 48, 32, corners), 48, 32, [.. "Exif\0\0"u8, .. exif]),
                orientation, 48, 32);
            var png = Png(48, 32, 8, 2, (x, y) => [corners(x, y).Red, corners(x, y).Green, corners(x, y).Blue], chunks: ("eXIf", exif));
            AssertCorners(png, orientation, 48, 32);
        }
    }

    [TestMethod]
    public void Decode_JpegWithOtherSegmentsBeforeExif_IsTurnedUpright()
    {
        var jpeg = JpegWithExif(Encode(SKEncodedImageFormat.Jpeg, 48, 32, Corners(48, 32)), Exif(6));
        byte[] metadata = [0xFF, 0xE1, 0, 8, .. "http:\0"u8], comment = [0xFF, 0xFF, 0xFF, 0xFE, 0, 6, 0xFF, 0xDA, 0xFF, 0xD9];
        AssertCorners([0xFF, 0xD8, .. metadata, .. comment, .. jpeg[2..]], 6, 48, 32);
    }

    [TestMethod]
    public void ExifOrientationRead_DamagedFiles_IsAsStoredAndNeverThrows()
    {
        byte[] png = Png(3, 1, 8, 0, (x, _) => [x], chunks: ("eXIf", Exif(6)));
        var files = new (SKEncodedImageFormat Format, byte[] Bytes)[]
        {
            (SKEncodedImageFormat.Jpeg, JpegWithExif(Encode(SKEncodedImageFormat.Jpeg, 4, 4, Corners(4, 4)), Exif(6))),
            (SKEncodedImageFormat.Webp, WebpWithExif(Encode(SKEncodedImageFormat.Webp, 4, 4, Corners(4, 4)), 4, 4, Exif(6))),
            (SKEncodedImageFormat.Png, png),
        };
        var random = new Random(5);
        foreach (var (format, bytes) in files)
        {
            Assert.AreEqual(SKEncodedOrigin.RightTop, ExifOrientation.Read(bytes, format));
            Assert.AreEqual(SKEncodedOrigin.TopLeft, ExifOrientation.Read(bytes, SKEncodedImageFormat.Gif));
            for (var length = 0; length < Math.Min(bytes.Length, 24); length++)
                Assert.AreEqual(SKEncodedOrigin.TopLeft, ExifOrientation.Read(bytes.AsSpan(0, length), format));
            for (var i = 0; i < 20_000; i++)
            {
                var damaged = bytes[..random.Next(bytes.Length + 1)];
                for (var j = 0; j < 3 && damaged.Length > 0; j++) damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
                Assert.IsTrue(ExifOrientation.Read(damaged, format) is >= SKEncodedOrigin.TopLeft and <= SKEncodedOrigin.LeftBottom);
            }
        }
        Assert.AreEqual(SKEncodedOrigin.TopLeft, ExifOrientation.Read(
            [0x89, .. "PNG\r\n\u001A\n"u8, 0xFF, 0xFF, 0xFF, 0xFF, .. "eXIf"u8, 0, 0, 0, 0], SKEncodedImageFormat.Png));
    }

    [TestMethod]
    public void Decode_TransparentPng_IsLaidOverWhiteOrDropped()
    {
        var png = Png(3, 1, 8, 6, (x, _) => [200, 100, 0, Math.Min(x * 128, 255)]);
        // 200 * 128/255 + 255 * 127/255 = 227.4; 100 and 0 likewise
        AssertPixels(png, ImageDecoding.Upright, [255, 255, 255, 227, 177, 127, 200, 100, 0]);
        AssertPixels(png, ImageDecoding.OpenClip, [200, 100, 0, 200, 100, 0, 200, 100, 0]);
    }

    [TestMethod]
    public void Decode_TransparentWebp_IsLaidOverWhite()
    {
        var webp = Encode(SKEncodedImageFormat.Webp, 2, 1, (x, _) => new SKColor(200, 100, 0, (byte)(x * 255)));
        AssertPixels(webp, ImageDecoding.Upright, [255, 255, 255, 200, 100, 0]);
    }

    [TestMethod]
    public void Decode_PalettePngWithTransparentColour_IsLaidOverWhiteOrDropped()
    {
        var png = Png(4, 2, 2, 3, (x, _) => [x], chunks: [("PLTE", [10, 20, 30, 40, 50, 60, 70, 80, 90, 1, 2, 3]), ("tRNS", [0, 255])]);
        byte[] opaque = [40, 50, 60, 70, 80, 90, 1, 2, 3];
        AssertPixels(png, ImageDecoding.Upright, [255, 255, 255, .. opaque, 255, 255, 255, .. opaque]);
        AssertPixels(png, ImageDecoding.OpenClip, [10, 20, 30, .. opaque, 10, 20, 30, .. opaque]);
    }

    [TestMethod]
    [DataRow(1, 255)]
    [DataRow(2, 85)]
    [DataRow(4, 17)]
    [DataRow(8, 1)]
    public void Decode_GreyPngOfAnyDepth_BecomesEqualChannels(int depth, int step)
    {
        var png = Png(3, 2, depth, 0, (x, y) => [(x + y) % (1 << depth)]);
        AssertPixels(png, ImageDecoding.Upright, Grey(3, 2, (x, y) => (x + y) % (1 << depth) * step));
    }

    [TestMethod]
    public void Decode_GreyPngWithAlpha_IsLaidOverWhite() =>
        AssertPixels(Png(2, 1, 8, 4, (x, _) => [100, x * 255]), ImageDecoding.Upright, Grey(2, 1, (x, _) => x == 0 ? 255 : 100));

    [TestMethod]
    [DataRow(0)]
    [DataRow(2)]
    [DataRow(6)]
    public void Decode_SixteenBitPng_KeepsTheHighByte(int colorType)
    {
        // Equal bytes: reducing by cutting and by rounding agree.
        var png = Png(5, 3, 16, colorType, (x, y) =>
        {
            var value = ((x * 40) + y) * 257;
            return colorType switch { 0 => [value], 2 => [value, value, value], _ => [value, value, value, 65535] };
        });
        AssertPixels(png, ImageDecoding.Upright, Grey(5, 3, (x, y) => (x * 40) + y));
    }

    [TestMethod]
    [DataRow(8, 2)]
    [DataRow(16, 2)]
    [DataRow(4, 0)]
    public void Decode_InterlacedPng_EqualsRowByRow(int depth, int colorType)
    {
        var step = depth switch { 4 => 1, 8 => 16, _ => 16 * 257 };
        int[] Samples(int x, int y) => [.. Enumerable.Repeat(((x * 7) + (y * 3)) % 16 * step, colorType == 2 ? 3 : 1)];
        var plain = Decode(Png(21, 13, depth, colorType, Samples), ImageDecoding.Upright);
        var interlaced = Decode(Png(21, 13, depth, colorType, Samples, PngLayout.Interlaced), ImageDecoding.Upright);
        CollectionAssert.AreEqual(plain.Pixels.ToArray(), interlaced.Pixels.ToArray());
        Assert.AreNotEqual(plain.Pixels[0], plain.Pixels[3]);
    }

    [TestMethod]
    [DataRow(SKEncodedImageFormat.Png)]
    [DataRow(SKEncodedImageFormat.Webp)]
    public void Decode_FileWithColourProfile_KeepsTheStoredValues(SKEncodedImageFormat format)
    {
        using var linear = SKColorSpace.CreateRgb(SKColorSpaceTransferFn.Linear, SKColorSpaceXyz.DisplayP3);
        var bytes = Encode(format, 4, 4, (x, y) => new SKColor((byte)(x * 60), (byte)(y * 50), 90), linear);
        var plain = Encode(format, 4, 4, (x, y) => new SKColor((byte)(x * 60), (byte)(y * 50), 90));
        Assert.AreNotEqual(plain.Length, bytes.Length, "The file carries a profile.");
        AssertPixels(bytes, ImageDecoding.Upright, Decode(plain, ImageDecoding.Upright).Pixels.ToArray());
        Assert.AreEqual(180, Decode(bytes, ImageDecoding.Upright).Pixels[9]);
    }

    [TestMethod]
    public void Decode_PngWithGamma_KeepsTheStoredValues()
    {
        var png = Png(1, 1, 8, 2, (_, _) => [10, 100, 200], chunks: ("gAMA", [0, 1, 0x86, 0xA0]));   // 1.0
        AssertPixels(png, ImageDecoding.Upright, [10, 100, 200]);
    }

    [TestMethod]
    public void Decode_Bmp_GivesItsPixels() =>
        AssertPixels(Bmp(3, 2, (x, y) => ((byte)(x * 10), (byte)(y * 20), 7)), ImageDecoding.Upright,
            [0, 0, 7, 10, 0, 7, 20, 0, 7, 0, 20, 7, 10, 20, 7, 20, 20, 7]);

    [TestMethod]
    public void Decode_AnimatedGif_GivesTheFirstFrame()
    {
        var image = Decode(Gif(40, 30, (1, 2, 3), (200, 100, 50)), ImageDecoding.Upright);
        Assert.AreEqual((40, 30), (image.Width, image.Height));
        for (var i = 0; i < image.Pixels.Length; i++) Assert.AreEqual((i % 3) + 1, image.Pixels[i]);
    }

    [TestMethod]
    public void Decode_PngNamedJpg_IsReadByItsContent()
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            var path = Path.Combine(folder.FullName, "picture.jpg");
            File.WriteAllBytes(path, Png(1, 1, 8, 2, (_, _) => [1, 2, 3]));
            var image = ImageDecoder.Decode(ImageReference.FromLocator(path), ImageDecoding.Upright);
            CollectionAssert.AreEqual(new byte[] { 1, 2, 3 }, image.Pixels.ToArray());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [TestMethod]
    public void Decode_ManyThreads_GiveTheSamePixels()
    {
        var files = Directory.GetFiles(Golden.Path("preprocess", "images")).Order().Select(File.ReadAllBytes).ToArray();
        var expected = files.Select(f => Decode(f, ImageDecoding.Upright).Pixels.ToArray()).ToArray();
        Parallel.For(0, 120, new ParallelOptions { MaxDegreeOfParallelism = 16 }, i =>
        {
            var file = i % files.Length;
            Assert.IsTrue(Decode(files[file], ImageDecoding.Upright).Pixels.SequenceEqual(expected[file]), $"file {file}");
        });
    }

    private static RgbImage Decode(byte[] file, ImageDecoding mode) => ImageDecoder.Decode(ImageReference.FromEncoded(file), mode);

    private static void AssertPixels(byte[] file, ImageDecoding mode, byte[] expected) =>
        CollectionAssert.AreEqual(expected, Decode(file, mode).Pixels.ToArray());

    private static byte[] Grey(int width, int height, Func<int, int, int> value) =>
        [.. Enumerable.Range(0, width * height * 3).Select(i => (byte)value(i / 3 % width, i / 3 / width))];

    // Quarters of red, green, blue and white.
    private static Func<int, int, SKColor> Corners(int width, int height) => (x, y) => (x < width / 2, y < height / 2) switch
    {
        (true, true) => SKColors.Red,
        (false, true) => new SKColor(0, 255, 0),
        (true, false) => SKColors.Blue,
        _ => SKColors.White,
    };

    private static void AssertCorners(byte[] file, int orientation, int width, int height)
    {
        var upright = Decode(file, ImageDecoding.Upright);
        Assert.AreEqual(orientation >= 5 ? (height, width) : (width, height), (upright.Width, upright.Height));
        Assert.AreEqual(CornersByOrientation[orientation], CornersOf(upright));
        var asStored = Decode(file, ImageDecoding.OpenClip);
        Assert.AreEqual((width, height), (asStored.Width, asStored.Height));
        Assert.AreEqual("RGBW", CornersOf(asStored));
    }

    private static string CornersOf(RgbImage image)
    {
        char At(int x, int y)
        {
            var pixel = image.Pixels.Slice(((y * image.Width) + x) * 3, 3);
            return (pixel[0] > 127, pixel[1] > 127, pixel[2] > 127) switch
            {
                (true, false, false) => 'R',
                (false, true, false) => 'G',
                (false, false, true) => 'B',
                (true, true, true) => 'W',
                _ => '?',
            };
        }
        return string.Concat(At(1, 1), At(image.Width - 2, 1), At(1, image.Height - 2), At(image.Width - 2, image.Height - 2));
    }
}
