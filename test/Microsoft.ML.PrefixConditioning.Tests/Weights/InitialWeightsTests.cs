using System.Text.Json;
using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The initial weights against the distributions that test/golden/clip_vit_tiny/init_reference.json names.</summary>
[TestClass]
public sealed class InitialWeightsTests
{
    private const int Vocabulary = 512;

    private static readonly Regex NormalRule = new(@"^normal\(0, (.+?)\)(   .*)?$");
    private static readonly Regex UniformRule = new(@"uniform\(\+-(.+?)\)( \(.*\))?(;.*)?$");

    [TestMethod]
    public void Create_NoPrefix_HasTheReferencesNamesAndShapes()
    {
        using var scope = NewDisposeScope();
        using var model = ClipModel.Create(new ClipModelShape(TinyGolden.Architecture(ClipActivation.Gelu), Vocabulary, 2, 0, 0), CPU, 1);
        var reference = TinyGolden.Tensors("clip_vit_tiny", "model_open_clip.safetensors");
        CollectionAssert.AreEquivalent(reference.Keys, model.Weights.Select(w => w.Key).ToArray());
        foreach (var (name, weight) in model.Weights)
        {
            CollectionAssert.AreEqual(reference[name].shape, weight.shape, name);
            Assert.AreEqual(ScalarType.Float32, weight.dtype, name);
            Assert.IsTrue(weight.requires_grad && weight.is_leaf, name);
        }
        Assert.AreEqual(reference.Values.Sum(t => t.numel()), model.ParameterCount);
    }

    [TestMethod]
    public void Create_WithPrefixes_AddsTheTwoTablesOnly()
    {
        using var scope = NewDisposeScope();
        using var plain = SmallModel.Create(prefixLength: 0);
        using var model = SmallModel.Create(prefixLength: 3, imagePrefixLength: 2);
        var added = model.Weights.ExceptBy(plain.Weights.Select(w => w.Key), w => w.Key).ToDictionary(w => w.Key, w => w.Value);
        DataTestRows.Equal<string>(["prefix_embedding", "visual.prefix_embedding"], added.Keys.Order(StringComparer.Ordinal));
        DataTestRows.Equal<long>([2, 3, 16], added["prefix_embedding"].shape);
        DataTestRows.Equal<long>([2, 2, 16], added["visual.prefix_embedding"].shape);
    }

    [TestMethod]
    public void Create_ManySeeds_FollowTheReferencesDistributions()
    {
        var architecture = TinyGolden.Architecture(ClipActivation.Gelu);
        var symbols = new Dictionary<string, double>
        {
            ["W"] = architecture.VisionWidth, ["T"] = architecture.TextWidth, ["Lt"] = architecture.TextLayers,
            ["patch"] = architecture.PatchSize,
        };
        using var document = JsonDocument.Parse(File.ReadAllText(Golden.Path("clip_vit_tiny", "init_reference.json")));
        var rules = document.RootElement.EnumerateObject().Where(p => p.Name != "note")
            .SelectMany(p => p.Name.Split(" / ").Select(name => (Pattern: NamePattern(name), Text: p.Value.GetString()!))).ToArray();

        using var scope = NewDisposeScope();
        var drawn = new Dictionary<string, List<Tensor>>();
        for (var seed = 1UL; seed <= 8; seed++)
        {
            using var model = ClipModel.Create(new ClipModelShape(architecture, Vocabulary, 2, 8, 0), CPU, seed);
            foreach (var (name, weight) in model.Weights)
            {
                if (!drawn.TryGetValue(name, out var all)) drawn.Add(name, all = []);
                all.Add(weight.detach().clone().flatten());
            }
        }
        foreach (var (name, parts) in drawn)
        {
            var rule = name == "prefix_embedding" ? "normal(0, 0.02)" : rules.Single(r => r.Pattern.IsMatch(name)).Text;
            Check(name, rule, cat(parts, 0).to_type(ScalarType.Float64), symbols);
        }
    }

    [TestMethod]
    public void Create_SameSeed_GivesSameWeights()
    {
        using var scope = NewDisposeScope();
        using var first = SmallModel.Create(seed: 3);
        using var second = SmallModel.Create(seed: 3);
        using var other = SmallModel.Create(seed: 4);
        foreach (var ((name, a), (_, b)) in first.Weights.Zip(second.Weights)) Assert.IsTrue(a.equal(b).all().ToBoolean(), name);
        Assert.IsTrue(first.Weights.Zip(other.Weights).Any(w => !w.First.Value.equal(w.Second.Value).all().ToBoolean()));
    }

    [TestMethod]
    public void Dispose_Model_LeavesNoTensor()
    {
        var before = LiveTensors.Count();
        var model = SmallModel.Create(prefixLength: 2, imagePrefixLength: 1);
        Assert.IsGreaterThanOrEqualTo(before + model.Weights.Count, LiveTensors.Count());
        model.Dispose();
        Assert.AreEqual(before, LiveTensors.Count());
    }

    /// <summary>Checks drawn values against "normal(0, s)", "uniform(+-b)" or a constant; five standard errors of N values are
    /// allowed.</summary>
    private static void Check(string name, string rule, Tensor values, Dictionary<string, double> symbols)
    {
        double count = values.numel(), mean = values.mean().ToDouble(), std = values.std(false).ToDouble(),
            largest = values.abs().max().ToDouble();
        if (NormalRule.Match(rule) is { Success: true } normal)
        {
            var expected = Value(normal.Groups[1].Value, symbols);
            Assert.AreEqual(expected, std, 5 * expected / Math.Sqrt(2 * count), $"{name}: {rule}");
            Assert.AreEqual(0, mean, 5 * expected / Math.Sqrt(count), $"{name}: {rule}");
            Assert.IsGreaterThan(2.5 * expected, largest, $"{name}: {rule}, which is not uniform");
        }
        else if (UniformRule.Match(rule) is { Success: true } uniform)
        {
            var bound = Value(uniform.Groups[1].Value, symbols);
            Assert.IsTrue(largest <= bound && largest > 0.97 * bound, $"{name}: {rule}; largest value {largest}, bound {bound}");
            Assert.AreEqual(bound / Math.Sqrt(3), std, 5 * bound / Math.Sqrt(count), $"{name}: {rule}");
            Assert.AreEqual(0, mean, 5 * bound / Math.Sqrt(3 * count), $"{name}: {rule}");
        }
        else
        {
            var constant = rule.StartsWith("constant", StringComparison.Ordinal) ? Math.Log(1 / 0.07)
                : double.Parse(rule, System.Globalization.CultureInfo.InvariantCulture);
            Assert.AreEqual(constant, mean, 1e-6, $"{name}: {rule}");
            Assert.AreEqual(0, std, 1e-12, $"{name}: {rule}");
        }
    }

    /// <summary>The few formulas of the file.</summary>
    private static double Value(string formula, Dictionary<string, double> symbols) => formula switch
    {
        "W^-0.5" or "1/sqrt(W)" => 1 / Math.Sqrt(symbols["W"]),
        "T^-0.5" or "1/sqrt(T)" => 1 / Math.Sqrt(symbols["T"]),
        "1/sqrt(4W)" => 1 / Math.Sqrt(4 * symbols["W"]),
        "1/sqrt(4T)" => 1 / Math.Sqrt(4 * symbols["T"]),
        "(2T)^-0.5" => 1 / Math.Sqrt(2 * symbols["T"]),
        "T^-0.5 * (2*Lt)^-0.5" => 1 / Math.Sqrt(symbols["T"] * 2 * symbols["Lt"]),
        "sqrt(6/(W+3W))" => Math.Sqrt(6 / (4 * symbols["W"])),
        "1/sqrt(3*patch*patch)" => 1 / Math.Sqrt(3 * symbols["patch"] * symbols["patch"]),
        _ => double.Parse(formula, System.Globalization.CultureInfo.InvariantCulture),
    };

    private static Regex NamePattern(string name)
    {
        // "visual.*.ln_*.weight" also means ln_pre and ln_post, which stand in no block.
        var pattern = Regex.Escape(name).Replace(@"\.\*\.", @"(\..*)?\.", StringComparison.Ordinal).Replace(@"\*", @"\w*",
            StringComparison.Ordinal);
        return new Regex($"^{pattern}$");
    }
}
