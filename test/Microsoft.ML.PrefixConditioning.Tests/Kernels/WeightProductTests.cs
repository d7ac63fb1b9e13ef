using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Products with few rows, against the same in double precision.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed unsafe class WeightProductTests
{
    private static readonly long[] Rows = [0, 1, 2, 3, 4, 5, 37, 64, 65, 130, 256, 257];

    [TestMethod]
    [DataRow(8, 4)]
    [DataRow(24, 12)]
    [DataRow(128, 100)]
    [DataRow(1024, 8)]
    [DataRow(1032, 8)]
    [DataRow(3072, 20)]
    [DataRow(7, 8)]
    [DataRow(8, 7)]
    [DataRow(1, 1)]
    public void Run_AnySizes_IsTheProduct(int inputs, int outputs)
    {
        using var scope = NewDisposeScope();
        using var weight = Random(outputs, inputs, 1);
        foreach (var rows in Rows)
        {
            using MatrixBuffer x = new(), result = new();
            x.Resize(rows, inputs).Tensor.copy_(Random(rows, inputs, 2));
            result.Resize(rows, outputs).Tensor.fill_(float.NaN);   // what was there before must not matter

            WeightProduct.Run(x, MatrixBuffer.Pointer(weight), weight.t(), result);

            var expected = x.Tensor.to_type(ScalarType.Float64).matmul(weight.t().to_type(ScalarType.Float64));
            var sizes = x.Tensor.abs().to_type(ScalarType.Float64).matmul(weight.t().abs().to_type(ScalarType.Float64));
            // Rounding of a sum of K products: K half units of the last place at most, in practice their root.
            var most = Math.Sqrt(inputs) * 1.2e-7;
            Assert.IsTrue((result.Tensor - expected).abs().le(sizes * most + 1e-30).all().ToBoolean(), $"{rows} rows");
        }
    }

    [TestMethod]
    public void Run_OtherRowsBeside_GivesARowTheSame()
    {
        if (!WeightProduct.IsSupported) Assert.Inconclusive("Here libtorch multiplies, which promises nothing of the kind.");
        using var scope = NewDisposeScope();
        using var weight = Random(36, 1040, 1);
        var all = Random(11, 1040, 2);
        Tensor Product(Tensor input)
        {
            using MatrixBuffer x = new(), result = new();
            x.Resize(input.shape[0], 1040).Tensor.copy_(input);
            WeightProduct.Run(x, MatrixBuffer.Pointer(weight), weight.t(), result.Resize(input.shape[0], 36));
            return result.Tensor.clone();
        }
        var together = Product(all);
        for (long first = 0; first < 11; first++)
            for (long count = 1; count <= 11 - first; count++)
                TinyGolden.AreClose(together.narrow(0, first, count), Product(all.narrow(0, first, count)), 0, $"{count} from {first}");
    }

    private static Tensor Random(long rows, long columns, ulong seed)
    {
        using var generator = new Generator(seed, CPU);
        return randn([rows, columns], generator: generator);
    }
}
