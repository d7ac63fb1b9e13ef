using System.Globalization;
using System.Text.Json.Serialization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Number of blocks in each stage of a Swin transformer, and the window size; Swin-T has 2, 2, 6 and 2 blocks.</summary>
/// <param name="First">Blocks of the first stage, whose positions are the patches.</param>
/// <param name="Second">Blocks of the second stage, at half the height and width, with twice the width and heads; 0 omits this stage and
/// all later ones.</param>
/// <param name="Third">Blocks of the third stage, at a quarter.</param>
/// <param name="Fourth">Blocks of the fourth stage, at an eighth.</param>
/// <remarks>Source: "Swin Transformer" (arXiv 2103.14030), section 3.1 and figure 3.</remarks>
public sealed record SwinStages(int First, int Second = 0, int Third = 0, int Fourth = 0)
{
    private const int MaxWindow = 32;   // 1,024 positions attend to each other then

    /// <summary>Side of the square windows within which positions attend to each other. Every second block shifts the windows by
    /// half.</summary>
    /// <value>
    /// Positions, 1 to 32. A stage whose side is not a multiple of it is padded with zeros; a stage that is not larger than a window is not
    /// shifted. Default 7 (arXiv 2103.14030, section 3.3).
    /// </value>
    public int WindowSize { get; init; } = 7;

    /// <summary>Probability that a residual branch of the last block is dropped for an image in training. The first block's branches are
    /// never dropped; between the two, the probability rises linearly.</summary>
    /// <value>
    /// At least 0 and below 1. A kept branch is divided by 1 minus its rate, so that its expected value stays the same. Scoring drops
    /// nothing. A saved model with a rate above 0 has format version 4. Default 0; Swin-T's is 0.2. Source: "Deep Networks with Stochastic
    /// Depth" (arXiv 1603.09382).
    /// </value>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public double StochasticDepth { get; init; }

    /// <summary>The rate of both branches of every block, through all stages.</summary>
    internal double[] BranchRates()
    {
        var blocks = ToArray().Sum();
        return [.. Enumerable.Range(0, blocks).Select(block => blocks == 1 ? 0 : StochasticDepth * block / (blocks - 1))];
    }

    /// <summary>Blocks of each existing stage.</summary>
    internal int[] ToArray() => [.. new[] { First, Second, Third, Fourth }.TakeWhile(n => n > 0)];

    /// <summary>What distinguishes the tower.</summary>
    internal VisionKind Kind => new(nameof(ClipArchitecture.Swin), Faults) { FormatVersion = StochasticDepth > 0 ? 4 : 3 };

    private IEnumerable<string> Faults(ClipArchitecture architecture)
    {
        int[] blocks = [First, Second, Third, Fourth];
        if (WindowSize is < 1 or > MaxWindow)
            yield return $"{nameof(ClipArchitecture.Swin)}.{nameof(WindowSize)} is {WindowSize}; 1 to {MaxWindow} are allowed.";
        if (!(StochasticDepth is >= 0 and < 1))
            yield return string.Create(CultureInfo.InvariantCulture,
                $"{nameof(ClipArchitecture.Swin)}.{nameof(StochasticDepth)} is {StochasticDepth}; it must be 0 or more and below 1.");
        if (First < 1 || blocks.Any(n => n is < 0 or > ClipArchitecture.MaxLayers) || blocks.SkipWhile(n => n > 0).Any(n => n > 0))
        {
            yield return $"{nameof(ClipArchitecture.Swin)} has stages of {string.Join(", ", blocks)} blocks; the first has 1 to " +
                $"{ClipArchitecture.MaxLayers}, each other one at most as many, and none comes after one of 0.";
            yield break;
        }
        var stages = ToArray();
        if (architecture.VisionLayers != stages.Sum())
            yield return $"{nameof(ClipArchitecture.VisionLayers)} is {architecture.VisionLayers}; the stages of " +
                $"{nameof(ClipArchitecture.Swin)} have {stages.Sum()} blocks together, and it must be that.";
        if ((long)architecture.VisionWidth << (stages.Length - 1) is var last and > ClipArchitecture.MaxWidth)
            yield return $"{nameof(ClipArchitecture.VisionWidth)} is {architecture.VisionWidth}, which makes the last stage of " +
                $"{nameof(ClipArchitecture.Swin)} {last} wide; at most {ClipArchitecture.MaxWidth} is allowed there.";
    }
}
