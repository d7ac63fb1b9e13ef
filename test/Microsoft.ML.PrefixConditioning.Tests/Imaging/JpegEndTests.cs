using SkiaSharp;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>JPEG files that end too early behind an end mark.</summary>
[TestClass]
public sealed class JpegEndTests
{
    private static readonly SKJpegEncoderDownsample[] Samplings = Enum.GetValues<SKJpegEncoderDownsample>();

    private static SKBitmap Picture(int width, int height, int seed)
    {
        var random = new Random(seed);
        var bitmap = new SKBitmap(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                bitmap.SetPixel(x, y, new SKColor((byte)(x * 5 + random.Next(60)), (byte)(y * 3 + random.Next(60)), (byte)(x + y)));
        return bitmap;
    }

    private static byte[] Encoded(SKBitmap bitmap, int quality, SKJpegEncoderDownsample sampling)
    {
        using var pixels = bitmap.PeekPixels();
        using var data = pixels.Encode(new SKJpegEncoderOptions(quality, sampling, SKJpegEncoderAlphaOption.Ignore));
        return data.ToArray();
    }

    private static RgbImage Decode(byte[] file, ImageDecoding mode = ImageDecoding.Upright, int shortSide = int.MaxValue) =>
        ImageDecoder.Decode(ImageReference.FromEncoded(file), mode, shortSide);

    [TestMethod]
    public void Decode_WholeFiles_GivesTheDecodersOwnPixels()
    {
        var random = new Random(5);
        for (var i = 0; i < 300; i++)
        {
            var (width, height) = (1 + random.Next(70), 1 + random.Next(70));
            using var picture = Picture(width, height, i);
            var file = Encoded(picture, 1 + random.Next(100), Samplings[i % Samplings.Length]);
            if (i % 3 == 0) file = [.. file, .. new byte[random.Next(200)]];   // cameras append further data
            Assert.IsGreaterThan(0, JpegEnd.Find(file));
            using var expected = SKBitmap.Decode(file, new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque, null));
            var actual = Decode(file);
            byte[] colors = [.. expected.Bytes.Where((_, at) => at % 4 != 3)];
            CollectionAssert.AreEqual(colors, actual.Pixels.ToArray(), $"{i}: {width} x {height}");
        }
    }

    [TestMethod]
    [DataRow(0.2)]
    [DataRow(0.5)]
    [DataRow(0.95)]
    public void Decode_CutWithAnEndMark_IsTruncated(double part)
    {
        foreach (var (width, height) in new[] { (640, 480), (75, 333), (33, 17) })
            foreach (var sampling in Samplings)
            {
                using var picture = Picture(width, height, 1);
                var file = Encoded(picture, 90, sampling);
                var start = file.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xDA]);
                var kept = start + 20 + (int)((file.Length - start - 20) * part);
                if (file[kept - 1] == 0xFF) kept--;
                byte[] cut = [.. file.AsSpan(0, kept), 0xFF, 0xD9];
                foreach (var mode in Enum.GetValues<ImageDecoding>())
                    StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => Decode(cut, mode, 16)).Message,
                        $"is truncated: its {cut.Length} bytes end before the Jpeg image of {width} x {height} pixels is complete");
            }
    }

    [TestMethod]
    [DataRow("FFD8 FFC2000B080008000801011100 FFDA0008010100003F0001 FFD9", -1, DisplayName = "progressive")]
    [DataRow("FFD8 FFC0000B080008000801011100 FFDA0008010100003F0001 FFD9", 26, DisplayName = "sequential")]
    [DataRow("FFD8 FFC1000B080008000801011100 FFDA0008010100003F0001 FFD9 FFD9", 26, DisplayName = "more behind the mark")]
    [DataRow("FFD8 FFC0000B080008000803011100 FFDA0008010100003F0001 FFD9", -1, DisplayName = "one scan per component")]
    [DataRow("FFD8 FFFFC0000B080008000801011100 FFDA0008010100003F00 FF00 FFD3 FF FFD9", 31, DisplayName = "fill bytes and restarts")]
    [DataRow("FFD8 FFC0000B080008000801011100 FFDA0008010100003F0001 FF", -1, DisplayName = "cut")]
    [DataRow("FFD8 FFE0FFFF", -1, DisplayName = "a segment beyond the end")]
    [DataRow("89504E47", -1, DisplayName = "another format")]
    [DataRow("", -1, DisplayName = "empty")]
    public void Find_Files_GivesTheMarkOfSequentialOnes(string file, int expected) =>
        Assert.AreEqual(expected, JpegEnd.Find(Convert.FromHexString(file.Replace(" ", "", StringComparison.Ordinal))));

    // Progressive files of Pillow 9.4, of 40 x 29, 21 x 18 and 33 x 17 pixels.
    private const string Subsampled =
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+gX" +
        "z/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/wgARCAAdACgDASIAAhEBAxEB" +
        "/8QAGQABAAMBAQAAAAAAAAAAAAAAAwACBAEF/8QAGAEAAwEBAAAAAAAAAAAAAAAAAAIDAQT/2gAMAwEAAhADEAAAAfNazLtD2C9s8eNFF6sOapaxLBHhL/" +
        "/EABsQAQEBAAIDAAAAAAAAAAAAAAEAAhEhEDFB/9oACAEBAAEFAggjNs7MwQeNnYQXEFvt4sl9t+7/xAAYEQEBAQEBAAAAAAAAAAAAAAACAAMiAf/aAAgB" +
        "AwEBPwEO0fF4oK0XMVf/xAAZEQEBAQEBAQAAAAAAAAAAAAABABECEiH/2gAIAQIBAT8BDYORy+Q5zDl6y//EABgQAAIDAAAAAAAAAAAAAAAAAAEQICEw/9" +
        "oACAEBAAY/AtaiV//EABsQAAIDAQEBAAAAAAAAAAAAAAABEBEhQXEx/9oACAEBAAE/IQ1gspuFE6kM7wpiVFk4JV6fASsVwTTwSpI//9oADAMBAAIAAwAA" +
        "ABCUgFJjL//EABkRAAIDAQAAAAAAAAAAAAAAAAABESGB8f/aAAgBAwEBPxAHF8Fg/fRkUf/EABsRAQACAgMAAAAAAAAAAAAAAAEAESExQXGB/9oACAECAQ" +
        "E/EJeamJfIHbHvNuJcQwG46rry5//EACEQAQACAwACAQUAAAAAAAAAAAEAESExQVFhgXGRobHw/9oACAEBAAE/EBeanJKHV+4uJT238feWBaPrLKnas+IJ" +
        "VCu5VFugvT+6g5PfUriBTLMNtV2AEd01ek2V+P65UDtwIFZbLhCeCVs4ghMIh+SGgMs//9k=";

    private const string Full =
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+gX" +
        "z/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/wgARCAASABUDAREAAhEBAxEB" +
        "/8QAFwABAQEBAAAAAAAAAAAAAAAAAwIEBf/EABkBAAIDAQAAAAAAAAAAAAAAAAADAQIEBf/aAAwDAQACEAMQAAAB51JUeg6Y5rucg0EYtGu1c/X/AP/EAB" +
        "cQAQEBAQAAAAAAAAAAAAAAAAEAEBH/2gAIAQEAAQUCC5cggwjP/8QAGBEBAQEBAQAAAAAAAAAAAAAAAQACECH/2gAIAQMBAT8BGyxqGyx7HC//xAAZEQEB" +
        "AQADAAAAAAAAAAAAAAAAAgEREiH/2gAIAQIBAT8BcOjGYq5jzUpY/8QAFBABAAAAAAAAAAAAAAAAAAAAMP/aAAgBAQAGPwIf/8QAGBABAQEBAQAAAAAAAA" +
        "AAAAAAAQAQETH/2gAIAQEAAT8hkpsQ5ueX/9oADAMBAAIAAwAAABABAXVf/8QAGREAAgMBAAAAAAAAAAAAAAAAAAERITEQ/9oACAEDAQE/EIiko6M0kyJs" +
        "wf/EABoRAAICAwAAAAAAAAAAAAAAAAAhAREQMWH/2gAIAQIBAT8Quxhhy8mtk8zxR//EABoQAAMBAQEBAAAAAAAAAAAAAAABIRExQXH/2gAIAQEAAT8Q08" +
        "Oc+k+No80uOGy4IXGnvwtURYoTEp//2Q==";

    private const string Gray =
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+gX" +
        "z/wgALCAARACEBAREA/8QAGAABAQADAAAAAAAAAAAAAAAAAwIABAX/2gAIAQEAAAAB5yqMqyjFbGEX/8QAGhABAQEBAAMAAAAAAAAAAAAAAQACEhAhMf/a" +
        "AAgBAQABBQIIIzazcwQeN+7mIift/8QAFBABAAAAAAAAAAAAAAAAAAAAMP/aAAgBAQAGPwJ//8QAHRAAAgIBBQAAAAAAAAAAAAAAAAEQMSERcYGxwf/aAA" +
        "gBAQABPyGVMmTbL6JCNlZyKovD27j/2gAIAQEAAAAQC6f/xAAkEAABBAADCQAAAAAAAAAAAAARAAEhMVGh0RBBYXGBkbHB8P/aAAgBAQABPxBwyyYueaNA" +
        "W7nOLxjXU5IMHdMOHhFdM0DS9hDIBfDSkCZD0qlr8Kr5bZ//2Q==";

    [TestMethod]
    [DataRow(Subsampled, DisplayName = "color, half the resolution")]
    [DataRow(Full, DisplayName = "color")]
    [DataRow(Gray, DisplayName = "gray")]
    public void Decode_ProgressiveFileCutWithAnEndMark_IsTruncatedInTheFirstScanOnly(string encoded)
    {
        var file = Convert.FromBase64String(encoded);
        Decode(file);
        Assert.AreEqual(-1, JpegEnd.Find(file));
        var first = file.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xDA]);
        first += 2 + ((file[first + 2] << 8) | file[first + 3]);
        var next = first;   // behind the data of the first scan
        while (file[next] != 0xFF || file[next + 1] == 0) next++;
        for (var kept = first; kept < file.Length - 2; kept++)
        {
            if (file[kept - 1] == 0xFF) continue;
            byte[] cut = [.. file.AsSpan(0, kept), 0xFF, 0xD9];
            Assert.AreEqual(kept < next, JpegEnd.IsFirstScanCut(cut), $"{kept} of {next}");
            if (kept < next) Assert.ThrowsExactly<InvalidDataException>(() => Decode(cut));
        }
    }

    [TestMethod]
    public void IsFirstScanCut_DamagedFiles_EndsWithoutAnException()
    {
        var random = new Random(3);
        foreach (var file in new[] { Subsampled, Full, Gray }.Select(Convert.FromBase64String))
            for (var i = 0; i < 5000; i++)
            {
                var changed = file.ToArray();
                for (var change = random.Next(1, 4); change > 0; change--) changed[random.Next(changed.Length)] = (byte)random.Next(256);
                JpegEnd.IsFirstScanCut(changed.AsSpan(0, random.Next(changed.Length + 1)));
                JpegEnd.Find(changed);
            }
    }
}
