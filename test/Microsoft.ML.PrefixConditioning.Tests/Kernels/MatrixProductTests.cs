using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Products of matrices against the same in double precision, with every vector, on any processor; those of rounded matrices on
/// processors that multiply them.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed unsafe class MatrixProductTests
{
    private delegate void Run(int m, int n, int k, MatrixOperand left, MatrixOperand right, float* result, bool add,
        MatrixPartAction? finish);

    private static readonly (int M, int N, int K)[] Sizes =
    [
        (0, 5, 5), (5, 0, 5), (4, 3, 0), (1, 1, 1), (1, 192, 64), (2, 33, 7), (5, 31, 513), (6, 32, 4), (7, 97, 12), (12, 96, 512),
        (13, 100, 1030), (25, 64, 3), (130, 65, 66), (513, 40, 9), (1100, 17, 21),
    ];

    [TestMethod]
    public void Run_Vectors256_IsTheProduct() => Check(Own<Lanes256>);

    [TestMethod]
    public void Run_Vectors512_IsTheProduct() => Check(Own<Lanes512>);

    [TestMethod]
    public void Run_Rounded_IsTheProduct()
    {
        NeedBFloat16();
        Check(Rounded, rounded: true);
    }

    [TestMethod]
    public void Run_OtherRowsBeside_GivesARowTheSame()
    {
        RowsAlone(Own<Lanes256>);
        RowsAlone(Own<Lanes512>);
    }

    [TestMethod]
    public void Run_RoundedWithOtherRowsBeside_GivesARowTheSame()
    {
        NeedBFloat16();
        RowsAlone(Rounded);
    }

    [TestMethod]
    public void Run_Rounded_RoundsAsLibtorch()
    {
        NeedBFloat16();
        using var scope = NewDisposeScope();
        // Halfway to the next number, from an even and from an odd one; a little more and less; what overflows; what is no number.
        float[] special = [1 + 1 / 256f, 1 + 3 / 256f, 1.00391f, 1.0039f, -1.5f - 1 / 256f, float.MaxValue, float.PositiveInfinity, 0,
            BitConverter.UInt32BitsToSingle(0x7FFFFFFF), BitConverter.UInt32BitsToSingle(0xFF800001), float.NaN];
        float[] values = [.. special, .. Values(new Random(6), 300)];
        var expected = tensor(values).to(ScalarType.BFloat16).to(ScalarType.Float32).data<float>().ToArray();
        foreach (var transposed in new[] { false, true })
        {
            // Each value is multiplied by 1 from the left, and from the right.
            var (n, ones) = (values.Length, new float[] { 1 });
            CollectionAssert.AreEqual(expected, Product(Rounded, n, 1, 1, values, transposed, ones, transposed, new float[n], false));
            CollectionAssert.AreEqual(expected, Product(Rounded, 1, n, 1, ones, transposed, values, transposed, new float[n], false));
        }
    }

    [TestMethod]
    public void Run_StoredRounded_GivesTheSameBits()
    {
        NeedBFloat16();
        var random = new Random(3);
        foreach (var (m, n, k) in Sizes.Where(s => s.K > 0 && s.K % 2 == 0))
        {
            float[] left = Values(random, m * k), right = Values(random, k * n, rounded: true);
            var upper = Array.ConvertAll(right, x => (ushort)(BitConverter.SingleToUInt32Bits(x) >> 16));
            var result = new float[m * n];
            var visited = new int[m * n];
            fixed (float* a = left, c = result)
            fixed (ushort* b = upper)
                RoundedProduct.Run(m, n, k, a, b, c, (row, rows, column, columns) => Visit(visited, n, row, rows, column, columns));
            CollectionAssert.AreEqual(Product(Rounded, m, n, k, left, false, right, true, new float[m * n], false), result,
                $"{m} x {n} x {k}");
            CollectionAssert.AreEqual(Enumerable.Repeat(1, m * n).ToArray(), visited, $"{m} x {n} x {k}");
        }
    }

    private static void NeedBFloat16()
    {
        TorchLibrary.EnsureLoaded();
        if (!TorchTile.IsThere) Assert.Inconclusive("Products in bfloat16 need a processor with AVX-512 BF16 or AMX, and Linux.");
    }

    private static void Own<V>(int m, int n, int k, MatrixOperand left, MatrixOperand right, float* result, bool add,
        MatrixPartAction? finish) where V : struct, ILanes<V> => MatrixProduct<V>.Run(m, n, k, left, right, result, add, finish);

    private static void Rounded(int m, int n, int k, MatrixOperand left, MatrixOperand right, float* result, bool add,
        MatrixPartAction? finish) => RoundedProduct.Run(m, n, k, left, right, result, add, finish);

    [TestMethod]
    public void Run_PackedBefore_GivesTheSameBits()
    {
        Packed<Lanes256>();
        Packed<Lanes512>();
    }

    private static void Packed<V>() where V : struct, ILanes<V>
    {
        var random = new Random(3);
        foreach (var (m, n, k) in Sizes)
            foreach (var transposed in new[] { false, true })
            {
                float[] left = Values(random, m * k), right = Values(random, k * n);
                var packed = new float[MatrixProduct<V>.PackedLength(n, k)];
                var results = new[] { new float[m * n], new float[m * n] };
                fixed (float* a = left, b = right, p = packed, first = results[0], second = results[1])
                {
                    var operand = transposed ? new MatrixOperand(b, k).Transposed : new MatrixOperand(b, n);
                    MatrixProduct<V>.Pack(n, k, operand, p);
                    MatrixProduct<V>.Run(m, n, k, new(a, k), operand, first);
                    MatrixProduct<V>.Run(m, n, k, new(a, k), operand, second, packed: p);
                }
                CollectionAssert.AreEqual(results[0], results[1], $"{m} x {n} x {k} {transposed}");
            }
    }

    private static void Check(Run run, bool rounded = false)
    {
        var random = new Random(1);
        foreach (var (m, n, k) in Sizes)
            foreach (var (leftTransposed, rightTransposed, add) in
                new[] { (false, true, false), (false, false, false), (true, false, true), (true, true, true) })
            {
                float[] left = Values(random, m * k, rounded), right = Values(random, k * n, rounded), before = Values(random, m * n);
                var visited = new int[m * n];
                var result = Product(run, m, n, k, left, leftTransposed, right, rightTransposed, before, add, visited);
                for (var i = 0; i < m; i++)
                    for (var j = 0; j < n; j++)
                    {
                        double sum = add ? before[i * n + j] : 0, size = Math.Abs(sum);
                        for (var d = 0; d < k; d++)
                        {
                            double x = left[leftTransposed ? d * m + i : i * k + d], y = right[rightTransposed ? j * k + d : d * n + j];
                            sum += x * y;
                            size += Math.Abs(x * y);
                        }
                        // Rounding of a sum of K products: K half units of the last place at most, in practice their root.
                        var most = (Math.Sqrt(k) + 1) * 1.2e-7 * size + 1e-30;
                        Assert.IsTrue(Math.Abs(result[i * n + j] - sum) <= most,
                            $"{m} x {n} x {k} {leftTransposed} {rightTransposed}: {i}, {j}");
                        Assert.AreEqual(1, visited[i * n + j]);
                    }
            }
    }

    private static void RowsAlone(Run run)
    {
        const int M = 14, N = 100, K = 1040;
        var random = new Random(2);
        float[] left = Values(random, M * K), right = Values(random, K * N);
        var together = Product(run, M, N, K, left, false, right, true, new float[M * N], false);
        for (var first = 0; first < M; first++)
            for (var count = 1; count <= M - first; count++)
                CollectionAssert.AreEqual(together[(first * N)..((first + count) * N)], Product(run, count, N, K,
                    left[(first * K)..((first + count) * K)], false, right, true, new float[count * N], false), $"{count} from {first}");
    }

    /// <summary>The product, with operands and result at addresses that no vector is aligned to.</summary>
    private static float[] Product(Run run, int m, int n, int k, float[] left, bool leftTransposed, float[] right, bool rightTransposed,
        float[] before, bool add, int[]? visited = null)
    {
        const int Offset = 1;
        float[] a = [0, .. left], b = [0, .. right], c = [7, .. before, 7];
        fixed (float* x = a, y = b, z = c)
        {
            var leftOperand = new MatrixOperand(x + Offset, leftTransposed ? m : k);
            var rightOperand = new MatrixOperand(y + Offset, rightTransposed ? k : n);
            run(m, n, k, leftTransposed ? leftOperand.Transposed : leftOperand,
                rightTransposed ? rightOperand.Transposed : rightOperand, z + Offset, add, visited is null ? null
                    : (row, rows, column, columns) => Visit(visited, n, row, rows, column, columns));
        }
        Assert.IsTrue(c[0] == 7 && c[^1] == 7, "nothing beside the result is written");
        return c[1..^1];
    }

    private static void Visit(int[] visited, int n, int row, int rows, int column, int columns)
    {
        for (var i = row; i < row + rows; i++)
            for (var j = column; j < column + columns; j++) Interlocked.Increment(ref visited[i * n + j]);
    }

    /// <summary>Random values.</summary>
    /// <param name="random">The source.</param>
    /// <param name="count">How many.</param>
    /// <param name="rounded">Whether they are numbers in bfloat16.</param>
    private static float[] Values(Random random, int count, bool rounded = false)
    {
        var values = new float[count];
        for (var i = 0; i < count; i++)
        {
            values[i] = random.NextSingle() * 2 - 1;
            if (rounded) values[i] = BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(values[i]) & 0xFFFF0000);
        }
        return values;
    }
}
