using System.Text;
using Microsoft.ML.Data;
using SkiaSharp;
using static Microsoft.ML.PrefixConditioning.Tests.HandMadeImages;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ImageDecoderErrorTests
{
    private const string Remedy = "Expected a complete PNG, JPEG, WebP, BMP or GIF image; replace it, or remove its row.";

    [TestMethod]
    public void Decode_NoBytes_SaysEmpty() => AssertError([], "An encoded image of 0 bytes is empty: it has 0 bytes.");

    [TestMethod]
    public void Decode_EmptyFile_NamesIt()
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            var path = Path.Combine(folder.FullName, "nothing.png");
            File.WriteAllBytes(path, []);
            AssertError(ImageReference.FromLocator(path), $"The image '{path}' is empty: it has 0 bytes.");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [TestMethod]
    public void Decode_MissingValue_SaysSo() =>
        AssertError(default(ImageReference), "A missing image cannot be decoded: its row has no value in the image column.");

    [TestMethod]
    public void Decode_MissingFile_NamesItAndKeepsTheCause()
    {
        var error = AssertError(ImageReference.FromLocator("no/such/file.png"), "The image 'no/such/file.png' cannot be read (");
        Assert.IsInstanceOfType<IOException>(error.InnerException);
    }

    [TestMethod]
    [DataRow("These are words,\nnot an image.", "text")]
    [DataRow("<!DOCTYPE html><html><body>404</body></html>", "an HTML page, perhaps the error page of a download")]
    [DataRow("\n <HTML><head>", "an HTML page, perhaps the error page of a download")]
    [DataRow("<?xml version=\"1.0\"?>\n<svg width=\"1\"/>", "an SVG drawing, which is text")]
    [DataRow("version https://git-lfs.github.com/spec/v1\noid sha256:00", "a Git LFS pointer; the image itself was not checked out")]
    [DataRow("II*\0\u0008\0\0\0", "a TIFF image (or a camera's raw file)")]
    [DataRow("MM\0*\0\0\0\u0008", "a TIFF image (or a camera's raw file)")]
    [DataRow("\0\0\0\u0018ftypheic\0\0\0\0mif1heic", "a HEIC image")]
    [DataRow("\0\0\0\u0018ftypmif1\0\0\0\0mif1", "a HEIF image")]
    [DataRow("\0\0\0\u0018ftypavif\0\0\0\0mif1", "an AVIF image")]
    [DataRow("\0\0\0\u0018ftypisom\0\0\0\0", "a video or another MP4-like file")]
    [DataRow("8BPS\0\u0001", "a Photoshop file")]
    [DataRow("%PDF-1.7", "a PDF document")]
    [DataRow("PK\u0003\u0004rest", "a ZIP archive")]
    [DataRow("\0\0\0\0\0\0\0\0\0\0", "nothing but zero bytes")]
    [DataRow("\u0001\u0002\u0003\u0004\u0005\u0006\u0007\u0008\u0009", "data of no known image format")]
    // To Skia this is a WBMP image.
    [DataRow("\0\0\u0004\u0004\u0001\u0001\u0001\u0001", "data of no known image format")]
    public void Decode_OtherContent_SaysWhatItIs(string content, string found) =>
        AssertError(Encoding.Latin1.GetBytes(content), $"is not an image that can be decoded: it is {found}.");

    [TestMethod]
    public void Decode_TextOfOtherScripts_IsSeenAsText() =>
        AssertError("\uFEFFпривет"u8.ToArray(), "it is text.");

    [TestMethod]
    public void Decode_Icon_IsRefused() => AssertError([0, 0, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0, 32, 0], "it is an icon (ICO).");

    [TestMethod]
    [DataRow(SKEncodedImageFormat.Png, "Png")]
    [DataRow(SKEncodedImageFormat.Jpeg, "Jpeg")]
    public void Decode_TruncatedFile_SaysHowFarItGoes(SKEncodedImageFormat format, string name)
    {
        var file = Noise(format);
        foreach (var kept in new[] { file.Length / 2, file.Length * 9 / 10, file.Length - 40 })
            AssertError(file[..kept], $"An encoded image of {kept} bytes is truncated: "
                + $"its {kept} bytes end before the {name} image of 60 x 40 pixels is complete.");
    }

    [TestMethod]
    public void Decode_TruncatedWebp_Fails()
    {
        var file = Noise(SKEncodedImageFormat.Webp);
        foreach (var kept in new[] { file.Length / 2, file.Length - 20 })
            Assert.Contains($"An encoded image of {kept} bytes is ", Fails(file[..kept]).Message);
    }

    [TestMethod]
    public void Decode_TruncatedBmp_Fails()
    {
        var file = Bmp(30, 20, (x, y) => ((byte)x, (byte)y, 0));
        AssertError(file[..(file.Length / 2)], "is truncated: its");
    }

    [TestMethod]
    public void Decode_TruncatedGif_Fails()
    {
        var file = Gif(100, 100, (1, 2, 3));
        AssertError(file[..(file.Length / 2)], "is truncated: its");
    }

    [TestMethod]
    public void Decode_OnlyAHeader_SaysDamagedHeader()
    {
        AssertError([0xFF, 0xD8, 0xFF, 0xE0, 0], "it is a JPEG image with a damaged or incomplete header.");
        AssertError([0x89, .. "PNG\r\n\u001A\n"u8], "it is a PNG image with a damaged or incomplete header.");
        AssertError([.. "RIFF"u8, 9, 9, 0, 0, .. "WEBPVP8 "u8], "it is a WebP image with a damaged or incomplete header.");
        AssertError([.. "GIF89a"u8], "it is a GIF image with a damaged or incomplete header.");
        AssertError([.. "BM"u8, 1, 2, 3], "it is a BMP image with a damaged or incomplete header.");
    }

    [TestMethod]
    public void Decode_DamagedPngData_SaysDamaged()
    {
        var file = Noise(SKEncodedImageFormat.Png);
        for (var i = 0; i < 30; i++) file[(file.Length / 2) + i] ^= 0x5A;
        AssertError(file, "is damaged: its Png data of");
    }

    [TestMethod]
    [DataRow(20_000, 20_000)]
    [DataRow(1_000_000, 1_000_000)]
    public void Decode_HeaderThatClaimsTooMuch_FailsBeforeAllocating(int width, int height)
    {
        var file = Png(width, height, 8, 2, PngLayout.RowByRow, ("IDAT", [0x78, 0x9C, 1, 2, 3, 4, 5, 6, 7, 8]));
        var before = GC.GetAllocatedBytesForCurrentThread();
        AssertError(file, $"claims to have {width} x {height} pixels in a file of {file.Length} bytes; "
            + "at most 64000000 pixels are decoded.");
        Assert.IsLessThan(1_000_000L, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void Decode_UnknownPixelFormat_SaysWhichAreKnown()
    {
        // ImageReference copies what MLImage says; no image of this version has such a format.
        object boxed = ImageReference.FromImage(MLImage.CreateFromPixels(1, 1, MLPixelFormat.Rgba32, [1, 2, 3, 4]));
        typeof(ImageReference).GetProperty(nameof(ImageReference.PixelFormat))!.SetValue(boxed, MLPixelFormat.Unknown);
        AssertError((ImageReference)boxed, "An image of 1 x 1 pixels has the pixel format Unknown; Rgba32 and Bgra32 are known.");
    }

    private static byte[] Noise(SKEncodedImageFormat format)
    {
        var random = new SeededRandom(1);
        return Encode(format, 60, 40, (_, _) => new SKColor((uint)random.NextUInt64() | 0xFF000000));
    }

    private static InvalidDataException Fails(byte[] file) =>
        Assert.ThrowsExactly<InvalidDataException>(() => ImageDecoder.Decode(ImageReference.FromEncoded(file), ImageDecoding.Upright));

    private static void AssertError(byte[] file, string found) => AssertError(ImageReference.FromEncoded(file), found);

    private static InvalidDataException AssertError(ImageReference image, string found)
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => ImageDecoder.Decode(image, ImageDecoding.Upright));
        Assert.Contains(found, error.Message);
        Assert.Contains(Remedy, error.Message);
        return error;
    }
}
