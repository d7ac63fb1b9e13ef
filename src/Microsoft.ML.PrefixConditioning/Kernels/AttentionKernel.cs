using System.Buffers;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Multi-head attention over sequences of any length that lie one after the other, forwards and back.</summary>
/// <remarks>
/// L tokens of a sequence, Q queries (L, or 1 where only one position is wanted), H heads, d head size. Every pair of sequence and head
/// is one piece of work whose operands stay in a core's cache. Biases of the projections are added on the way in.
/// </remarks>
/// <typeparam name="V">The vector.</typeparam>
internal static unsafe class AttentionKernel<V> where V : struct, ILanes<V>
{
    private const int MostChunks = 64;

    /// <summary>output = softmax(query key' / √d) value.</summary>
    /// <param name="layout">Which rows belong together.</param>
    /// <param name="operands">Queries, keys and values.</param>
    /// <param name="output">[rows of queries, H * d].</param>
    /// <param name="probabilities">[<see cref="AttentionLayout.ProbabilityCount"/>], written for <see cref="Backward"/>; null where there
    /// is none.</param>
    public static void Forward(AttentionLayout layout, AttentionOperands operands, float* output, float* probabilities)
    {
        int size = layout.HeadSize, padded = SmallMatrix.Columns(size), most = SmallMatrix.Columns(layout.LongestSequence),
            mostRows = SmallMatrix.Rows(layout.LongestSequence), queries = layout.Pooled ? SmallMatrix.Rows(1) : mostRows;
        Run(layout, most * size + mostRows * padded + queries * (2 * padded + most), (sequence, head, scratch) =>
        {
            int length = layout.Length(sequence), columns = SmallMatrix.Columns(length), m = layout.Queries(sequence);
            float* keys = scratch, values = keys + most * size, query = values + mostRows * padded, mixed = query + queries * padded;
            var weights = probabilities is null ? mixed + queries * padded : probabilities + layout.ProbabilityStart(sequence, head);
            long row = layout.FirstRow(sequence), queryRow = layout.QueryRow(sequence), column = head * size;
            CopyTransposed(length, columns, size, operands.Key + row * operands.KeyStride + column, operands.KeyStride,
                operands.KeyBias + column, keys);
            CopyIn(length, size, operands.Value + row * operands.KeyStride + column, operands.KeyStride, operands.ValueBias + column, 1,
                values, padded);
            CopyIn(m, size, operands.Query + queryRow * operands.QueryStride + column, operands.QueryStride, operands.QueryBias + column,
                1 / MathF.Sqrt(size), query, padded);
            SmallMatrix<V>.Multiply(m, columns, size, new(query, padded), keys, weights);                    // [Q, L] = [Q, d] [d, L]
            for (var i = 0; i < m; i++) Softmax(layout.Causal && !layout.Pooled ? i + 1 : length, columns, weights + i * columns);
            SmallMatrix<V>.Multiply(m, padded, length, new(weights, columns), values, mixed);                // [Q, d] = [Q, L] [L, d]
            CopyOut(m, size, mixed, padded, output + queryRow * layout.Width + column, layout.Width);
        });
    }

    /// <summary>Gradients of queries, keys and values.</summary>
    /// <param name="layout">Which rows belong together.</param>
    /// <param name="operands">As in <see cref="Forward"/>.</param>
    /// <param name="probabilities">What <see cref="Forward"/> wrote.</param>
    /// <param name="gradient">[rows of queries, H * d], of the output.</param>
    /// <param name="queryGradient">As the queries are laid out; written.</param>
    /// <param name="keyGradient">As the keys are laid out; written.</param>
    /// <param name="valueGradient">As the values are laid out; written.</param>
    public static void Backward(AttentionLayout layout, AttentionOperands operands, float* probabilities, float* gradient,
        float* queryGradient, float* keyGradient, float* valueGradient)
    {
        int size = layout.HeadSize, padded = SmallMatrix.Columns(size), most = SmallMatrix.Columns(layout.LongestSequence),
            mostRows = SmallMatrix.Rows(layout.LongestSequence), queries = layout.Pooled ? SmallMatrix.Rows(1) : mostRows;
        Run(layout, most * size + 2 * mostRows * padded + queries * (2 * padded + most), (sequence, head, scratch) =>
        {
            int length = layout.Length(sequence), columns = SmallMatrix.Columns(length), m = layout.Queries(sequence);
            float* values = scratch, keys = values + most * size, result = keys + mostRows * padded;
            float* query = result + mostRows * padded, outer = query + queries * padded, scores = outer + queries * padded;
            var weights = probabilities + layout.ProbabilityStart(sequence, head);
            long row = layout.FirstRow(sequence), queryRow = layout.QueryRow(sequence), column = head * size;
            var scale = 1 / MathF.Sqrt(size);
            CopyTransposed(length, columns, size, operands.Value + row * operands.KeyStride + column, operands.KeyStride,
                operands.ValueBias + column, values);
            CopyIn(length, size, operands.Key + row * operands.KeyStride + column, operands.KeyStride, operands.KeyBias + column, scale,
                keys, padded);
            CopyIn(m, size, operands.Query + queryRow * operands.QueryStride + column, operands.QueryStride, operands.QueryBias + column,
                scale, query, padded);
            CopyIn(m, size, gradient + queryRow * layout.Width + column, layout.Width, null, 1, outer, padded);
            SmallMatrix<V>.Multiply(length, padded, m, new(weights, 1, columns), outer, result);       // dV = P' dO
            CopyOut(length, size, result, padded, valueGradient + row * operands.KeyStride + column, operands.KeyStride);
            SmallMatrix<V>.Multiply(m, columns, size, new(outer, padded), values, scores);        // dP = dO V'
            for (var i = 0; i < m; i++) SoftmaxBack(columns, weights + i * columns, scores + i * columns);    // dS
            SmallMatrix<V>.Multiply(length, padded, m, new(scores, 1, columns), query, result);       // dK = dS' Q / √d
            CopyOut(length, size, result, padded, keyGradient + row * operands.KeyStride + column, operands.KeyStride);
            SmallMatrix<V>.Multiply(m, padded, length, new(scores, columns), keys, outer);            // dQ = dS K / √d
            CopyOut(m, size, outer, padded, queryGradient + queryRow * operands.QueryStride + column, operands.QueryStride);
        });
    }

    private delegate void HeadAction(int sequence, int head, float* scratch);

    private static void Run(AttentionLayout layout, int scratch, HeadAction action)
    {
        var pairs = layout.Sequences * layout.Heads;
        var work = 2.0 * pairs * layout.LongestSequence * layout.LongestSequence * layout.HeadSize;   // products alone, at most
        var chunks = work < ParallelLoop.WorthSharing ? 1 : Math.Min(pairs, MostChunks);
        ParallelLoop.Run(chunks, chunk =>
        {
            var memory = ArrayPool<float>.Shared.Rent(scratch + 2 * SmallMatrix.ColumnStep);
            fixed (float* start = memory)
            {
                var aligned = (float*)(((nint)start + 63) & ~63);
                for (var pair = (int)((long)pairs * chunk / chunks); pair < (long)pairs * (chunk + 1) / chunks; pair++)
                    action(pair / layout.Heads, pair % layout.Heads, aligned);
            }
            ArrayPool<float>.Shared.Return(memory);
        });
    }

    /// <summary>(source + bias) * scale, with zeros up to the padded size, and up to the last row of a tile.</summary>
    private static void CopyIn(int rows, int size, float* source, long stride, float* bias, float scale, float* target, int padded)
    {
        for (var row = 0; row < rows; row++, source += stride, target += padded)
        {
            var i = 0;
            for (; i <= size - V.Count; i += V.Count)
            {
                var value = V.Load(source + i);
                if (bias is not null) value += V.Load(bias + i);
                (value * scale).Store(target + i);
            }
            for (; i < size; i++) target[i] = (bias is null ? source[i] : source[i] + bias[i]) * scale;
            for (; i < padded; i++) target[i] = 0;
        }
        new Span<float>(target, (SmallMatrix.Rows(rows) - rows) * padded).Clear();
    }

    /// <summary>The transpose of source + bias, [size, columns], with zeros behind the last row of the source.</summary>
    private static void CopyTransposed(int rows, int columns, int size, float* source, long stride, float* bias, float* target)
    {
        var row = 0;
        for (; row <= rows - 4; row += 4)
            for (var i = 0; i < size; i++)
            {
                var from = source + row * stride + i;
                (Vector128.Create(from[0], from[stride], from[2 * stride], from[3 * stride]) + Vector128.Create(bias[i])).Store(target
                    + (long)i * columns + row);
            }
        for (; row < columns; row++)
            for (var i = 0; i < size; i++) target[(long)i * columns + row] = row < rows ? source[row * stride + i] + bias[i] : 0;
    }

    private static void CopyOut(int rows, int size, float* source, int padded, float* target, long stride)
    {
        for (var row = 0; row < rows; row++)
            new ReadOnlySpan<float>(source + (long)row * padded, size).CopyTo(new Span<float>(target + row * stride, size));
    }

    /// <summary>Softmax over the first visible of the columns; the others become 0.</summary>
    private static void Softmax(int visible, int columns, float* row)
    {
        for (var i = visible; i < columns; i++) row[i] = float.NegativeInfinity;
        var most = V.Load(row);
        for (var i = V.Count; i < columns; i += V.Count) most = V.Max(most, V.Load(row + i));
        var largest = V.Create(V.Largest(most));
        var sum = default(V);
        for (var i = 0; i < columns; i += V.Count)
        {
            var value = VectorMath<V>.ExpOfNegative(V.Load(row + i) - largest);
            value.Store(row + i);
            sum += value;
        }
        for (var i = visible; i < columns; i++) row[i] = 0;   // they gave the sum, which is 1 or more, not even 1e-36
        var factor = V.Create(1 / V.Sum(sum));
        for (var i = 0; i < columns; i += V.Count) (V.Load(row + i) * factor).Store(row + i);
    }

    /// <summary>gradient = p (gradient - sum(p gradient)).</summary>
    private static void SoftmaxBack(int columns, float* p, float* gradient)
    {
        var sum = default(V);
        for (var i = 0; i < columns; i += V.Count) sum = V.MultiplyAdd(V.Load(p + i), V.Load(gradient + i), sum);
        var mean = V.Create(V.Sum(sum));
        for (var i = 0; i < columns; i += V.Count) ((V.Load(gradient + i) - mean) * V.Load(p + i)).Store(gradient + i);
    }
}

/// <summary>Where queries, keys and values are. Head h takes columns h * d to (h + 1) * d of each.</summary>
internal readonly unsafe struct AttentionOperands
{
    /// <summary>[rows of queries, <see cref="QueryStride"/>].</summary>
    public required float* Query { get; init; }

    /// <summary>[rows, <see cref="KeyStride"/>].</summary>
    public required float* Key { get; init; }

    /// <summary>[rows, <see cref="KeyStride"/>].</summary>
    public required float* Value { get; init; }

    /// <summary>[H * d].</summary>
    public required float* QueryBias { get; init; }

    /// <summary>[H * d].</summary>
    public required float* KeyBias { get; init; }

    /// <summary>[H * d].</summary>
    public required float* ValueBias { get; init; }

    public required long QueryStride { get; init; }

    public required long KeyStride { get; init; }
}
