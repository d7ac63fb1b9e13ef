namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class RandomCropTests
{
    [TestMethod]
    public void Draw_ManyTimes_StaysInsideWithAreaAndRatioInRange()
    {
        var random = new SeededRandom(11);
        const int Width = 400, Height = 400;
        double areas = 0, ratios = 0;
        int lefts = 0, tops = 0;
        const int Draws = 4000;
        for (var i = 0; i < Draws; i++)
        {
            var box = RandomCrop.Draw(Width, Height, 0.3, ref random);
            Assert.IsTrue(box.Left >= 0 && box.Top >= 0 && box.Left + box.Width <= Width && box.Top + box.Height <= Height, box.ToString());
            var area = (double)box.Width * box.Height / (Width * Height);
            var ratio = (double)box.Width / box.Height;
            Assert.IsTrue(area is > 0.295 and < 1.005, $"{box}: area {area}");   // sides are rounded to whole pixels
            Assert.IsTrue(ratio is > 0.745 and < 1.345, $"{box}: ratio {ratio}");
            areas += area / Draws;
            ratios += Math.Log(ratio) / Draws;
            if (box.Left > (Width - box.Width) / 2) lefts++;
            if (box.Top > (Height - box.Height) / 2) tops++;
        }
        // Boxes that do not fit are drawn again: in a square an area a above 3/4 stays with the probability -ln a / ln(4/3), so the
        // mean is (0.45 * 0.525 + 0.0990) / (0.45 + 0.119) = 0.589 rather than uniform's 0.65.
        Assert.AreEqual(0.589, areas, 0.015);
        Assert.AreEqual(0.0, ratios, 0.015);
        Assert.AreEqual(Draws / 2, lefts, 200);
        Assert.AreEqual(Draws / 2, tops, 200);
    }

    [TestMethod]
    public void Draw_OpenClipScale_KeepsNineTenths()
    {
        var random = new SeededRandom(12);
        for (var i = 0; i < 500; i++)
        {
            var box = RandomCrop.Draw(256, 256, 0.9, ref random);
            Assert.IsTrue((double)box.Width * box.Height / (256 * 256) > 0.89, box.ToString());
        }
    }

    [TestMethod]
    [DataRow(400, 400, 0.9)]
    [DataRow(400, 500, 0.9)]
    [DataRow(600, 400, 0.3)]
    [DataRow(1000, 40, 0.5)]
    [DataRow(40, 1000, 1)]
    public void SmallestSide_ManyDraws_IsNeverUndercut(int width, int height, double minScale)
    {
        var random = new SeededRandom(14);
        var smallest = Math.Floor(RandomCrop.SmallestSide(minScale) * Math.Min(width, height));   // sides are rounded to whole pixels
        for (var i = 0; i < 1000; i++)
        {
            var box = RandomCrop.Draw(width, height, minScale, ref random);
            Assert.IsGreaterThanOrEqualTo(smallest, Math.Min(box.Width, box.Height), box.ToString());
        }
    }

    [TestMethod]
    [DataRow(1, 1000, 0, 499, 1, 1)]
    [DataRow(1000, 1, 499, 0, 1, 1)]
    [DataRow(30, 1000, 0, 480, 30, 40)]
    [DataRow(1000, 30, 480, 0, 40, 30)]
    public void Draw_NoTryFits_TakesTheCentralBoxOfAValidRatio(int width, int height, int left, int top, int boxWidth, int boxHeight)
    {
        // Nine tenths of such an area never fit at a ratio of 3/4 to 4/3.
        var random = new SeededRandom(13);
        Assert.AreEqual(new PixelBox(left, top, boxWidth, boxHeight), RandomCrop.Draw(width, height, 0.9, ref random));
    }

    [TestMethod]
    public void Draw_SameSeed_GivesTheSameBoxes()
    {
        SeededRandom first = new(14), second = new(14);
        for (var i = 0; i < 20; i++) Assert.AreEqual(RandomCrop.Draw(99, 77, 0.2, ref first), RandomCrop.Draw(99, 77, 0.2, ref second));
    }
}
