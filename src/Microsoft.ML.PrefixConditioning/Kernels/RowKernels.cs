namespace Microsoft.ML.PrefixConditioning;

/// <summary>The parts of a transformer block that work row by row, each one pass over its operands. T rows, W columns.</summary>
/// <typeparam name="V">The vector.</typeparam>
internal static unsafe class RowKernels<V> where V : struct, ILanes<V>
{
    private const float Epsilon = 1e-5f; // open_clip's layer norm

    /// <summary>sum = x + y + bias where y is given, and normed = norm(sum) * gain + shift.</summary>
    /// <param name="rows">T.</param>
    /// <param name="width">W.</param>
    /// <param name="x">[T, W].</param>
    /// <param name="y">[T, W], or null for nothing to add.</param>
    /// <param name="bias">[W], added with y.</param>
    /// <param name="sum">[T, W], written where y is given; may be x.</param>
    /// <param name="norm">Gain and shift of the layer norm.</param>
    /// <param name="normed">[T, W], or null where only the sum is wanted.</param>
    /// <param name="statistics">[T, 2], mean and reciprocal deviation of each row; null where nobody asks later.</param>
    public static void AddAndNormalize(long rows, int width, float* x, float* y, float* bias, float* sum, NormWeights norm, float* normed,
        float* statistics) =>
        RowChunks.Run(rows, (begin, end) =>
        {
            for (var row = begin; row < end; row++)
            {
                var at = row * width;
                var input = x + at;
                if (y is not null)
                {
                    Add(width, input, y + at, bias, sum + at);
                    input = sum + at;
                }
                if (normed is null) continue;
                var (mean, scale) = Statistics(width, input);
                Normalize(width, input, mean, scale, norm, normed + at);
                if (statistics is null) continue;
                statistics[2 * row] = mean;
                statistics[2 * row + 1] = scale;
            }
        });

    /// <summary>The layer norm again, from the statistics of its first time.</summary>
    public static void Normalize(long rows, int width, float* x, float* statistics, NormWeights norm, float* normed) =>
        RowChunks.Run(rows, (begin, end) =>
        {
            for (var row = begin; row < end; row++)
                Normalize(width, x + row * width, statistics[2 * row], statistics[2 * row + 1], norm, normed + row * width);
        });

    /// <summary>Goes back through a layer norm: adds to the gradient of its input, its gain and its shift.</summary>
    /// <param name="rows">T.</param>
    /// <param name="width">W.</param>
    /// <param name="x">[T, W], the input of the norm.</param>
    /// <param name="statistics">[T, 2], as they were then.</param>
    /// <param name="norm">Gain and shift.</param>
    /// <param name="gradient">[T, W], of the output.</param>
    /// <param name="inputGradient">[T, W]; added to, or set where <paramref name="overwrite"/> is true.</param>
    /// <param name="overwrite">Whether the input has no gradient yet.</param>
    public static void NormalizeBack(long rows, int width, float* x, float* statistics, NormWeights norm, float* gradient,
        float* inputGradient, bool overwrite)
    {
        var sums = new float[2 * width]; // gain, shift
        fixed (float* total = sums)
        {
            RowChunks.Sum(rows, 2 * width, total, (begin, end, parts) =>
            {
                for (var row = begin; row < end; row++)
                    NormalizeBack(width, x + row * width, statistics[2 * row], statistics[2 * row + 1], norm.Gain, gradient + row * width,
                        inputGradient + row * width, overwrite, parts);
            });
            for (var i = 0; i < width; i++)
            {
                if (norm.GainGradient is not null) norm.GainGradient[i] += total[i];
                if (norm.ShiftGradient is not null) norm.ShiftGradient[i] += total[width + i];
            }
        }
    }

    /// <summary>Activation of a part of hidden + bias.</summary>
    /// <param name="rows">Rows of the part.</param>
    /// <param name="columns">Columns of the part.</param>
    /// <param name="stride">M, from one row to the next.</param>
    /// <param name="hidden">[rows, columns]; becomes the derivative at hidden + bias where <paramref name="keepDerivative"/> is
    /// true.</param>
    /// <param name="bias">[columns].</param>
    /// <param name="activation">Which form.</param>
    /// <param name="result">[rows, columns]; may be <paramref name="hidden"/> where no derivative is kept.</param>
    /// <param name="keepDerivative">Whether the gradient will be asked for.</param>
    public static void Activate(int rows, int columns, long stride, float* hidden, float* bias, ClipActivation activation, float* result,
        bool keepDerivative)
    {
        for (var row = 0; row < rows; row++, hidden += stride, result += stride)
        {
            var i = 0;
            for (; i <= columns - V.Count; i += V.Count)
            {
                var x = V.Load(hidden + i) + V.Load(bias + i);
                var value = activation == ClipActivation.Gelu ? VectorMath<V>.Gelu(x, out var derivative)
                    : VectorMath<V>.QuickGelu(x, out derivative);
                value.Store(result + i);
                if (keepDerivative) derivative.Store(hidden + i);
            }
            for (; i < columns; i++)
            {
                var x = V.Create(hidden[i] + bias[i]);
                var value = activation == ClipActivation.Gelu ? VectorMath<V>.Gelu(x, out var derivative)
                    : VectorMath<V>.QuickGelu(x, out derivative);
                result[i] = V.First(value);
                if (keepDerivative) hidden[i] = V.First(derivative);
            }
        }
    }

    /// <summary>gradient *= factor, and the columns' sums are added to the bias's gradient.</summary>
    /// <param name="rows">T.</param>
    /// <param name="width">Columns.</param>
    /// <param name="gradient">[T, W].</param>
    /// <param name="factor">[T, W], or null for 1.</param>
    /// <param name="biasGradient">[W], added to.</param>
    public static void MultiplyAndSum(long rows, int width, float* gradient, float* factor, float* biasGradient) =>
        RowChunks.Sum(rows, width, biasGradient, (begin, end, sums) =>
        {
            for (var row = begin; row < end; row++)
            {
                var g = gradient + row * width;
                var f = factor is null ? null : factor + row * width;
                var i = 0;
                for (; i <= width - V.Count; i += V.Count)
                {
                    var value = V.Load(g + i);
                    if (f is not null)
                    {
                        value *= V.Load(f + i);
                        value.Store(g + i);
                    }
                    (V.Load(sums + i) + value).Store(sums + i);
                }
                for (; i < width; i++)
                {
                    if (f is not null) g[i] *= f[i];
                    sums[i] += g[i];
                }
            }
        });

    private static void Add(int width, float* x, float* y, float* bias, float* sum)
    {
        var i = 0;
        for (; i <= width - V.Count; i += V.Count) (V.Load(x + i) + (V.Load(y + i) + V.Load(bias + i))).Store(sum + i);
        for (; i < width; i++) sum[i] = x[i] + (y[i] + bias[i]);
    }

    private static (float Mean, float Scale) Statistics(int width, float* x)
    {
        var sum = default(V);
        var i = 0;
        for (; i <= width - V.Count; i += V.Count) sum += V.Load(x + i);
        var total = V.Sum(sum);
        for (; i < width; i++) total += x[i];
        var mean = total / width;
        var squares = default(V);
        for (i = 0; i <= width - V.Count; i += V.Count)
        {
            var difference = V.Load(x + i) - V.Create(mean);
            squares = V.MultiplyAdd(difference, difference, squares);
        }
        var variance = V.Sum(squares);
        for (; i < width; i++) variance += (x[i] - mean) * (x[i] - mean);
        return (mean, 1 / MathF.Sqrt(variance / width + Epsilon));
    }

    private static void Normalize(int width, float* x, float mean, float scale, NormWeights norm, float* normed)
    {
        var i = 0;
        for (; i <= width - V.Count; i += V.Count)
            V.MultiplyAdd((V.Load(x + i) - V.Create(mean)) * scale, V.Load(norm.Gain + i),
                V.Load(norm.Shift + i)).Store(normed + i);
        for (; i < width; i++) normed[i] = (x[i] - mean) * scale * norm.Gain[i] + norm.Shift[i];
    }

    private static void NormalizeBack(int width, float* x, float mean, float scale, float* gain, float* gradient, float* inputGradient,
        bool overwrite, float* sums)
    {
        V sum = default, product = default;
        float tailSum = 0, tailProduct = 0;
        var i = 0;
        for (; i <= width - V.Count; i += V.Count)
        {
            var unit = (V.Load(x + i) - V.Create(mean)) * scale;
            var g = V.Load(gradient + i);
            V.MultiplyAdd(g, unit, V.Load(sums + i)).Store(sums + i);
            (V.Load(sums + width + i) + g).Store(sums + width + i);
            g *= V.Load(gain + i);
            sum += g;
            product = V.MultiplyAdd(g, unit, product);
        }
        for (; i < width; i++)
        {
            var unit = (x[i] - mean) * scale;
            sums[i] += gradient[i] * unit;
            sums[width + i] += gradient[i];
            tailSum += gradient[i] * gain[i];
            tailProduct += gradient[i] * gain[i] * unit;
        }
        var meanGradient = (V.Sum(sum) + tailSum) / width;
        var meanProduct = (V.Sum(product) + tailProduct) / width;
        for (i = 0; i <= width - V.Count; i += V.Count)
        {
            var unit = (V.Load(x + i) - V.Create(mean)) * scale;
            var value = (V.Load(gradient + i) * V.Load(gain + i) -
                V.Create(meanGradient) - unit * meanProduct) * scale;
            (overwrite ? value : value + V.Load(inputGradient + i)).Store(inputGradient + i);
        }
        for (; i < width; i++)
        {
            var value = (gradient[i] * gain[i] - meanGradient - (x[i] - mean) * scale * meanProduct) * scale;
            inputGradient[i] = overwrite ? value : value + inputGradient[i];
        }
    }
}

/// <summary>Where a layer norm's weights and their gradients are, each of W values; without gradients these are null.</summary>
internal readonly unsafe struct NormWeights(float* gain, float* shift, float* gainGradient = null, float* shiftGradient = null)
{
    public readonly float* Gain = gain, Shift = shift, GainGradient = gainGradient, ShiftGradient = shiftGradient;
}
