namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class TorchDeviceTests
{
    [TestMethod]
    [DataRow(null, 4, 0, 0)]
    [DataRow(null, 4, 3, 3)]
    [DataRow(null, 4, 5, 1)]
    [DataRow(null, 0, 2, 0)]
    [DataRow(2, 4, 1, 2)]
    public void Choose_LocalRanks_TakeTheGpusInTurnUnlessOneIsNamed(int? named, int found, int localRank, int expected) =>
        Assert.AreEqual(expected, new GpuSettings(named, FallbackToCpu: false).Choose(found, localRank));
}
