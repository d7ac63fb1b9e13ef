using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ImageSliceTests : IDisposable
{
    private readonly DataTestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    [DataRow("shard.tar!/000/1.jpg@1536+48213")]
    [DataRow("a@b!/c.bin!/odd @ name@0+0")]
    [DataRow("images.idx!/7@16+784:28x28:gray")]
    [DataRow("batch.bin!/1@1+3072:32x32:rgb-planes")]
    public void TryParse_WrittenLocator_GivesTheSame(string locator)
    {
        Assert.IsTrue(ImageSlice.TryParse(locator, out var slice));
        Assert.AreEqual(locator, slice.ToString());
    }

    [TestMethod]
    [DataRow("a.zip!/cat/1.png")]
    [DataRow("1.png@1+2")]
    [DataRow("a.tar!/x@1+")]
    [DataRow("a.tar!/x@-1+2")]
    [DataRow("a.tar!/x@1+9999999999")]
    [DataRow("a.tar!/x@1+2:3x4")]
    [DataRow("a.tar!/x@1+2:3x4:blue")]
    public void TryParse_OtherLocator_IsNone(string locator) => Assert.IsFalse(ImageSlice.TryParse(locator, out _));

    [TestMethod]
    public void ReadAllBytes_Slice_GivesTheRange()
    {
        var file = _folder.Write("x.any", "0123456789");
        Assert.AreEqual("345", Encoding.UTF8.GetString(ImageLocator.ReadAllBytes($"{file}!/three@3+3")));
    }

    [TestMethod]
    [DataRow("8+3")]
    [DataRow("9223372036854775807+2147483647")]
    public void ReadAllBytes_SliceBeyondTheFile_SaysSo(string range)
    {
        var file = _folder.Write("x.any", "0123456789");
        var message = DataTestRows.Fails<InvalidDataException>(() => ImageLocator.ReadAllBytes($"{file}!/name@{range}")).Message;
        StringAssert.StartsWith(message, $"'name' in '{file}' should have ");
        StringAssert.EndsWith(message, "but the file has 10 bytes. It was changed or cut off; load it again.");
    }

    [TestMethod]
    public void Decode_RawPixels_GivesThem()
    {
        var file = _folder.Write("x.bin", [9, 1, 2, 3, 4, 5, 6]);
        var planes = ImageDecoder.Decode(ImageReference.FromLocator($"{file}!/1@1+6:2x1:rgb-planes"), ImageDecoding.Upright);
        var gray = ImageDecoder.Decode(ImageReference.FromLocator($"{file}!/1@1+2:1x2:gray"), ImageDecoding.Upright);
        DataTestRows.Equal<byte>([1, 3, 5, 2, 4, 6], planes.Pixels.ToArray());
        DataTestRows.Equal<byte>([1, 1, 1, 2, 2, 2], gray.Pixels.ToArray());
        StringAssert.Contains(DataTestRows.Fails<InvalidDataException>(() => ImageDecoder.Decode(
            ImageReference.FromLocator($"{file}!/1@1+5:2x1:rgb-planes"), ImageDecoding.Upright)).Message, "2 x 1 pixels in 3 plane(s)");
    }
}
