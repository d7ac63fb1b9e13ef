using System.Buffers.Binary;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What every vision tower needs to work from training to export. A new tower joins <see cref="Architectures"/>.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class EveryTowerTests
{
    private static readonly Dictionary<string, ClipArchitecture> Architectures = new()
    {
        ["VisionTransformer"] = SmallModel.Architecture,
        ["ResNet"] = SmallModel.Architecture with
        {
            ImageSize = 64,
            PatchSize = 32,
            VisionWidth = 4,
            VisionHeads = 2,
            VisionLayers = 4,
            ResNet = new ResNetStages(1, 1, 1, 1),
        },
        ["Swin"] = SwinModel.Architecture,
        ["Swin with stochastic depth"] = SwinModel.WithDepth(0.25),
    };

    public static IEnumerable<object[]> Names => Architectures.Keys.Select(name => new object[] { name });

    public static IEnumerable<object[]> Losses => Enum.GetValues<LossFunction>().Select(loss => new object[] { loss });

    [TestMethod]
    public void Architectures_AreOfEveryTowerAndKind()
    {
        var towers = typeof(IVisionTower).Assembly.GetTypes().Where(t => !t.IsInterface && t.IsAssignableTo(typeof(IVisionTower)));
        var built = Architectures.Values.Select(architecture =>
        {
            using var model = Create(architecture);
            return model.Vision.GetType();
        });
        CollectionAssert.AreEquivalent(towers.ToArray(), built.Distinct().ToArray());
        // A kind has a record of its sizes, which says what is peculiar to it.
        var kinds = typeof(ClipArchitecture).GetProperties()
            .Where(p => p.PropertyType.GetProperty("Kind", Reflected)?.PropertyType == typeof(VisionKind)).Select(p => p.Name);
        CollectionAssert.AreEquivalent(
            kinds.ToArray(), Architectures.Values.Select(a => a.VisionKind?.Name).OfType<string>().Distinct().ToArray());
    }

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Architecture_OfEveryTower_IsValid(string name) => Assert.IsEmpty(OptionFaults.Of(Architectures[name]));

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Weights_OfEveryTower_HaveAPartAndARate(string name)
    {
        using var model = Create(Architectures[name]);
        foreach (var (weight, _) in model.Weights)
            Assert.IsInRange(
                0, 1, TrainingPlan.RateFactor(model.PlaceOf(weight), Architectures[name], new() { LayerDecay = 0.5 }), weight);
    }

    [TestMethod]
    [DynamicData(nameof(Losses))]
    public void Step_EveryLossOnEveryTower_ReachesEveryWeight(LossFunction loss)
    {
        foreach (var (name, architecture) in Architectures)
        {
            using var scope = NewDisposeScope();
            var options = new PrefixClipOptions { Architecture = architecture, Loss = loss };
            using var model = Create(architecture, loss);
            using var optimizer = new ClipOptimizer(TrainingPlan.Apply(model, options.FineTuning), options.Optimizer, _ => 1, false);
            using var step = new ContrastiveStep(model, optimizer, options);
            var texts = OnnxModels.Tokens(4);
            var batch = new TrainingBatch([0, 1, 2, 3], OnnxModels.Pixels(4, architecture.ImageSize),
                new BatchTexts(texts, [0, 0, 1, 1], [0, 1, 2, 3]), [-1, -2, 0, 0], [0, 0, 1, 1]);

            Assert.IsTrue(double.IsFinite(step.Backward(batch)), name);

            foreach (var (weight, value) in model.Weights.Where(w => w.Value.requires_grad))
                Assert.IsTrue(value.grad is { } gradient && gradient.isfinite().all().ToBoolean(), $"{name}: {weight}");
        }
    }

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void SaveAndLoad_EveryTower_KeepsEmbeddingsAndWritesItsVersion(string name)
    {
        var architecture = Architectures[name];
        foreach (var precision in new[] { Precision.Float32, Precision.BFloat16 })
        {
            using var trained = OnnxModels.Create(architecture: architecture);
            using var model = new PrefixClipTransformer(new MLContext(1), trained).WithPrecision(precision);
            var saved = new SavedModel(model);
            using var loaded = (PrefixClipTransformer)saved.Load(out _);
            var pixels = OnnxModels.Pixels(2, architecture.ImageSize);
            CollectionAssert.AreEqual(model.Trained.EncodeImages(pixels, 2, null), loaded.Trained.EncodeImages(pixels, 2, null));
            Assert.AreEqual(architecture, loaded.Architecture);
            var expected = precision == Precision.BFloat16 ? 5 : architecture.Swin?.StochasticDepth > 0 ? 4 : 3;
            var list = saved.Part("Model.key");
            Assert.AreEqual(expected, BinaryPrimitives.ReadInt32LittleEndian(list.AsSpan(SavedModel.StartOfList(list))), $"{precision}");
        }
    }

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Documents_NameEveryTower(string name)
    {
        if (Architectures[name].VisionKind is not { } kind) return;
        foreach (var page in new[] { "README.md", "docs/onnx.md", "docs/options.md", "docs/pretrained.md", "docs/architecture.md" })
            Assert.IsTrue(File.ReadAllText(Repository.Path(page)).Contains(kind.Name, StringComparison.Ordinal), page);
    }

    private static ClipModel Create(ClipArchitecture architecture, LossFunction loss = LossFunction.Clip) => ClipModel.Create(
        new ClipModelShape(architecture, SmallModel.Tokenizer.VocabularySize, 2, 1, 0, HasLogitBias: loss == LossFunction.SigLip), CPU, 1);

    private const System.Reflection.BindingFlags Reflected =
        System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.NonPublic;
}
