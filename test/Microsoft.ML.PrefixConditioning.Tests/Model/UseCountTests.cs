namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class UseCountTests
{
    [TestMethod]
    public void Dispose_Unused_FreesAtOnceAndOnce()
    {
        var freed = 0;
        var count = new UseCount("thing", () => freed++);
        count.Begin().Dispose();
        Assert.AreEqual(0, freed);
        count.Dispose();
        count.Dispose();
        Assert.AreEqual(1, freed);
    }

    [TestMethod]
    public void Dispose_InUse_FreesWithTheLastUse()
    {
        var freed = 0;
        var count = new UseCount("thing", () => freed++);
        var (first, second) = (count.Begin(), count.Begin());
        count.Dispose();
        first.Dispose();
        Assert.AreEqual(0, freed);
        second.Dispose();
        Assert.AreEqual(1, freed);
    }

    [TestMethod]
    public void Begin_Disposed_SaysWhatMayHaveDisposedIt()
    {
        var count = new UseCount("thing", () => { });
        count.Dispose();
        var error = Assert.ThrowsExactly<ObjectDisposedException>(() => count.Begin());
        Assert.AreEqual("thing", error.ObjectName);
        Assert.Contains("The thing was disposed. Dispose it only when nothing uses it any more; a prediction engine disposes its " +
            "transformer " +
            "with itself unless PredictionEngineOptions.OwnsTransformer is false.", error.Message);
    }
}
