using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class TokenBatchTests
{
    [TestMethod]
    public void Pad_TextsOfSeveralLengths_FillsUpWithZeros()
    {
        using var scope = NewDisposeScope();
        var batch = TokenBatch.Pad([[7, 8], [1, 2, 3, 4], [9]]);
        Assert.AreEqual((3, 4), (batch.Count, batch.Length));
        DataTestRows.Equal<long>([7, 8, 0, 0, 1, 2, 3, 4, 9, 0, 0, 0], batch.Ids);
        var ids = batch.ToTensor(CPU);
        DataTestRows.Equal<long>([3, 4], ids.shape);
        Assert.AreEqual(ScalarType.Int64, ids.dtype);
    }
}
