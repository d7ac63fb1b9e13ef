using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>
/// Every operation that the towers leave to libtorch, against double precision: values and gradients, at every number of channels around
/// a processor's vectors, several times, because what is read without having been written differs from run to run.
/// </summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class OperationPrecisionTests
{
    private const int Channels = 33, Repetitions = 3;

    // Of the largest value, or of 1 where terms of the inputs' size cancel. Sums of 300 products are off by 1e-6, a fault by far more.
    private const double Rounding = 1e-5;

    /// <summary>An operation, the same in double precision where it is another one, and its inputs for N images and C channels.</summary>
    private sealed record Operation(
        Func<Tensor[], Tensor> Single, Func<long, long, long[][]> Shapes, Func<Tensor[], Tensor>? Exact = null, bool FirstIsTrained = true);

    private static readonly Dictionary<string, Operation> Operations = new()
    {
        ["3 x 3 convolution"] = new(t => Convolution.Apply(t[0], t[1], 1), (n, c) => [[n, c, 5, 4], [c, c, 3, 3]],
            t => F.conv2d(t[0], t[1], padding: [1, 1])),
        ["3 x 3 convolution to more channels"] = new(t => Convolution.Apply(t[0], t[1], 1), (n, c) => [[n, c, 7, 7], [2 * c + 1, c, 3, 3]],
            t => F.conv2d(t[0], t[1], padding: [1, 1])),
        ["5 x 5 convolution"] = new(t => Convolution.Apply(t[0], t[1], 1), (n, c) => [[n, 3, 9, 9], [c, 3, 5, 5]],
            t => F.conv2d(t[0], t[1], padding: [2, 2])),
        ["3 x 3 convolution of an image, stride 2"] = new(t => Convolution.Apply(t[0], t[1], 2), (n, c) => [[n, 3, 8, 8], [c, 3, 3, 3]],
            t => F.conv2d(t[0], t[1], strides: [2, 2], padding: [1, 1]), FirstIsTrained: false),
        ["1 x 1 convolution"] = new(t => Convolution.Apply(t[0], t[1], 1), (n, c) => [[n, c, 5, 4], [2 * c + 1, c, 1, 1]],
            t => F.conv2d(t[0], t[1])),
        ["patches"] = new(t => Convolution.OfPatches(t[0], t[1], new Products(ScalarType.Float32), t[2]),
            (n, c) => [[n, 3, 12, 12], [c, 3, 4, 4], [c]],
            t => F.conv2d(t[0], t[1], t[2], strides: [4, 4]).flatten(2).transpose(1, 2)),
        ["batch norm"] = new(t => F.batch_norm(t[0], t[1].detach(), t[2].detach().square() + 1, t[3], t[4], training: false, eps: 1e-5),
            (n, c) => [[n, c, 3, 4], [c], [c], [c], [c]]),
        ["average pool"] = new(t => F.avg_pool2d(t[0], 2), (n, c) => [[n, c, 6, 4]]),
        ["linear"] = new(t => F.linear(t[0], t[1], t[2]), (n, c) => [[n, 5, c], [3 * c, c], [3 * c]]),
        ["product"] = new(t => t[0].matmul(t[1]), (n, c) => [[n, c], [c, 7]]),
        ["layer norm"] = new(t => F.layer_norm(t[0], [t[0].shape[2]], t[1], t[2], 1e-5), (n, c) => [[n, 4, c + 3], [c + 3], [c + 3]]),
        ["GELU"] = new(t => F.gelu(t[0]), (n, c) => [[n, 3, c]]),
        ["quick GELU"] = new(t => t[0] * (1.702 * t[0]).sigmoid(), (n, c) => [[n, 3, c]]),
        ["attention"] = new(t => F.scaled_dot_product_attention(t[0], t[1], t[2]), (n, c) => [[n, 2, 5, c], [n, 2, 5, c], [n, 2, 5, c]]),
        ["attention, one query"] = new(t => F.scaled_dot_product_attention(t[0], t[1], t[2]), (n, c) =>
            [[n, 2, 1, c], [n, 2, 5, c], [n, 2, 5, c]]),
        ["causal attention"] = new(t => F.scaled_dot_product_attention(t[0], t[1], t[2], is_casual: true),
            (n, c) => [[n, 2, 6, c], [n, 2, 6, c], [n, 2, 6, c]]),
        ["attention over some positions"] = new(
            t => F.scaled_dot_product_attention(t[0], t[1], t[2],
                arange(7, ScalarType.Int64).le(4).view(1, 1, 1, 7).expand(t[0].shape[0], 1, 1, 7)),
            (n, c) => [[n, 2, 1, c], [n, 2, 7, c], [n, 2, 7, c]]),
        ["softmax of windows"] = new(t => (t[0].matmul(t[1].transpose(-2, -1)) + t[2]).softmax(-1), (n, c) =>
            [[n, 2, 9, c], [n, 2, 9, c], [2, 9, 9]]),
        ["rows of a table"] = new(t => t[0].index_select(0, tensor(new long[] { 1, 0, 1, 2 })), (n, c) => [[n + 2, c]]),
        ["neighbors"] = new(t => SwinMerging.Neighbors(t[0]), (n, c) => [[n, 5, 5, c]]),
        ["unit length"] = new(t => F.normalize(t[0], p: 2, dim: 1), (n, c) => [[n, c]]),
        ["CLIP loss"] = new(t => ContrastiveLoss.Clip(t[0], t[1], t[2].exp()), (n, c) => [[c, n + 1], [c, n + 1], []]),
        ["UniCL loss"] = new(t => ContrastiveLoss.UniCl(t[0], t[1], t[2].exp(), arange(t[0].shape[0], ScalarType.Int64).remainder(3)),
            (n, c) => [[c, n + 1], [c, n + 1], []]),
        ["SigLIP loss"] = new(t => ContrastiveLoss.SigLip(t[0], t[1], t[2].exp(), t[3]), (n, c) => [[c, n + 1], [c, n + 1], [], []]),
    };

    [TestMethod]
    [DynamicData(nameof(EveryTowerTests.Losses), typeof(EveryTowerTests))]
    public void Operations_HaveEveryLoss(LossFunction loss) =>
        Assert.Contains($"{loss} loss", Operations.Keys, StringComparer.OrdinalIgnoreCase);

    public static IEnumerable<object[]> Names => Operations.Keys.Select(name => new object[] { name });

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void ValuesAndGradients_OneTo33ChannelsOneTo3Images_AreThoseOfDoublePrecision(string name)
    {
        var operation = Operations[name];
        for (var channels = 1; channels <= Channels; channels++)
            for (var images = 1; images <= 3; images++)
                for (var repetition = 0; repetition < Repetitions; repetition++)
                {
                    using var scope = NewDisposeScope();
                    using var generator = new Generator((ulong)(channels * 100 + images * 10 + repetition), CPU);
                    var inputs = operation.Shapes(images, channels).Select(shape =>
                        randn(shape, ScalarType.Float32, generator: generator)).ToArray();
                    var where = $"{name}, {channels} channels, {images} images";
                    var (value, gradients) = Run(operation.Single, inputs, ScalarType.Float32, operation.FirstIsTrained);
                    var (exact, exactGradients) = Run(operation.Exact ?? operation.Single, inputs, ScalarType.Float64,
                        operation.FirstIsTrained);
                    AreClose(exact, value, $"{where}: value");
                    for (var i = 0; i < gradients.Length; i++) AreClose(exactGradients[i], gradients[i], $"{where}: gradient by input {i}");
                }
    }

    /// <summary>The value, and the gradients of a weighted sum of it by the inputs that have one.</summary>
    private static (Tensor Value, Tensor?[] Gradients) Run(Func<Tensor[], Tensor> operation, Tensor[] inputs, ScalarType type,
        bool firstIsTrained)
    {
        var leaves = inputs.Select((t, i) => t.to_type(type, copy: true).requires_grad_(i > 0 || firstIsTrained)).ToArray();
        var value = operation(leaves);
        var factors = (arange(value.numel(), ScalarType.Float32) * 0.7).sin().to_type(type);   // the same numbers in both precisions
        (value * factors.view(value.shape)).sum().backward();
        return (value.detach(), leaves.Select(t => t.grad).ToArray());
    }

    private static void AreClose(Tensor? expected, Tensor? actual, string what)
    {
        Assert.AreEqual(expected is null, actual is null, what);
        if (expected is null) return;
        CollectionAssert.AreEqual(expected.shape, actual!.shape, what);
        var error = (expected - actual).abs().max().ToDouble() / Math.Max(1, expected.abs().max().ToDouble());
        Assert.IsLessThan(Rounding, error, what);   // false for NaN, too
    }
}
