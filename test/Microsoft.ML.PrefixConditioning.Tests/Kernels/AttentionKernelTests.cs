namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Attention against the same in double precision, with every vector, on any processor.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed unsafe class AttentionKernelTests
{
    [TestMethod]
    [DataRow(1, 1, false)]
    [DataRow(3, 5, true)]
    [DataRow(2, 16, false)]
    [DataRow(1, 33, true)]
    [DataRow(3, 64, true)]
    public void ForwardAndBackward_AnySizes_AreAttention(int heads, int headSize, bool causal)
    {
        foreach (var pooled in new[] { false, true })
            foreach (var lengths in new int[][] { [1], [2, 1, 7], [16, 3], [65, 6, 12, 13], [] })
            {
                Check<Lanes256>(lengths, heads, headSize, causal, pooled);
                Check<Lanes512>(lengths, heads, headSize, causal, pooled);
            }
    }

    private static void Check<V>(int[] lengths, int heads, int headSize, bool causal, bool pooled) where V : struct, ILanes<V>
    {
        var width = heads * headSize;
        var layout = new AttentionLayout(lengths, heads, width, causal, pooled);
        var random = new Random(3);
        int rows = lengths.Sum(), queryRows = pooled ? lengths.Length : rows;
        float[] query = Values(random, queryRows * width), keyValue = Values(random, rows * 2 * width), bias = Values(random, 3 * width);
        float[] gradient = Values(random, queryRows * width), output = new float[queryRows * width + 1];
        float[] queryGradient = new float[queryRows * width + 1], keyValueGradient = new float[rows * 2 * width + 1];
        var probabilities = new float[layout.ProbabilityCount + 1];
        fixed (float* q = query, kv = keyValue, b = bias, g = gradient, o = output, qg = queryGradient, kvg = keyValueGradient,
            p = probabilities)
        {
            output[^1] = queryGradient[^1] = keyValueGradient[^1] = probabilities[^1] = 7;
            var operands = new AttentionOperands
            {
                Query = q, Key = kv, Value = kv + width, QueryBias = b, KeyBias = b + width, ValueBias = b + 2 * width,
                QueryStride = width, KeyStride = 2 * width,
            };
            AttentionKernel<V>.Forward(layout, operands, o, p);
            AttentionKernel<V>.Backward(layout, operands, p, g, qg, kvg, kvg + width);
        }
        foreach (var array in new[] { output, queryGradient, keyValueGradient, probabilities }) Assert.AreEqual(7, array[^1]);

        var what = $"{typeof(V).Name}, lengths {string.Join(' ', lengths)}, pooled {pooled}";
        for (int sequence = 0, row = 0; sequence < lengths.Length; row += lengths[sequence++])
            for (var head = 0; head < heads; head++)
            {
                int length = lengths[sequence], count = pooled ? 1 : length, queryRow = pooled ? sequence : row, column = head * headSize;
                double Query(int i, int d) => query[(queryRow + i) * width + column + d] + (double)bias[column + d];
                double Key(int i, int d) => keyValue[(row + i) * 2 * width + column + d] + (double)bias[width + column + d];
                double Value(int i, int d) => keyValue[(row + i) * 2 * width + width + column + d] + (double)bias[2 * width + column + d];
                double Outer(int i, int d) => gradient[(queryRow + i) * width + column + d];
                var keyGradient = new double[length, headSize];
                var valueGradient = new double[length, headSize];
                var scale = 1 / Math.Sqrt(headSize);
                for (var i = 0; i < count; i++)
                {
                    var visible = causal && !pooled ? i + 1 : length;
                    var scores = Enumerable.Range(0, visible).Select(j =>
                        Math.Exp(Enumerable.Range(0, headSize).Sum(d => Query(i, d) * Key(j, d)) * scale)).ToArray();
                    var weights = scores.Select(s => s / scores.Sum()).ToArray();
                    var outer = Enumerable.Range(0, visible).Select(j =>
                        Enumerable.Range(0, headSize).Sum(d => Outer(i, d) * Value(j, d))).ToArray();
                    var mean = outer.Zip(weights, (x, w) => x * w).Sum();
                    for (var d = 0; d < headSize; d++)
                    {
                        IsClose(Enumerable.Range(0, visible).Sum(j => weights[j] * Value(j, d)),
                            output[(queryRow + i) * width + column + d], "output");
                        IsClose(Enumerable.Range(0, visible).Sum(j => weights[j] * (outer[j] - mean) * Key(j, d)) * scale,
                            queryGradient[(queryRow + i) * width + column + d], "query");
                        for (var j = 0; j < visible; j++)
                        {
                            valueGradient[j, d] += weights[j] * Outer(i, d);
                            keyGradient[j, d] += weights[j] * (outer[j] - mean) * Query(i, d) * scale;
                        }
                    }
                }
                for (var j = 0; j < length; j++)
                    for (var d = 0; d < headSize; d++)
                    {
                        IsClose(keyGradient[j, d], keyValueGradient[(row + j) * 2 * width + column + d], "key");
                        IsClose(valueGradient[j, d], keyValueGradient[(row + j) * 2 * width + width + column + d], "value");
                    }
            }

        void IsClose(double expected, float actual, string part) =>
            Assert.IsTrue(Math.Abs(expected - actual) <= 2e-5 * (1 + Math.Abs(expected)), $"{what}: {part} {expected} {actual}");
    }

    private static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
}
