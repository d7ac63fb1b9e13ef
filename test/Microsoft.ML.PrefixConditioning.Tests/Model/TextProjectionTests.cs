using System.Buffers.Binary;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A text projection for every dataset type, against models that have one.</summary>
[TestClass]
public sealed class TextProjectionTests
{
    private const int Types = 3;

    [TestMethod]
    public void Create_SeparateProjections_AllStartFromTheSharedOnesValues()
    {
        using var scope = NewDisposeScope();
        using ClipModel shared = ClipModel.Create(Shape(2), CPU, 5), separate = ClipModel.Create(Shape(2) with { SeparateTextProjections = true }, CPU, 5);
        var expected = shared.Weights.ToDictionary(w => w.Key, w => w.Value);
        CollectionAssert.AreEqual(
            expected.Keys.Select(n => n == "text_projection" ? "text_projections" : n).ToArray(), separate.Weights.Select(w => w.Key).ToArray());
        foreach (var (name, weight) in separate.Weights)
            if (name != "text_projections") TinyGolden.AreClose(expected[name], weight, 0, name);
            else
                for (var type = 0; type < Types; type++) TinyGolden.AreClose(expected["text_projection"], weight[type], 0, $"type {type}");
        Assert.AreEqual(shared.ParameterCount + (Types - 1) * 16 * 8, separate.ParameterCount);
    }

    [TestMethod]
    [DataRow(0, FastPaths.None)]
    [DataRow(0, FastPaths.All)]
    [DataRow(2, FastPaths.None)]
    [DataRow(2, FastPaths.All)]
    public void EncodeTexts_MixedTypes_EveryRowHasItsTypesMatrix(int prefixLength, FastPaths fastPaths)
    {
        using var scope = NewDisposeScope();
        using var model = Different(prefixLength, fastPaths);
        var (_, ids, types) = FusedTowerTests.Batch(model.Shape, 12, 9);
        Tensor embeddings, none;
        using (no_grad()) (embeddings, none) = (model.EncodeTexts(ids, types), model.EncodeTexts(ids, null));
        var matrices = Projections(model);
        for (var type = 0; type < Types; type++)
        {
            using var one = WithOneMatrix(model, matrices[type]);
            var rows = RowsOf(types, type);
            using (no_grad())
                TinyGolden.AreClose(one.EncodeTexts(ids, types).index_select(0, rows), embeddings.index_select(0, rows), 2e-6, $"type {type}");
        }
        using var mean = WithOneMatrix(model, matrices.mean([0]));
        using (no_grad()) TinyGolden.AreClose(mean.EncodeTexts(ids, null), none, 2e-6, "none");
        Assert.IsGreaterThan(0.01, (embeddings - none).abs().max().ToDouble(), "the matrices must matter");
    }

    [TestMethod]
    [DataRow(FastPaths.None)]
    [DataRow(FastPaths.All)]
    public void Backward_MixedTypes_EveryMatrixLearnsFromItsOwnRows(FastPaths fastPaths)
    {
        using var scope = NewDisposeScope();
        using var model = Different(1, fastPaths);
        var (_, ids, types) = FusedTowerTests.Batch(model.Shape, 12, 9);
        var cotangent = SwinModel.Tensor("text.cotangent", 12, 8);
        Backward(model, ids, types, cotangent);
        var matrices = Projections(model);
        var others = model.Weights.Where(w => w.Key != "text_projections" && w.Value.grad is not null).ToDictionary(w => w.Key, w => zeros_like(w.Value, requires_grad: false));
        for (var type = 0; type < Types; type++)
        {
            using var one = WithOneMatrix(model, matrices[type]);
            var rows = RowsOf(types, type);
            Backward(one, ids.index_select(0, rows), types.index_select(0, rows), cotangent.index_select(0, rows));
            var gradients = one.Weights.Where(w => w.Value.grad is not null).ToDictionary(w => w.Key, w => w.Value.grad!);
            TinyGolden.AreRelativelyClose(gradients["text_projection"], model.Weights.Single(w => w.Key == "text_projections").Value.grad![type], 1e-5, $"type {type}");
            foreach (var (name, sum) in others) sum.add_(gradients[name]);
        }
        foreach (var (name, sum) in others)
            TinyGolden.AreRelativelyClose(sum, model.Weights.Single(w => w.Key == name).Value.grad!, 1e-5, name);
        Assert.IsGreaterThan(10, others.Count);
    }

    [TestMethod]
    public void FromTokens_Blend_IsTheMeanOfTheTypesClassEmbeddings()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = Different(0, FastPaths.All);
        int[][] sentences = [[48, 3, 4, 49], [48, 5, 49], [48, 6, 7, 8, 49], [48, 9, 49]];
        Tensor Classes(params (int, double)[] prefixes) => ClassEmbeddings.FromTokens(model, sentences, 2, prefixes);
        TinyGolden.AreClose(nn.functional.normalize(0.75 * Classes((0, 1)) + 0.25 * Classes((2, 1)), p: 2, dim: 1), Classes((0, 0.75), (2, 0.25)), 1e-6, "blend");
        using var mean = WithOneMatrix(model, Projections(model).mean([0]));
        TinyGolden.AreClose(ClassEmbeddings.FromTokens(mean, sentences, 2, []), Classes(), 1e-6, "none");
    }

    [TestMethod]
    public void EncodeClasses_EveryPrefix_IsKeptForItself()
    {
        using var scope = NewDisposeScope();
        using var model = Trained();
        string[] names = ["red square", "blue disc"];
        PrefixSelection[] prefixes = [PrefixSelection.Caption, PrefixSelection.For("classification"), PrefixSelection.None, PrefixSelection.Blend(("caption", 1), ("classification", 1))];
        var first = prefixes.Select(p => model.EncodeClasses(names, PromptTemplates.NameOnly, p)).ToArray();
        for (var i = 0; i < prefixes.Length; i++)
        {
            CollectionAssert.AreEqual(first[i], model.EncodeClasses(names, PromptTemplates.NameOnly, prefixes[i]), $"{prefixes[i]}");
            for (var j = 0; j < i; j++) Assert.IsGreaterThan(1e-3f, OnnxModels.Difference(first[i], first[j]), $"{prefixes[i]}, {prefixes[j]}");
        }
    }

    [TestMethod]
    public void SaveAndLoad_SeparateProjections_RoundTripsWithVersion4()
    {
        using var model = new PrefixClipTransformer(new MLContext(1), Trained());
        var saved = new SavedModel(model);
        using var loaded = (PrefixClipTransformer)saved.Load(out _);
        Assert.IsTrue(loaded.Model.Settings.SeparateTextProjections);
        DrawnData.AreBitEqual(DrawnData.Weights(model), DrawnData.Weights(loaded));
        foreach (var prefix in new[] { PrefixSelection.Caption, PrefixSelection.For("classification"), PrefixSelection.None })
            CollectionAssert.AreEqual(model.EncodeText(["a red square"], prefix)[0], loaded.EncodeText(["a red square"], prefix)[0]);
        Assert.AreEqual(4, Version(saved));

        using var shared = new PrefixClipTransformer(new MLContext(1), SmallModel.CreateTrained());
        var plain = new SavedModel(shared);
        Assert.AreEqual(3, Version(plain));
        Assert.DoesNotContain("SeparateTextProjections", Encoding.UTF8.GetString(plain.Part("settings.json")), "older versions of the package read it");
    }

    [TestMethod]
    public void SaveSafetensors_SeparateProjections_SaysWhatIsPossible()
    {
        using var model = new PrefixClipTransformer(new MLContext(1), Trained());
        using var folder = new ModelFolder();
        foreach (var layout in Enum.GetValues<ClipLayout>())
            Assert.AreEqual(
                "Models with a text projection per dataset type have no place in open_clip's or Hugging Face's layout; save this one with " +
                "mlContext.Model.Save, and its class embeddings for other programs with SaveClassEmbeddings.",
                Assert.ThrowsExactly<NotSupportedException>(() => model.SaveSafetensors(folder["x"], layout)).Message);
        Assert.IsFalse(Directory.Exists(folder["x"]));
    }

    private static ClipModelShape Shape(int prefixLength) => new(SmallModel.Architecture, 50, Types, prefixLength, 0);

    /// <summary>A model whose matrices differ, as after training, and whose prefixes matter.</summary>
    private static ClipModel Different(int prefixLength, FastPaths fastPaths)
    {
        var model = ClipModel.Create(Shape(prefixLength) with { SeparateTextProjections = true }, CPU, 3, fastPaths);
        MakeDifferent(model);
        return model;
    }

    private static TrainedModel Trained()
    {
        var options = DrawnData.Options with { PrefixLength = 0, SeparateTextProjections = true };
        var settings = ModelSettings.From(options, options.DatasetTypes, SmallModel.Tokenizer.VocabularySize);
        var model = ClipModel.Create(settings.Shape, CPU, 1);
        MakeDifferent(model);
        return new TrainedModel(model, SmallModel.Tokenizer, settings, TrainingHistory.Empty);
    }

    private static void MakeDifferent(ClipModel model)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var generator = new Generator(9, CPU);
        foreach (var (_, weight) in model.Weights.Where(w => w.Key is "text_projections" or "prefix_embedding"))
            weight.add_(empty(weight.shape).normal_(0, 0.3, generator));
    }

    /// <summary>The same model but for one matrix that all types share.</summary>
    private static ClipModel WithOneMatrix(ClipModel model, Tensor matrix)
    {
        var shared = ClipModel.Create(model.Shape with { SeparateTextProjections = false }, CPU, 1, FastPaths.None);
        var weights = model.Weights.ToDictionary(w => w.Key, w => w.Value);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (name, weight) in shared.Weights) weight.copy_(name == "text_projection" ? matrix : weights[name]);
        return shared;
    }

    private static Tensor Projections(ClipModel model) => model.Weights.Single(w => w.Key == "text_projections").Value.detach();

    private static Tensor RowsOf(Tensor types, long type) =>
        tensor(types.data<long>().ToArray().Select((t, i) => (t, i)).Where(r => r.t == type).Select(r => (long)r.i).ToArray());

    private static void Backward(ClipModel model, Tensor ids, Tensor types, Tensor cotangent)
    {
        using var pass = model.BeginTexts(ids, types);
        pass.Backward(cotangent);
    }

    private static int Version(SavedModel saved)
    {
        var header = saved.Part("Model.key");
        return BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(SavedModel.StartOfList(header)));
    }
}
