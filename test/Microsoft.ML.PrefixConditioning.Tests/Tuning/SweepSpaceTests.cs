using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML.SearchSpace;
using Bounds = System.ComponentModel.DataAnnotations.RangeAttribute;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What a search varies, and the shapes that AutoML's search space needs.</summary>
[TestClass]
public sealed class SweepSpaceTests
{
    private static readonly PrefixClipOptions Defaults = new();

    private static IEnumerable<(object Group, PropertyInfo Property)> Swept(object group)
    {
        foreach (var property in group.GetType().GetProperties())
            if (property.IsDefined(typeof(NestOptionAttribute)))
                foreach (var inner in Swept(property.GetValue(group)!)) yield return inner;
            else if (property.IsDefined(typeof(RangeAttribute)) || property.IsDefined(typeof(ChoiceAttribute)))
                yield return (group, property);
    }

    [TestMethod]
    public void Ranges_OfEverySweptSetting_StartAtItsDefaultAndAreValid()
    {
        var swept = Swept(Defaults).ToArray();
        Assert.HasCount(9, swept);
        foreach (var (group, property) in swept)
        {
            var initial = property.GetValue(group);
            if (property.GetCustomAttribute<ChoiceAttribute>() is { } choice)
            {
                Assert.IsTrue(property.PropertyType.IsEnum, property.Name);   // AutoML knows no other choices than these and plain values
                CollectionAssert.Contains(choice.Candidates, initial, property.Name);
                continue;
            }
            var range = property.GetCustomAttribute<RangeAttribute>()!;
            Assert.AreEqual(initial, range.Init, property.Name);
            Assert.AreEqual(property.PropertyType, range.Min.GetType(), property.Name);
            var bounds = property.GetCustomAttribute<Bounds>()!;
            foreach (var value in new[] { range.Min, range.Init, range.Max })
                Assert.IsTrue(bounds.IsValid(value), $"{property.Name} {value}");
        }
    }

    // AutoML makes options by their parameterless constructor, sets their properties from JSON, and runs any estimator.
    [TestMethod]
    public void Options_HaveTheShapesThatAutoMLNeeds()
    {
        static T Create<T>() where T : class, new() => new();
        Assert.AreEqual(Defaults.LearningRate, Create<PrefixClipOptions>().LearningRate);
        foreach (var (group, property) in Swept(Defaults))
        {
            Assert.IsNotNull(group.GetType().GetConstructor([]), group.GetType().Name);
            Assert.IsTrue(property.CanRead && property.CanWrite, property.Name);
        }
        IEstimator<ITransformer> estimator = new MLContext(1).Transforms.PrefixClip(Defaults);
        Assert.IsNotNull(estimator);
    }

    [TestMethod]
    public void Json_OfOptions_ReadsBackEverySetting()
    {
        var options = new PrefixClipOptions
        {
            Architecture = ClipArchitecture.SmallSwin with { TextMlpRatio = 3 }, DatasetTypes = [DatasetType.Caption],
            DatasetTypeWeights = new Dictionary<string, double> { ["caption"] = 2 }, PromptTemplates = PromptTemplates.Of("a {}", "{} b"),
            ValidationPrefix = PrefixSelection.Blend(("caption", 1.25), ("x", -0.25)), Loss = LossFunction.SigLip, Seed = 5,
            Optimizer = new() { Beta2 = 0.9 }, FineTuning = new() { TrainableParts = TrainableParts.Vision | TrainableParts.Text },
            Columns = new() { Image = "I" }, Checkpoints = new() { Folder = "f" }, Augmentation = new() { MinCropScale = 0.5 },
        };
        var json = new JsonSerializerOptions { Converters = { new JsonStringEnumConverter() } };
        var text = JsonSerializer.Serialize(options, json);
        var read = JsonSerializer.Deserialize<PrefixClipOptions>(text, json)!;
        Assert.AreEqual(text, JsonSerializer.Serialize(read, json));
        Assert.AreEqual((options.Architecture, options.Optimizer, options.FineTuning, options.Columns, options.Checkpoints),
            (read.Architecture, read.Optimizer, read.FineTuning, read.Columns, read.Checkpoints));
        Assert.AreEqual((options.PromptTemplates, options.ValidationPrefix, 5), (read.PromptTemplates, read.ValidationPrefix, read.Seed));
        foreach (var prefix in new[] { PrefixSelection.Auto, PrefixSelection.None, PrefixSelection.Caption })
            Assert.AreEqual(prefix, JsonSerializer.Deserialize<PrefixSelection>(JsonSerializer.Serialize(prefix)));
    }

    [TestMethod]
    public void With_NoSettings_KeepsEveryOption()
    {
        using var source = new CancellationTokenSource();
        var context = new MLContext(1);
        var options = new PrefixClipOptions
        {
            ValidationSet = context.Data.LoadFromEnumerable(new[] { new DrawnData.Row() }), CancellationToken = source.Token,
            Progress = new Progress<TrainingProgress>(), ProcessGroup = ThreadGroup.Run(1, group => group)[0].Result,
            UseTensorOperations = true, Epochs = 3,
        };
        var same = SweepSpace.With(options, new Dictionary<string, string>());
        const BindingFlags Any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
        foreach (var property in typeof(PrefixClipOptions).GetProperties(Any).Where(p =>
            p.CanWrite && p.IsDefined(typeof(JsonIgnoreAttribute)) || p.Name == nameof(PrefixClipOptions.UseTensorOperations)))
            Assert.AreEqual(property.GetValue(options), property.GetValue(same), property.Name);
        Assert.AreEqual(SweepSpace.ToJson(options), SweepSpace.ToJson(same));
    }

    [TestMethod]
    public void With_Settings_ChangesTheseAlone()
    {
        var changed = SweepSpace.With(Defaults, new Dictionary<string, string>
        {
            ["LearningRate"] = "0.001", ["Loss"] = "UniCl", ["Optimizer.WeightDecay"] = "0.05", ["PrefixLength"] = "3",
        });
        Assert.AreEqual(SweepSpace.ToJson(Defaults with
        {
            LearningRate = 0.001,
            Loss = LossFunction.UniCl,
            Optimizer = new() { WeightDecay = 0.05 },
            PrefixLength = 3,
        }), SweepSpace.ToJson(changed));
        Assert.ThrowsExactly<JsonException>(() => SweepSpace.With(Defaults, new Dictionary<string, string> { ["Other.Thing"] = "1" }));
    }

    [TestMethod]
    public void Draw_ManyTrials_StaysInRangeAndReachesAll()
    {
        var fineTuned = Defaults with { InitialWeights = "x" };
        var drawn = Enumerable.Range(1, 400).Select(trial => SweepSpace.Draw(fineTuned, 3, trial)).ToArray();
        Assert.IsEmpty(SweepSpace.Draw(fineTuned, 3, 0));
        foreach (var settings in drawn)
        {
            Assert.HasCount(9, settings);
            Assert.IsEmpty(OptionFaults.Of(SweepSpace.With(fineTuned, settings)));
        }
        var rates = drawn.Select(s => double.Parse(s["LearningRate"], CultureInfo.InvariantCulture)).ToArray();
        Assert.IsTrue(rates.All(r => r is >= 1e-5 and <= 1e-2));
        Assert.AreEqual(200, rates.Count(r => r < Math.Sqrt(1e-5 * 1e-2)), 40);   // the middle of a logarithmic scale
        foreach (var length in new[] { 1, 2, 3, 4 })
            Assert.AreEqual(100, drawn.Count(s => s["PrefixLength"] == $"{length}"), 40);
        CollectionAssert.AreEquivalent(Enum.GetNames<LossFunction>(), drawn.Select(s => s["Loss"]).Distinct().ToArray());
        CollectionAssert.AreEqual(drawn[5].ToArray(), SweepSpace.Draw(fineTuned, 3, 6).ToArray());
        CollectionAssert.AreNotEqual(drawn[5].ToArray(), SweepSpace.Draw(fineTuned, 4, 6).ToArray());
        Assert.IsFalse(SweepSpace.Draw(Defaults, 3, 1).Keys.Any(k => k.StartsWith("FineTuning", StringComparison.Ordinal)));
    }
}
