using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class PixelBatchTests
{
    [TestMethod]
    public void ToTensor_MorePixelsThanImages_TakesTheFirst()
    {
        using var scope = NewDisposeScope();
        var pixels = Enumerable.Range(0, 3 * 3 * 2 * 2).Select(i => (float)i).ToArray();
        var batch = PixelBatch.ToTensor(pixels, 2, 2, CPU);
        DataTestRows.Equal<long>([2, 3, 2, 2], batch.shape);
        CollectionAssert.AreEqual(pixels[..24], batch.data<float>().ToArray());
    }

    [TestMethod]
    public void ToTensor_InAScope_LeavesOneTensor()
    {
        var before = LiveTensors.Count();
        using var batch = PixelBatch.ToTensor(new float[12], 1, 2, CPU);
        Assert.AreEqual(before + 1, LiveTensors.Count());
    }
}
