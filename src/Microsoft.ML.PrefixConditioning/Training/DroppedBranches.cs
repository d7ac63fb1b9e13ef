using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Stochastic depth: which residual branches are dropped for each image.</summary>
/// <remarks>
/// Draws depend on the seed, the step and the image's place in the batch only. So chunks draw what the whole batch would, both passes of a
/// chunk draw the same, and a resumed run draws what an uninterrupted one would. Source: "Deep Networks with Stochastic Depth" (arXiv
/// 1603.09382), in the form of torchvision 0.14 (<c>StochasticDepth</c> by rows). L blocks.
/// </remarks>
/// <param name="rates">Each block's rate, as <see cref="IVisionTower.BranchRates"/> has them.</param>
/// <param name="seed">The run's seed.</param>
internal sealed class DroppedBranches(double[] rates, ulong seed)
{
    private const ulong BranchPurpose = 15;

    /// <summary>Factors of the branches: 0 for a dropped branch, else 1 over the probability of keeping it.</summary>
    /// <param name="step">Position in the run.</param>
    /// <param name="first">Place of the first image in the batch.</param>
    /// <param name="count">N, images from there on.</param>
    /// <param name="device">Where the result lies.</param>
    /// <returns>[2 L, N], attention and MLP of each block in turn; null if the tower drops nothing.</returns>
    public Tensor? Factors(int step, int first, int count, Device device)
    {
        if (rates.All(rate => rate == 0)) return null;
        var branches = 2 * rates.Length;
        var factors = new float[branches * count];
        for (var i = 0; i < count; i++)
        {
            var random = SeededRandom.Derive(seed, BranchPurpose, (ulong)step, (ulong)(first + i));
            for (var branch = 0; branch < branches; branch++)
            {
                var rate = rates[branch / 2];
                factors[branch * count + i] = random.NextDouble() < rate ? 0 : (float)(1 / (1 - rate));
            }
        }
        return tensor(factors, [branches, count], device: device);
    }
}
