using SkiaSharp;
using static Microsoft.ML.PrefixConditioning.Tests.HandMadeImages;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class HostileImageTests : IDisposable
{
    private const byte Baseline = 0xC0, Progressive = 0xC2;   // markers of frames

    private readonly DataTestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void Decode_LimitOfTheApplication_IsObeyed()
    {
        using var picture = new SKBitmap(40, 30);
        using var encoded = picture.Encode(SKEncodedImageFormat.Png, 100);
        var image = ImageReference.FromEncoded(encoded.ToArray());
        try
        {
            AppContext.SetData(ImageDecoder.MaxPixelsSetting, 1200);
            Assert.AreEqual(40, ImageDecoder.Decode(image, ImageDecoding.Upright).Width);
            AppContext.SetData(ImageDecoder.MaxPixelsSetting, "1199");   // as a file of settings gives it
            StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => ImageDecoder.Decode(image, ImageDecoding.Upright))
                .Message, "claims to have 40 x 30 pixels in a file of");
            AppContext.SetData(ImageDecoder.MaxPixelsSetting, 640_000_000L);
            Assert.AreEqual(4500L << 20, ImageDecoder.MaxMemory);
            AppContext.SetData(ImageDecoder.MaxPixelsSetting, "many");
            StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => ImageDecoder.Decode(image, ImageDecoding.Upright))
                .Message, "MaxImagePixels is 'many'; a positive whole number is expected.");
        }
        finally
        {
            AppContext.SetData(ImageDecoder.MaxPixelsSetting, null);
        }
    }

    [TestMethod]
    [DataRow(8000, 8000, "is truncated: its")]
    [DataRow(13_377, 13_377, "claims to have 13377 x 13377 pixels")]
    public void Decode_SmallJpegThatClaimsManyPixels_IsUnreadable(int width, int height, string fault)
    {
        Assert.Contains(fault, Fault(ImageReference.FromEncoded(JpegThatClaims(width, height, Baseline))));
    }

    [TestMethod]
    public void Decode_ProgressiveJpegScaled_NeedsMemoryForTheScaledSizeOnly()
    {
        var jpeg = ImageReference.FromEncoded(JpegThatClaims(8000, 8000, Progressive));
        Assert.Contains("take 832000", Fault(jpeg));
        Assert.Contains("is truncated: its", Assert.ThrowsExactly<InvalidDataException>(
            () => ImageDecoder.Decode(jpeg, ImageDecoding.Scaled, shortSide: 32)).Message);
    }

    [TestMethod]
    [DataRow(6000, 6000, "is truncated: its")]
    [DataRow(13_377, 13_377, "claims to have 13377 x 13377 pixels")]
    public void Decode_SmallGifThatClaimsManyPixels_IsUnreadable(int width, int height, string fault)
    {
        var gif = Gif(100, 1, (200, 0, 0));
        (gif[6], gif[7], gif[8], gif[9]) = ((byte)width, (byte)(width >> 8), (byte)height, (byte)(height >> 8));
        Assert.Contains(fault, Fault(ImageReference.FromEncoded(gif)));
    }

    [TestMethod]
    public void Decode_InterlacedImageThatTakesTooMuchMemory_IsUnreadable()
    {
        var png = Png(7900, 7900, 8, 2, PngLayout.Interlaced, ("IDAT", [0x78, 0x9C, 1, 2, 3, 4, 5, 6, 7, 8]));
        Assert.Contains("take 686510067 bytes to decode; at most 471859200 are allowed", Fault(ImageReference.FromEncoded(png)));
    }

    [TestMethod]
    public void Decode_EntryAboveTheLimit_IsRefusedUnread()
    {
        Assert.Contains("at most 268435456 are allowed", Fault(ImageReference.FromLocator(EntryThatClaims(300_000_000))));
    }

    [TestMethod]
    public void Decode_EntryThatClaimsMoreThanItsDataCanGive_IsRefusedUnread()
    {
        Assert.Contains("more than its 10 compressed ones can give", Fault(ImageReference.FromLocator(EntryThatClaims(200_000_000))));
    }

    [TestMethod]
    public void Decode_SparseTarEntry_IsRefusedUnread()
    {
        var tar = _folder.Tar("a.tar", ("a.png", ""));
        using (var file = File.Open(tar, FileMode.Open))
        {
            var header = new byte[512];
            "a.png"u8.CopyTo(header);
            "02260000000"u8.CopyTo(header.AsSpan(124));   // 300 MB
            header[156] = (byte)'0';
            header.AsSpan(148, 8).Fill((byte)' ');
            var sum = header.Sum(b => b);
            System.Text.Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0')).CopyTo(header, 148);
            header[154] = 0;
            file.SetLength(0);
            file.Write(header);
            file.SetLength((300 << 20) + 2048);
        }
        Assert.Contains("at most 268435456 are allowed", Fault(ImageReference.FromLocator(tar + "!/a.png")));
    }

    [TestMethod]
    public void Take_MoreThanTheBudget_WaitsForTheOldest()
    {
        using var oldest = new MemoryShare();
        oldest.Take(200 << 20);
        var isThere = false;
        var second = new Thread(() =>
        {
            using var share = new MemoryShare();
            share.Take(100 << 20);
            isThere = true;
        });
        second.Start();
        Assert.IsFalse(second.Join(100));
        oldest.Take(200 << 20);   // never waits
        Assert.IsFalse(isThere);
        oldest.Keep(10 << 20);
        Assert.IsTrue(second.Join(10_000));
    }

    /// <summary>A JPEG file of 16 x 16 pixels whose frame claims to have more.</summary>
    private static byte[] JpegThatClaims(int width, int height, byte frameMarker)
    {
        var jpeg = Encode(SKEncodedImageFormat.Jpeg, 16, 16, (_, _) => SKColors.Gray);
        var frame = jpeg.AsSpan().IndexOf([(byte)0xFF, Baseline]);
        jpeg[frame + 1] = frameMarker;
        (jpeg[frame + 5], jpeg[frame + 6]) = ((byte)(height >> 8), (byte)height);
        (jpeg[frame + 7], jpeg[frame + 8]) = ((byte)(width >> 8), (byte)width);
        return jpeg;
    }

    /// <summary>The locator of a ZIP entry of 10 compressed bytes that claims to have many.</summary>
    private string EntryThatClaims(int length)
    {
        var zip = RawZip.Write(_folder["a.zip"], new RawZipEntry("a.png", "0123456789") { Method = 8 });
        var bytes = File.ReadAllBytes(zip);
        BitConverter.TryWriteBytes(bytes.AsSpan(bytes.AsSpan().IndexOf("PK\u0001\u0002"u8) + 24), length);
        File.WriteAllBytes(zip, bytes);
        return zip + "!/a.png";
    }

    private static string Fault(ImageReference image) =>
        Assert.ThrowsExactly<InvalidDataException>(() => ImageDecoder.Decode(image, ImageDecoding.Upright)).Message;
}
