using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed unsafe class MatrixBufferTests
{
    [TestMethod]
    public void Pointer_ViewWithAnOffset_IsThatOfItsFirstValue()
    {
        using var scope = NewDisposeScope();
        var all = arange(60, dtype: ScalarType.Float32);
        Assert.AreEqual(0, *MatrixBuffer.Pointer(all));
        Assert.AreEqual(12, *MatrixBuffer.Pointer(all.narrow(0, 12, 7)));
        Assert.AreEqual(43, *MatrixBuffer.Pointer(all.narrow(0, 40, 20).narrow(0, 3, 1)));
        Assert.AreEqual(20, *MatrixBuffer.Pointer(all.view(6, 10)[2]));
        Assert.IsTrue(MatrixBuffer.Pointer(all.narrow(0, 5, 0)) is null);
    }

    [TestMethod]
    public void Resize_Again_KeepsMemoryThatIsLargeEnough()
    {
        using var buffer = new MatrixBuffer();
        var data = (nint)buffer.Resize(5, 4).Data;
        Assert.AreEqual(data, (nint)buffer.Resize(2, 3).Data);
        Assert.AreEqual(20, buffer.Capacity);
        CollectionAssert.AreEqual(new long[] { 2, 3 }, buffer.Tensor.shape);
        buffer.Tensor.fill_(7);
        Assert.AreEqual(7, buffer.Data[5]);
    }
}
