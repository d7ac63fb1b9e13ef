using TorchSharp;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class NativeTorchLoaderTests
{
    [TestMethod]
    public void EnsureLoaded_CalledAgain_TensorsCanBeMade()
    {
        NativeTorchLoader.EnsureLoaded();
        using var ones = torch.ones(2, 2);
        Assert.AreEqual(4f, ones.sum().item<float>());
    }
}
