namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class TextPoolTests
{
    private static readonly string[] Odd =
        ["", " ", "a", "Tür 😀", "\ud83d", "x\udc00y", "\0", "日本語", new('x', 63), new('x', 64), new('é', 300_000), new('y', 1 << 18), "a "];

    [TestMethod]
    public void Add_OddTexts_ReturnExactlyAndAreKeptOnce()
    {
        var pool = new TextPool();
        int[] numbers = [.. Odd.Select(t => pool.Add(t))];
        CollectionAssert.AreEqual(numbers, Odd.Select(t => pool.Add(t)).ToArray());
        pool.Complete();
        Assert.HasCount(Odd.Length, numbers.Distinct().ToArray());
        DataTestRows.Equal(Odd, numbers.Select(pool.Text));
    }

    [TestMethod]
    public void Add_ManyTexts_AreFoundAgainAfterTheTableHasGrown()
    {
        var pool = new TextPool();
        int[] numbers = [.. Enumerable.Range(0, 60_000).Select(i => pool.Add($"text {i % 40_000}"))];
        Assert.HasCount(40_000, numbers.Distinct().ToArray());
        CollectionAssert.AreEqual(numbers[..20_000], numbers[40_000..]);
        Assert.AreEqual("text 39999", pool.Text(numbers[39_999]));
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("a.png")]
    [DataRow("/")]
    [DataRow("/data/")]
    [DataRow("/data/a.png")]
    [DataRow("C:\\data\\a.png")]
    [DataRow("a.zip!/")]
    [DataRow("a.zip!/b!/c.png")]
    [DataRow("/data/Tür/😀 é.png")]
    [DataRow("/data/x\ud83d/y.png")]
    [DataRow("/data/\udc00@1+2")]
    [DataRow("s.tar!/000012.jpg@512+20480")]
    [DataRow("s.tar!/d/000012.jpg@512+20480#rgb 32x32é")]
    [DataRow("s.tar!/@0+0")]
    [DataRow("s@1+2@18446744073709551615+7")]
    [DataRow("s@18446744073709551616+7")]
    [DataRow("s@01+7")]
    [DataRow("s@1+07")]
    [DataRow("s@+7")]
    [DataRow("s@1+")]
    [DataRow("s@1+-2")]
    [DataRow("s@+1+2")]
    [DataRow("x@1+2@")]
    public void LocatorPoolAdd_OddLocator_ReturnsExactlyAndIsKeptOnce(string locator)
    {
        var locators = new LocatorPool(new TextPool());
        var number = locators.Add(locator);
        var other = locators.Add("/data/other.png");
        Assert.AreEqual(locator, locators.Locator(number));
        Assert.AreEqual(number, locators.Add(locator));
        Assert.AreNotEqual(number, other);
    }

    [TestMethod]
    public void LocatorPoolAdd_LongNames_ReturnExactly()
    {
        var locators = new LocatorPool(new TextPool());
        string[] all = [$"/{new string('a', 300_000)}/b.png", $"/a/{new string('é', 200_000)}@1+2", "/a/b"];
        DataTestRows.Equal(all, all.Select(locators.Add).ToArray().Select(locators.Locator));
    }
}
