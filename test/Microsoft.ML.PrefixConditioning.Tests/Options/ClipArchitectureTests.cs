using System.Reflection;
using System.Runtime.CompilerServices;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ClipArchitectureTests
{
    private static readonly Dictionary<string, (ClipArchitecture Architecture, string Fault)> Faulty = new()
    {
        ["patch does not divide"] = (new() { ImageSize = 225 },
            "ImageSize is 225 and PatchSize 32; the image size must be a multiple of the patch size."),
        ["patch 0"] = (new() { PatchSize = 0 }, "PatchSize is 0; it must be 1 to 4096."),
        ["image 0"] = (new() { ImageSize = 0 }, "ImageSize is 0; it must be 1 to 4096."),
        ["image too large"] = (new() { ImageSize = 4128 }, "ImageSize is 4128; it must be 1 to 4096."),
        ["vision heads do not divide"] = (new() { VisionHeads = 7 },
            "VisionWidth is 768 and VisionHeads 7; the width must be a multiple of the number of heads."),
        ["vision heads 0"] = (new() { VisionHeads = 0 }, "VisionHeads is 0; it must be 1 to 16384."),
        ["vision width negative"] = (new() { VisionWidth = -12 }, "VisionWidth is -12; it must be 1 to 16384."),
        ["vision width too large"] = (new() { VisionWidth = 16392 }, "VisionWidth is 16392; it must be 1 to 16384."),
        ["text heads do not divide"] = (new() { TextHeads = 3 },
            "TextWidth is 512 and TextHeads 3; the width must be a multiple of the number of heads."),
        ["text width too large"] = (new() { TextWidth = 16392 }, "TextWidth is 16392; it must be 1 to 16384."),
        ["vision layers"] = (new() { VisionLayers = 0 }, "VisionLayers is 0; it must be 1 to 256."),
        ["vision layers too many"] = (new() { VisionLayers = 257 }, "VisionLayers is 257; it must be 1 to 256."),
        ["text layers"] = (new() { TextLayers = -1 }, "TextLayers is -1; it must be 1 to 256."),
        ["text layers too many"] = (new() { TextLayers = 257 }, "TextLayers is 257; it must be 1 to 256."),
        ["context"] = (new() { ContextLength = 2 }, "ContextLength is 2; it must be 3 to 4096."),
        ["context too long"] = (new() { ContextLength = 4097 }, "ContextLength is 4097; it must be 3 to 4096."),
        ["embedding"] = (new() { EmbeddingSize = 0 }, "EmbeddingSize is 0; it must be 1 to 16384."),
        ["embedding too large"] = (new() { EmbeddingSize = 16385 }, "EmbeddingSize is 16385; it must be 1 to 16384."),
        ["ratio 0"] = (new() { MlpRatio = 0 }, "MlpRatio is 0; it must be greater than 0 and at most 64."),
        ["ratio NaN"] = (new() { MlpRatio = double.NaN }, "MlpRatio is NaN; it must be greater than 0 and at most 64."),
        ["ratio too large"] = (new() { MlpRatio = 64.5 }, "MlpRatio is 64.5; it must be greater than 0 and at most 64."),
        ["ratio without a unit"] = (new() { MlpRatio = 0.001 },
            "MlpRatio is 0.001, which leaves a tower of width 512 without a hidden unit; increase it."),
        ["text ratio"] = (new() { TextMlpRatio = 0 }, "TextMlpRatio is 0; it must be greater than 0 and at most 64, or null."),
        ["text ratio without a unit"] = (new() { TextMlpRatio = 0.001 },
            "TextMlpRatio is 0.001, which leaves a tower of width 512 without a hidden unit; increase it."),
        ["ResNet"] = (new() { ResNet = new(1, 2, 0, 3) },
            "ResNet is ResNetStages { First = 1, Second = 2, Third = 0, Fourth = 3 } with VisionLayers 12, PatchSize 32 and VisionWidth " +
                "768; a stage has 1 to 256 blocks, there are 4 layers, the patch size is 32 and the width even."),
        ["activation"] = (new() { Activation = (ClipActivation)5 }, "Activation is 5; use a member of ClipActivation."),
    };

    public static IEnumerable<string> FaultyCases => Faulty.Keys;

    [TestMethod]
    [DynamicData(nameof(FaultyCases))]
    public void Faults_OneFault_NamesItAlone(string fault) =>
        CollectionAssert.AreEqual(new[] { Faulty[fault].Fault }, OptionFaults.Of(Faulty[fault].Architecture).ToArray());

    [TestMethod]
    public void Faults_Presets_None()
    {
        foreach (var preset in new[] { ClipArchitecture.Tiny, ClipArchitecture.Small, ClipArchitecture.ViTB32, ClipArchitecture.ViTB16,
            ClipArchitecture.ViTL14, ClipArchitecture.ViTH14 })
            Assert.IsEmpty(OptionFaults.Of(preset));
    }

    [TestMethod]
    public void Presets_Sizes_AreThoseOfTheClipPaper()
    {
        // CLIP paper, table 20: input, patch, vision width, layers, heads, text width, layers, heads, embedding.
        static int[] Sizes(ClipArchitecture a) =>
            [a.ImageSize, a.PatchSize, a.VisionWidth, a.VisionLayers, a.VisionHeads, a.TextWidth, a.TextLayers, a.TextHeads,
                a.EmbeddingSize, a.ContextLength];
        DataTestRows.Equal<int>([224, 32, 768, 12, 12, 512, 12, 8, 512, 77], Sizes(ClipArchitecture.ViTB32));
        DataTestRows.Equal<int>([224, 16, 768, 12, 12, 512, 12, 8, 512, 77], Sizes(ClipArchitecture.ViTB16));
        DataTestRows.Equal<int>([224, 14, 1024, 24, 16, 768, 12, 12, 768, 77], Sizes(ClipArchitecture.ViTL14));
        // open_clip's ViT-H-14.json
        DataTestRows.Equal<int>([224, 14, 1280, 32, 16, 1024, 24, 16, 1024, 77], Sizes(ClipArchitecture.ViTH14));
        foreach (var preset in new[] { ClipArchitecture.ViTB32, ClipArchitecture.ViTB16, ClipArchitecture.ViTL14, ClipArchitecture.ViTH14 })
            Assert.AreEqual((4.0, ClipActivation.Gelu), (preset.MlpRatio, preset.Activation));
    }

    [TestMethod]
    public void Presets_ParameterCounts_AreTheReferenceModels()
    {
        // open_clip's own counts with CLIP's 49,408 tokens; the formula is held to real models by the next test.
        Assert.AreEqual(151_277_313, Parameters(ClipArchitecture.ViTB32, 49408));
        Assert.AreEqual(149_620_737, Parameters(ClipArchitecture.ViTB16, 49408));
        Assert.AreEqual(427_616_513, Parameters(ClipArchitecture.ViTL14, 49408));
        Assert.AreEqual(986_109_441, Parameters(ClipArchitecture.ViTH14, 49408));
        Assert.AreEqual(2e6, Parameters(ClipArchitecture.Tiny, 4096), 0.5e6);
        Assert.AreEqual(5e6, Parameters(ClipArchitecture.Small, 4096), 0.5e6);
    }

    [TestMethod]
    public void ParameterCount_SmallModels_EqualsTheFormula()
    {
        foreach (var architecture in new[] { TinyGolden.Architecture(ClipActivation.Gelu), ClipArchitecture.Tiny })
        {
            using var model = ClipModel.CreateUnset(new ClipModelShape(architecture, 600, 2, 0, 0), TorchSharp.torch.CPU);
            Assert.AreEqual(Parameters(architecture, 600), model.ParameterCount);
        }
    }

    private static long Parameters(ClipArchitecture a, long vocabulary)
    {
        static long Blocks(long width, long layers) => layers * (12 * width * width + 13 * width); // MLP ratio 4
        long v = a.VisionWidth, t = a.TextWidth, grid = a.ImageSize / a.PatchSize;
        var vision = 3L * a.PatchSize * a.PatchSize * v + v + (grid * grid + 1) * v + 2 * v + Blocks(v, a.VisionLayers) + 2 * v
            + v * a.EmbeddingSize;
        var text = vocabulary * t + a.ContextLength * t + Blocks(t, a.TextLayers) + 2 * t + t * a.EmbeddingSize;
        return vision + text + 1; // the logit scale
    }

    [TestMethod]
    public void VisionKind_PropertyOfEachKind_IsFoundUnderItsName()
    {
        const BindingFlags NotPublic = BindingFlags.Instance | BindingFlags.NonPublic;
        var kinds = typeof(ClipArchitecture).GetProperties().Where(p =>
            p.PropertyType.GetProperty(nameof(SwinStages.Kind), NotPublic)?.PropertyType == typeof(VisionKind)).ToArray();
        Assert.IsNotEmpty(kinds);
        foreach (var property in kinds)
        {
            var architecture = new ClipArchitecture();
            property.SetValue(architecture, RuntimeHelpers.GetUninitializedObject(property.PropertyType));
            Assert.AreEqual(property.Name, architecture.VisionKind?.Name);
        }
    }
}
