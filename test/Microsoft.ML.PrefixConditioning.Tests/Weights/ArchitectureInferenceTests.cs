using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Sizes from shapes alone: no weight exists in these tests.</summary>
[TestClass]
public sealed class ArchitectureInferenceTests
{
    private static readonly PretrainedConfig Gelu = new() { Activation = ClipActivation.Gelu, Source = "config.json" };

    /// <summary>A file's header for a model.</summary>
    private static Dictionary<string, WeightEntry> Header(ClipArchitecture architecture, ClipLayout layout, int vocabulary = 49408,
        ScalarType type = ScalarType.Float32)
    {
        using var scope = NewDisposeScope();
        using var model = ClipModel.CreateUnset(new ClipModelShape(architecture, vocabulary, 0, 0, 0), new Device(DeviceType.META));
        var entries = new Dictionary<string, WeightEntry>();
        foreach (var (name, weight) in model.Weights)
        {
            var origin = WeightOrigin.Of(layout, name);
            foreach (var part in origin.Names)
                Put(entries, type, part, origin.IsTransposed ? [weight.shape[1], weight.shape[0]] : origin.Names.Count == 1 ? weight.shape
                    : [weight.shape[0] / 3, .. weight.shape[1..]]);
        }
        return entries;
    }

    private static ClipModelShape Infer(Dictionary<string, WeightEntry> header, ClipLayout layout = ClipLayout.OpenClip,
        PretrainedConfig? config = null, PretrainedWishes? wishes = null) =>
        ArchitectureInference.Infer(header, layout, config ?? Gelu, wishes ?? new PretrainedWishes());

    public static IEnumerable<object[]> Families =>
        from family in new (string Name, ClipArchitecture Architecture)[]
        {
            ("ViT-B/32", ClipArchitecture.ViTB32), ("ViT-B/16", ClipArchitecture.ViTB16), ("ViT-L/14", ClipArchitecture.ViTL14),
            ("ViT-L/14@336", ClipArchitecture.ViTL14 with { ImageSize = 336 }), ("ViT-H/14", ClipArchitecture.ViTH14),
        }
        from layout in Enum.GetValues<ClipLayout>()
        select new object[] { family.Name, family.Architecture, layout };

    [TestMethod]
    [DynamicData(nameof(Families))]
    public void Infer_ShapesOfAFamily_GivesItsArchitecture(string name, ClipArchitecture architecture, ClipLayout layout)
    {
        // Neither 16 heads at a width of 1,280 nor those of other widths can be told from shapes: ViT-H/14 comes with a configuration.
        var config = Gelu with { VisionHeads = architecture.VisionHeads };
        var shape = Infer(Header(architecture, layout), layout, config);
        Assert.AreEqual(new ClipModelShape(architecture, 49408, 0, 0, 0), shape, name);
    }

    public static IEnumerable<object[]> OpenAIFamilies =>
    [
        ["ViT-B/32", ClipArchitecture.ViTB32], ["ViT-B/16", ClipArchitecture.ViTB16], ["ViT-L/14", ClipArchitecture.ViTL14],
        ["ViT-L/14@336", ClipArchitecture.ViTL14 with { ImageSize = 336 }], ["ViT-H/14", ClipArchitecture.ViTH14],
        ["RN50", ClipArchitecture.RN50],
            ["RN101", ClipArchitecture.RN50 with { ResNet = new ResNetStages(3, 4, 23, 3), EmbeddingSize = 512 }],
        ["RN50x4", ClipArchitecture.RN50 with
        {
            ResNet = new ResNetStages(4, 6, 10, 6), ImageSize = 288, VisionWidth = 80, VisionHeads = 40, TextWidth = 640, TextHeads = 10,
                EmbeddingSize = 640,
        }],
    ];

    /// <summary>The state dictionaries that OpenAI's own program gives: half precision, three notes, no configuration.</summary>
    [TestMethod]
    [DynamicData(nameof(OpenAIFamilies))]
    public void Infer_StateDictionaryOfOpenAI_GivesItsArchitecture(string name, ClipArchitecture architecture)
    {
        var header = Header(architecture, ClipLayout.OpenClip, type: ScalarType.Float16);
        foreach (var note in new[] { "input_resolution", "context_length", "vocab_size" })
            Put(header, ScalarType.Int64, note);
        foreach (var norm in header.Keys.Where(n => n.EndsWith(".running_mean", StringComparison.Ordinal)).ToArray())
            Put(header, norm.Replace("running_mean", "num_batches_tracked", StringComparison.Ordinal));
        // not a 64th of its width
        var wishes = new PretrainedWishes { VisionHeads = architecture == ClipArchitecture.ViTH14 ? 16 : null };

        var shape = Infer(header, config: PretrainedConfig.Empty, wishes: wishes);

        Assert.AreEqual(new ClipModelShape(architecture with { Activation = ClipActivation.QuickGelu }, 49408, 0, 0, 0), shape, name);
    }

    [TestMethod]
    public void Infer_WithoutConfiguredHeads_TakesA64thOfTheWidth() =>
        Assert.AreEqual(ClipArchitecture.ViTL14, Infer(Header(ClipArchitecture.ViTL14, ClipLayout.OpenClip)).Architecture);

    [TestMethod]
    [DataRow(1152, 4304.0 / 1152, 64)]
    [DataRow(96, 3.5, 64)]
    public void Infer_OtherRatio_LosesNoUnit(int width, double ratio, int heads)
    {
        var architecture = ClipArchitecture.ViTB32 with
        {
            VisionWidth = width,
            TextWidth = width,
            VisionHeads = width / 32,
            TextHeads = width / 32,
            MlpRatio = ratio,
            EmbeddingSize = heads
        };
        var header = Header(architecture, ClipLayout.OpenClip);
        var shape = Infer(header, config: Gelu with { VisionHeads = width / 32, TextHeads = width / 32 });
        Assert.AreEqual(header["visual.transformer.resblocks.0.mlp.c_fc.weight"].Shape[0], (long)(width * shape.Architecture.MlpRatio));
    }

    // open_clip's configurations of these models give the ratios rounded to four digits.
    [TestMethod]
    [DataRow("ViT-g-14", 1408, 40, 6144, 1024, 24, 4.3637, DisplayName = "ViT-g-14")]
    [DataRow("ViT-bigG-14", 1664, 48, 8192, 1280, 32, 4.9231, DisplayName = "ViT-bigG-14")]
    public void Infer_TowersOfDifferentRatios_GivesBoth(string name, int width, int layers, int hidden, int textWidth, int textLayers,
        double configured)
    {
        var architecture = ClipArchitecture.ViTH14 with
        {
            VisionWidth = width,
            VisionLayers = layers,
            VisionHeads = 16,
            TextWidth = textWidth,
            TextLayers = textLayers,
            TextHeads = textWidth / 64,
            EmbeddingSize = textWidth,
            MlpRatio = configured,
            TextMlpRatio = 4,
        };
        var header = Header(architecture, ClipLayout.OpenClip);
        Assert.AreEqual(hidden, header["visual.transformer.resblocks.0.mlp.c_fc.weight"].Shape[0], name);
        var found = Infer(header, config: Gelu with { VisionHeads = 16 }).Architecture;
        Assert.AreEqual((hidden, 4.0), ((int)(width * found.MlpRatio), found.TextMlpRatio));
        Assert.AreEqual(architecture, found with { MlpRatio = configured });
        CollectionAssert.AreEquivalent(header.Keys, Header(found, ClipLayout.OpenClip).Keys);
    }

    [TestMethod]
    public void Infer_LogitBias_IsTheSigmoidLosss()
    {
        var header = Header(ClipArchitecture.ViTB32, ClipLayout.OpenClip);
        Assert.IsFalse(Infer(header).HasLogitBias);
        Put(header, "logit_bias");
        Assert.IsTrue(Infer(header).HasLogitBias);
    }

    [TestMethod]
    public void Infer_OpenAINotes_MeanQuickGelu()
    {
        var header = Header(ClipArchitecture.ViTB32, ClipLayout.OpenClip, type: ScalarType.Float16);
        foreach (var note in new[] { "input_resolution", "context_length", "vocab_size" }) Put(header, ScalarType.Int64, note);
        Assert.AreEqual(ClipActivation.QuickGelu, Infer(header, config: PretrainedConfig.Empty).Architecture.Activation);
    }

    [TestMethod]
    public void Infer_ActivationThatNothingTells_SaysWhatToSet()
    {
        var header = Header(ClipArchitecture.ViTB32, ClipLayout.OpenClip);
        var error = Assert.ThrowsExactly<ArgumentException>(() => Infer(header, config: PretrainedConfig.Empty));
        StringAssert.StartsWith(error.Message, "Which form of GELU the model has cannot be told from its weights, and there is no " +
            "configuration beside them.");
        StringAssert.Contains(error.Message, "or set Activation: QuickGelu for OpenAI's weights");
        var wishes = new PretrainedWishes { Activation = ClipActivation.QuickGelu };
        Assert.AreEqual(ClipActivation.QuickGelu, Infer(header, config: PretrainedConfig.Empty, wishes: wishes).Architecture.Activation);
        Assert.AreEqual("Activation is QuickGelu, but 'config.json' says Gelu. Do not set it.", Assert.ThrowsExactly<ArgumentException>(
            () => Infer(header, wishes: wishes)).Message);
    }

    [TestMethod]
    [DataRow(5, null, "The vision tower is 768 wide and cannot have 5 heads. Correct VisionHeads.")]
    [DataRow(null, 7, "The vision tower is 768 wide and cannot have 7 heads, which 'config.json' gives it.")]
    [DataRow(6, 12, "VisionHeads is 6, but 'config.json' says 12. Do not set it.")]
    public void Infer_HeadsThatCannotBe_SaysSo(int? wished, int? configured, string expected)
    {
        var header = Header(ClipArchitecture.ViTB32, ClipLayout.OpenClip);
        var error = Assert.ThrowsExactly<ArgumentException>(() => Infer(header, config: Gelu with { VisionHeads = configured },
            wishes: new PretrainedWishes { VisionHeads = wished }));
        Assert.AreEqual(expected, error.Message);
    }

    [TestMethod]
    public void Infer_WidthWithoutHeads_AsksForThem()
    {
        var header = Header(ClipArchitecture.ViTB32 with { VisionWidth = 96, VisionHeads = 3 }, ClipLayout.OpenClip);
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => Infer(header)).Message, "The vision tower's width 96 is no " +
            "multiple of 64, so its attention heads cannot be told. Set VisionHeads");
    }

    private static readonly Dictionary<string, (Action<Dictionary<string, WeightEntry>> Change, string Fault)> Faulty = new()
    {
        ["missing"] = (h => h.Remove("ln_final.bias"), "The file lacks 1 tensor of its model: 'ln_final.bias'. It is incomplete, or of " +
            "another kind of model."),
        ["size missing"] = (h => h.Remove("text_projection"), "The file lacks 'text_projection', which tells the model's size."),
        ["layer missing"] = (h => h.Remove("transformer.resblocks.3.ln_1.weight"), "The file holds 107 tensors that the model has no " +
            "use for: 'transformer.resblocks.10.attn.in_proj_bias'"),
        ["unknown"] = (h => Put(h, "logit_offset"), "The file holds 1 tensor that the model has no use for: 'logit_offset'."),
        ["shape"] = (h => Put(h, "visual.proj", 768, 500), "1 tensor of the file does not fit the others: 'visual.proj' is [768, 500], " +
            "expected [768, 512]."),
        ["several shapes"] = (h => { Put(h, "visual.proj", 1); Put(h, "ln_final.bias", 3); }, "2 tensors of the file do not fit the " +
            "others: 'visual.proj' is [1], expected [768, 512], 'ln_final.bias' is [3], expected [512]."),
        ["dimensions"] = (h => Put(h, "visual.conv1.weight", 768, 3), "'visual.conv1.weight' is [768, 3]; 4 dimensions above 0 are " +
            "expected."),
        ["no square"] = (h => Put(h, "visual.positional_embedding", 49, 768), "The vision tower has 49 positions; a square number of " +
            "patches and one class token are expected."),
        ["enormous"] = (h => Put(h, "token_embedding.weight", 1L << 40, 512), "A tensor has the dimension 1099511627776; no CLIP model " +
            "has."),
        ["too wide"] = (h => Put(h, "visual.conv1.weight", 64 * 1024, 3, 32, 32), "The shapes give no model: VisionWidth is 65536; " +
            "it must be 1 to 16384."),
        ["half a ResNet"] = (h => Put(h, "visual.layer1.0.conv1.weight", 64, 64, 1, 1),
            "The file lacks 'visual.attnpool.positional_embedding', which tells the model's size."),
        ["ratio"] = (h => Put(h, "visual.transformer.resblocks.0.mlp.c_fc.weight", 3000, 768),
            "'visual.transformer.resblocks.0.mlp.c_fc.bias' is [3072], expected [3000]"),
        ["prefix too long"] = (h => Put(h, "prefix_embedding", 2, 65, 512), "'prefix_embedding' is [2, 65, 512]; at most 64 prefix " +
            "tokens for each dataset type are possible."),
    };

    public static IEnumerable<string> FaultyCases => Faulty.Keys;

    [TestMethod]
    [DynamicData(nameof(FaultyCases))]
    public void Infer_HeaderThatDoesNotFit_NamesTensorsAndShapes(string fault)
    {
        var header = Header(ClipArchitecture.ViTB32, ClipLayout.OpenClip);
        Faulty[fault].Change(header);
        var before = LiveTensors.Count();
        StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => Infer(header)).Message, Faulty[fault].Fault);
        Assert.AreEqual(before, LiveTensors.Count());
    }

    [TestMethod]
    public void Infer_ConfigurationOfAnotherModel_NamesBothSizes()
    {
        var config = Gelu with { Sizes = [new("config.json", "TextLayers", 24)] };
        Assert.AreEqual(
            "The configuration 'config.json' gives TextLayers 24, the shapes of the weights give 12. Weights and configuration do not " +
                "belong together.",
            Assert.ThrowsExactly<InvalidDataException>(() => Infer(Header(ClipArchitecture.ViTB32, ClipLayout.OpenClip),
                config: config)).Message);
    }

    private static void Put(Dictionary<string, WeightEntry> header, string name, params long[] shape) =>
        Put(header, ScalarType.Float32, name, shape);

    private static void Put(Dictionary<string, WeightEntry> header, ScalarType type, string name, params long[] shape) =>
        header[name] = new WeightEntry(name, type, shape, Read: _ => Assert.Fail("A weight was read."));
}
