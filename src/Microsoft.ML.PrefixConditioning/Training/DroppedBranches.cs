using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Stochastic depth of a Swin tower: which residual branches are dropped for each image.</summary>
/// <remarks>
/// Draws depend on the seed, the step and the image's place in the batch only. So chunks draw what the whole batch would, both passes of a
/// chunk draw the same, and a resumed run draws what an uninterrupted one would. Source: "Deep Networks with Stochastic Depth" (arXiv
/// 1603.09382), in the form of torchvision 0.14 (<c>StochasticDepth</c> by rows). L blocks.
/// </remarks>
/// <param name="swin">The tower's stages; null for another tower, which drops nothing.</param>
/// <param name="seed">The run's seed.</param>
internal sealed class DroppedBranches(SwinStages? swin, ulong seed)
{
    private const ulong BranchPurpose = 15;

    private readonly double[] _rates = swin is { StochasticDepth: > 0 } ? swin.BranchRates() : [];

    /// <summary>Factors of the branches: 0 for a dropped branch, else 1 over the probability of keeping it.</summary>
    /// <param name="step">Position in the run.</param>
    /// <param name="first">Place of the first image in the batch.</param>
    /// <param name="count">N, images from there on.</param>
    /// <param name="device">Where the result lies.</param>
    /// <returns>[2 L, N], attention and MLP of each block in turn; null if the tower drops nothing.</returns>
    public Tensor? Factors(int step, int first, int count, Device device)
    {
        if (_rates.Length == 0) return null;
        var factors = new float[2 * _rates.Length * count];
        for (var i = 0; i < count; i++)
        {
            var random = SeededRandom.Derive(seed, BranchPurpose, (ulong)step, (ulong)(first + i));
            for (var branch = 0; branch < 2 * _rates.Length; branch++)
            {
                var rate = _rates[branch / 2];
                factors[branch * count + i] = random.NextDouble() < rate ? 0 : (float)(1 / (1 - rate));
            }
        }
        return tensor(factors, [2 * _rates.Length, count], device: device);
    }
}
