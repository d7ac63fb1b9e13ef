namespace Microsoft.ML.PrefixConditioning;

/// <summary>Number of bottleneck blocks in each stage of a ResNet; RN50 has 3, 4, 6 and 3.</summary>
/// <param name="First">Blocks of the first stage, at 1/4 of the image size.</param>
/// <param name="Second">Blocks of the second stage, at 1/8.</param>
/// <param name="Third">Blocks of the third stage, at 1/16.</param>
/// <param name="Fourth">Blocks of the fourth stage, at 1/32.</param>
public sealed record ResNetStages(int First, int Second, int Third, int Fourth)
{
    /// <summary>All four in order.</summary>
    internal int[] ToArray() => [First, Second, Third, Fourth];

    /// <summary>What distinguishes the tower.</summary>
    internal VisionKind Kind => new(nameof(ClipArchitecture.ResNet), Faults)
    {
        NeedsInitialWeights = true,   // batch normalization always uses its stored statistics
        IsInOpenClip = true,
    };

    private IEnumerable<string> Faults(ClipArchitecture architecture)
    {
        var (layers, patch, width) = (architecture.VisionLayers, architecture.PatchSize, architecture.VisionWidth);
        if (ToArray().Any(n => n is < 1 or > ClipArchitecture.MaxLayers) || layers != 4 || patch != 32 || width % 2 != 0)
            yield return $"{nameof(ClipArchitecture.ResNet)} is {this} with {nameof(architecture.VisionLayers)} {layers}, " +
                $"{nameof(architecture.PatchSize)} {patch} and {nameof(architecture.VisionWidth)} {width}; a stage has 1 to " +
                $"{ClipArchitecture.MaxLayers} blocks, there are 4 layers, the patch size is 32 and the width even.";
    }
}
