using System.Numerics.Tensors;
using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>AdamW over a model's weights, with open_clip's parameter groups and the clamp of the logit scale.</summary>
/// <remarks>
/// Source: "Decoupled Weight Decay Regularization" (arXiv 1711.05101) in PyTorch's order of operations; groups of open_clip v3.3.0. On a
/// processor one fused, vectorized pass reads the gradient and updates weight and both moments in place: each value is loaded and stored
/// once per step, not once per tensor operation. Gradients are set to 0, and their memory is reused.
/// </remarks>
internal sealed class ClipOptimizer : IDisposable
{
    // The largest number in single precision whose exponential is at most 100; CLIP paper, section 2.5. Rounded, ln 100 gives 100.0000064.
    internal static readonly float MaxLogitScale = MathF.BitDecrement((float)Math.Log(100));

    private const int ChunkLength = 1 << 15;                // values per work item: four arrays of 128 KiB stay in a core's cache

    // Kept, because TorchSharp does not keep a scalar alive during the call that it is passed to.
    private static readonly Scalar Zero = 0.ToScalar(), LargestLogitScale = MaxLogitScale.ToScalar();

    private readonly Group[] _groups;
    private readonly Tensor? _logitScale;                   // null where it is frozen
    private readonly OptimizerOptions _options;

    /// <param name="weights">The weights to train; others are not touched.</param>
    /// <param name="options">AdamW's constants and the gradient's largest norm.</param>
    /// <param name="rateFactor">A weight's learning rate over the step's, by name; null for 1.</param>
    /// <param name="useTensorOperations">Whether a processor computes with tensor operations, as a GPU does.</param>
    public ClipOptimizer(
        IReadOnlyList<KeyValuePair<string, Tensor>> weights, OptimizerOptions options, Func<string, double>? rateFactor = null,
        bool useTensorOperations = false)
    {
        _options = options;
        NativeHeap.UseLargePages();
        _groups = [.. weights.Select(w => new Group(w.Key, w.Value, rateFactor?.Invoke(w.Key) ?? 1))];
        _logitScale = weights.FirstOrDefault(w => w.Key == "logit_scale").Value;
        Method = weights[0].Value.device_type == DeviceType.CPU && !useTensorOperations ? UpdateMethod.Fused : UpdateMethod.Tensors;
    }

    /// <summary>How a step is computed; both ways also run on a processor, so that both can be tested there.</summary>
    internal UpdateMethod Method { get; init; }

    /// <summary>Steps done so far; the bias correction of the moments depends on it.</summary>
    public int StepCount { get; set; }

    /// <summary>Both moments of every weight, named after it.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State => _groups.SelectMany(g => new KeyValuePair<string, Tensor>[]
    {
        new($"{FirstMomentPrefix}{g.Name}", g.First), new($"{SecondMomentPrefix}{g.Name}", g.Second),
    });

    /// <summary>What the names of first moments begin with in <see cref="State"/>.</summary>
    public const string FirstMomentPrefix = "adamw.first.";

    /// <summary>What the names of second moments begin with in <see cref="State"/>.</summary>
    public const string SecondMomentPrefix = "adamw.second.";

    /// <summary>Whether weight decay applies: matrices and embeddings of the towers, but no gains, biases, prefixes or logit
    /// scale.</summary>
    public static bool IsDecayed(string name, Tensor weight) =>
        weight.dim() >= 2 && !name.Contains("prefix_embedding", StringComparison.Ordinal)
        && !name.Contains("bn", StringComparison.Ordinal) && !name.Contains("ln", StringComparison.Ordinal)
        && !name.Contains("bias", StringComparison.Ordinal) && !name.Contains("logit_scale", StringComparison.Ordinal);

    /// <summary>One step with the gradients that the weights hold. Afterwards these are 0, or released where tensor operations did the
    /// step.</summary>
    /// <returns>Length of the gradient over all weights before clipping, or null when clipping is off.</returns>
    public double? Step(double learningRate)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        StepCount++;
        var active = _groups.Select(g => (Group: g, Gradient: g.Weight.grad!)).Where(g => g.Gradient is not null).ToArray();
        double? norm = Method == UpdateMethod.Fused ? StepFused(active, learningRate) : StepByTensors(active, learningRate);
        _logitScale?.clamp_(Zero, LargestLogitScale);
        return norm;
    }

    private unsafe double? StepFused((Group Group, Tensor Gradient)[] active, double learningRate)
    {
        var chunks = new List<Chunk>();
        foreach (var (group, gradient) in active)
        {
            var contiguous = gradient.contiguous();
            var decay = (float)(1 - learningRate * group.RateFactor * (group.Decayed ? _options.WeightDecay : 0));
            float* weight = MatrixBuffer.Pointer(group.Weight), g = MatrixBuffer.Pointer(contiguous);
            float* first = MatrixBuffer.Pointer(group.First), second = MatrixBuffer.Pointer(group.Second);
            for (long offset = 0, count = group.Weight.numel(); offset < count; offset += ChunkLength)
                chunks.Add(new Chunk(
                    (nint)(weight + offset), (nint)(g + offset), (nint)(first + offset), (nint)(second + offset),
                    (int)Math.Min(ChunkLength, count - offset), decay, group.RateFactor));
        }
        double? norm = null;
        if (_options.GradientClipNorm is not null)
        {
            var squares = new double[chunks.Count];
            ParallelLoop.Run(chunks.Count, i => squares[i] = chunks[i].GradientSquares());
            norm = Math.Sqrt(squares.Sum());
        }
        var update = CreateUpdate(learningRate, norm);
        if (Vector512.IsHardwareAccelerated) ParallelLoop.Run(chunks.Count, i => chunks[i].Apply<Lanes512>(update));
        else ParallelLoop.Run(chunks.Count, i => chunks[i].Apply<Lanes256>(update));
        // A gradient that was not contiguous was read from a copy; it cannot be used again.
        foreach (var (group, gradient) in active)
            if (!gradient.is_contiguous()) group.Weight.grad = null;
        return norm;
    }

    private double? StepByTensors((Group Group, Tensor Gradient)[] active, double learningRate)
    {
        double? norm = _options.GradientClipNorm is null || active.Length == 0 ? null // one number leaves the device, not one per weight
            : stack(active.Select(a => a.Gradient.square().sum(ScalarType.Float64))).sum().sqrt().Number();
        var update = CreateUpdate(learningRate, norm);
        foreach (var (group, gradient) in active)
        {
            StepByTensors(group, gradient, update);
            group.Weight.grad = null;
        }
        return norm;
    }

    private Update CreateUpdate(double learningRate, double? norm) => new(learningRate, _options.Beta1, _options.Beta2, _options.Epsilon,
        // 1e-6 as in torch's clip_grad_norm_
        norm is { } length ? Math.Min(1, _options.GradientClipNorm!.Value / (length + 1e-6)) : 1, StepCount);

    private void StepByTensors(Group group, Tensor gradient, Update update)
    {
        var rate = update.LearningRate * group.RateFactor;
        // Held until the end: torch does not keep what a number is converted to.
        using Scalar gradientScale = update.GradientScale.ToScalar(), kept = (1 - (rate * _options.WeightDecay)).ToScalar(),
            beta1 = _options.Beta1.ToScalar(), rest1 = (1 - _options.Beta1).ToScalar(),
            beta2 = _options.Beta2.ToScalar(), rest2 = (1 - _options.Beta2).ToScalar(),
            correction = update.SecondCorrectionRoot.ToScalar(), epsilon = _options.Epsilon.ToScalar(),
            step = (-rate / update.FirstCorrection).ToScalar();
        if (update.GradientScale != 1) gradient.mul_(gradientScale);
        if (group.Decayed) group.Weight.mul_(kept);
        group.First.mul_(beta1).add_(gradient, rest1);
        group.Second.mul_(beta2).addcmul_(gradient, gradient, rest2);
        using var root = group.Second.sqrt().div_(correction).Add(epsilon);
        group.Weight.addcdiv_(group.First, root, step);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var group in _groups) group.Dispose();
    }

    private sealed class Group(string name, Tensor weight, double rateFactor) : IDisposable
    {
        public double RateFactor { get; } = rateFactor;
        public string Name { get; } = name;
        public Tensor Weight { get; } = weight;
        public bool Decayed { get; } = IsDecayed(name, weight);
        public Tensor First { get; } = zeros_like(weight, requires_grad: false).DetachFromDisposeScope();
        public Tensor Second { get; } = zeros_like(weight, requires_grad: false).DetachFromDisposeScope();

        public void Dispose()
        {
            First.Dispose();
            Second.Dispose();
        }
    }

    private sealed record Update(double LearningRate, double Beta1, double Beta2, double Epsilon, double GradientScale, int StepCount)
    {
        public double FirstCorrection { get; } = 1 - Math.Pow(Beta1, StepCount);
        public double SecondCorrectionRoot { get; } = Math.Sqrt(1 - Math.Pow(Beta2, StepCount));
    }

    private readonly unsafe record struct Chunk(nint Weight, nint Gradient, nint First, nint Second, int Length, float Decay,
        double RateFactor)
    {
        public double GradientSquares() => TensorPrimitives.SumOfSquares(new ReadOnlySpan<float>((float*)Gradient, Length));

        /// <summary>Updates weight and moments, and leaves a gradient of 0 for the next step to add to.</summary>
        public void Apply<V>(Update update) where V : struct, ILanes<V>
        {
            float* weight = (float*)Weight, gradient = (float*)Gradient, first = (float*)First, second = (float*)Second;
            float keepFirst = (float)(1 - update.Beta1), beta2 = (float)update.Beta2, keepSecond = (float)(1 - update.Beta2);
            float scale = (float)update.GradientScale, root = (float)update.SecondCorrectionRoot, epsilon = (float)update.Epsilon;
            var step = (float)(-update.LearningRate * RateFactor / update.FirstCorrection);
            var i = 0;
            for (; i <= Length - V.Count; i += V.Count)
            {
                var g = V.Load(gradient + i) * scale;
                var m = V.Load(first + i);
                m += (g - m) * keepFirst;
                var v = V.Load(second + i) * beta2 + g * keepSecond * g;
                m.Store(first + i);
                v.Store(second + i);
                default(V).Store(gradient + i);
                (V.Load(weight + i) * Decay + m * step / (V.Sqrt(v) / V.Create(root) + V.Create(epsilon))).Store(weight + i);
            }
            for (; i < Length; i++)
            {
                var g = gradient[i] * scale;
                first[i] += keepFirst * (g - first[i]);
                second[i] = second[i] * beta2 + keepSecond * g * g;
                weight[i] = weight[i] * Decay + step * first[i] / (MathF.Sqrt(second[i]) / root + epsilon);
                gradient[i] = 0;
            }
        }
    }
}

/// <summary>How the optimizer computes a step.</summary>
internal enum UpdateMethod
{
    /// <summary>One pass over the processor's memory.</summary>
    Fused,

    /// <summary>Tensor operations, on any device.</summary>
    Tensors,
}
