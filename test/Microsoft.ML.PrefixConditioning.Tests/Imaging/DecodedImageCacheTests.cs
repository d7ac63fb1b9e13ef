namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class DecodedImageCacheTests
{
    private static RgbImage? Held(DecodedImageCache cache, int row) => cache.TryGet(row, out var image) ? image : null;

    // 591 x 591 x 3 bytes: just under a megabyte.
    private static RgbImage AboutOneMegabyte() => new(591, 591);

    [TestMethod]
    public void TryAdd_UntilFull_StopsAddingAndKeepsWhatItHas()
    {
        var cache = new DecodedImageCache(3 << 20);
        RgbImage[] images = [AboutOneMegabyte(), AboutOneMegabyte(), AboutOneMegabyte(), AboutOneMegabyte()];
        Assert.AreEqual("True True True False", string.Join(" ", images.Select((image, row) => cache.TryAdd(row, image))));
        Assert.AreEqual(3, cache.Count);
        Assert.AreSame(images[1], Held(cache, 1));
        Assert.IsNull(Held(cache, 3));
        Assert.IsLessThanOrEqualTo(3L << 20, cache.UsedBytes);
    }

    [TestMethod]
    public void TryAdd_LargeImageDoesNotFit_SmallOneStillDoes()
    {
        var cache = new DecodedImageCache(1 << 20);
        Assert.IsFalse(cache.TryAdd(0, new RgbImage(1000, 1000)));
        Assert.IsTrue(cache.TryAdd(1, new RgbImage(100, 100)));
        Assert.AreEqual(1, cache.Count);
    }

    [TestMethod]
    public void TryAdd_SameRowTwice_KeepsTheFirstAndCountsItOnce()
    {
        var cache = new DecodedImageCache(1 << 20);
        RgbImage first = new(10, 10), second = new(10, 10);
        Assert.IsTrue(cache.TryAdd(5, first));
        Assert.IsFalse(cache.TryAdd(5, second));
        Assert.AreSame(first, Held(cache, 5));
        Assert.AreEqual(first.ByteSize, cache.UsedBytes);
    }

    [TestMethod]
    public void HitRate_Lookups_IsTheShareThatFoundAnImage()
    {
        var cache = new DecodedImageCache(1 << 20);
        Assert.AreEqual(0.0, cache.HitRate);
        cache.TryAdd(1, new RgbImage(1, 1));
        foreach (var row in new[] { 1, 2, 1, 1 }) cache.TryGet(row, out _);
        Assert.AreEqual(0.75, cache.HitRate);
    }

    [TestMethod]
    public void TryAdd_NoCapacity_KeepsNothing()
    {
        var cache = new DecodedImageCache(0);
        Assert.IsFalse(cache.TryAdd(0, new RgbImage(1, 1)));
        Assert.AreEqual(0L, cache.UsedBytes);
    }

    [TestMethod]
    public void TryAdd_ManyThreads_NeverExceedsItsLimit()
    {
        var cache = new DecodedImageCache(2 << 20);
        Parallel.For(0, 2000, row =>
        {
            cache.TryAdd(row % 500, new RgbImage(60, 60));
            Assert.IsTrue(Held(cache, row % 500) is null or { Width: 60 });
        });
        var held = Enumerable.Range(0, 500).Select(row => Held(cache, row)).OfType<RgbImage>().ToArray();
        Assert.AreEqual(held.Sum(image => image.ByteSize), cache.UsedBytes);
        Assert.IsLessThanOrEqualTo(2L << 20, cache.UsedBytes);
        Assert.IsGreaterThan(0, held.Length);
    }

    [TestMethod]
    public void Constructor_NegativeCapacity_Throws() => Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new DecodedImageCache(-1));
}
