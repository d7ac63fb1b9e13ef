namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class RgbImageTests
{
    [TestMethod]
    public void Constructor_Pixels_AreCopied()
    {
        byte[] pixels = [1, 2, 3, 4, 5, 6];
        var image = new RgbImage(2, 1, pixels);
        pixels[0] = 9;
        CollectionAssert.AreEqual(new byte[] { 1, 2, 3, 4, 5, 6 }, image.Pixels.ToArray());
        Assert.AreEqual((2, 1), (image.Width, image.Height));
        Assert.AreEqual(6L + RgbImage.ReadSlack, image.ByteSize);
    }

    [TestMethod]
    public void Constructor_WrongNumberOfBytes_SaysBoth()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => new RgbImage(2, 2, new byte[11]));
        Assert.Contains("11 bytes were given for 2 x 2 pixels; expected 12.", error.Message);
    }

    [TestMethod]
    [DataRow(0, 1)]
    [DataRow(1, 0)]
    [DataRow(-1, 1)]
    public void Constructor_NoPixels_Throws(int width, int height) =>
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new RgbImage(width, height));
}
