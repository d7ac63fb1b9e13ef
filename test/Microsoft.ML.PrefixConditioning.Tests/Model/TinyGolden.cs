using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The tiny reference model of test/golden/clip_vit_tiny.</summary>
internal static class TinyGolden
{
    public static ClipArchitecture Architecture(ClipActivation activation) => new()
    {
        ImageSize = 32, PatchSize = 8, VisionWidth = 96, VisionLayers = 3, VisionHeads = 3,
        ContextLength = 16, TextWidth = 64, TextLayers = 3, TextHeads = 2, EmbeddingSize = 64, Activation = activation,
    };

    /// <summary>The reference's weights; with a prefix length, its prefixes stay as initialized.</summary>
    public static ClipModel Load(ClipActivation activation, int datasetTypes = 0, int prefixLength = 0)
    {
        var shape = new ClipModelShape(Architecture(activation), 512, datasetTypes, prefixLength, 0);
        var model = ClipModel.Create(shape, CPU, 1);
        using var stream = File.OpenRead(Golden.Path("clip_vit_tiny", "model_open_clip.safetensors"));
        Safetensors.ReadInto(stream, model.Weights.Where(w => w.Key != "prefix_embedding").ToDictionary(w => w.Key, w => w.Value));
        return model;
    }

    public static Dictionary<string, Tensor> Tensors(params string[] path) => Safetensors.Load(Golden.Path(path));

    public static void AreClose(Tensor expected, Tensor actual, double tolerance, string what)
    {
        CollectionAssert.AreEqual(expected.shape, actual.shape, what);
        var difference = (expected.to_type(ScalarType.Float64) - actual.detach().cpu().to_type(ScalarType.Float64)).abs().max().ToDouble();
        Assert.IsTrue(difference <= tolerance, $"{what}: largest difference {difference:g3}, allowed {tolerance:g3}");
    }

    /// <summary>Largest difference over the largest value, so that the tolerance is relative.</summary>
    public static void AreRelativelyClose(Tensor expected, Tensor actual, double tolerance, string what) =>
        AreClose(expected, actual, tolerance * Math.Max(expected.abs().max().ToDouble(), 1e-6), what);
}
