using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Zero-shot classifiers against open_clip v3.3.0: 1e-5 on unit vectors, 1e-3 on logits, as test/golden/zeroshot states.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class ClassEmbeddingsTests
{
    private static int[][] Sentences(Tensor tokens)
    {
        var ids = tokens.data<long>().ToArray();
        return [.. ids.Chunk((int)tokens.shape[1]).Select(row => row.Take(Array.IndexOf(row, 511L) + 1).Select(i => (int)i).ToArray())];
    }

    [TestMethod]
    [DataRow(ClipActivation.Gelu, "gelu")]
    [DataRow(ClipActivation.QuickGelu, "quickgelu")]
    public void FromTokens_GoldenSentences_EqualsReferenceClassifier(ClipActivation activation, string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyGolden.Load(activation);
        var golden = TinyGolden.Tensors("zeroshot", "zeroshot.safetensors");
        var sentences = Sentences(golden["tokens"]);
        Assert.HasCount(30, sentences);

        TinyGolden.AreClose(golden[$"{name}.template_embeddings"], ClassEmbeddings.Encode(model, sentences, null).view(10, 3, 64), 1e-5,
            "template embeddings");
        var classes = ClassEmbeddings.FromTokens(model, sentences, 3, []);
        var classifier = golden[$"{name}.classifier"].transpose(0, 1);
        TinyGolden.AreClose(classifier, classes, 1e-5, "class embeddings");
        TinyGolden.AreClose(ones([10], ScalarType.Float64), classes.to_type(ScalarType.Float64).pow(2).sum(1).sqrt(), 1e-6, "length");
        var wrong = golden[$"{name}.wrong_classifier_mean_of_unnormalised"].transpose(0, 1);
        Assert.IsGreaterThan(1e-3, (wrong - classes).abs().max().ToDouble(),
            "the mean of embeddings that are not of unit length is a known mistake");

        var images = model.EncodeImages(TinyGolden.Tensors("clip_vit_tiny", "inputs.safetensors")["images"], null);
        TinyGolden.AreClose(golden[$"{name}.image_features"], images, 1e-5, "images");
        var logits = 100 * images.matmul(classes.transpose(0, 1));
        TinyGolden.AreClose(golden[$"{name}.logits_100x"], logits, 1e-3, "logits at the reference's scale");
        TinyGolden.AreClose(golden[$"{name}.logits_model_scale"], model.LogitScale.exp() * logits / 100, 1e-3,
            "logits at the model's scale");
        var (values, indices) = logits.topk(5, dim: 1);
        TinyGolden.AreClose(golden[$"{name}.top5_values"], values, 1e-3, "top 5");
        CollectionAssert.AreEqual(golden[$"{name}.top5_indices"].data<long>().ToArray(), indices.data<long>().ToArray());
    }

    [TestMethod]
    [DataRow(ClipActivation.Gelu, "gelu")]
    [DataRow(ClipActivation.QuickGelu, "quickgelu")]
    public void Score_GoldenImages_EqualsReferenceProbabilities(ClipActivation activation, string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyGolden.Load(activation);
        var golden = TinyGolden.Tensors("zeroshot", "zeroshot.safetensors");
        using var document = JsonDocument.Parse(File.ReadAllText(Golden.Path("zeroshot", "expectations.json")));
        var expected = document.RootElement.GetProperty(name).GetProperty("probabilities_softmax_100x");
        var classNames = document.RootElement.GetProperty("class_names").EnumerateArray().Select(n => n.GetString()!).ToArray();
        var classifier = new ZeroShotClassifier
        {
            ClassNames = classNames, Embeddings = ClassEmbeddings.FromTokens(model, Sentences(golden["tokens"]), 3,
                []).data<float>().ToArray(), LogitScale = 100,
            Prefix = PrefixSelection.None, ImageColumnName = "Image", LabelColumnName = "Label", ScoreColumnName = "Score",
            PredictedLabelColumnName = "PredictedLabel",
        };
        var images = model.EncodeImages(TinyGolden.Tensors("clip_vit_tiny", "inputs.safetensors")["images"],
            null).data<float>().ToArray().Chunk(64).ToArray();
        var scores = new float[10];
        for (var image = 0; image < 5; image++)
        {
            classifier.Score(images[image], scores);
            // A logit may differ by 1e-3, and so a probability p by 1e-3 p.
            for (var c = 0; c < 10; c++)
            {
                var probability = expected[image][c].GetDouble();
                Assert.AreEqual(probability, scores[c], 1e-3 * probability + 1e-7, $"image {image}, class {c}");
            }
            Assert.AreEqual(1, scores.Sum(s => (double)s), 1e-5);
        }
    }

    [TestMethod]
    public void FromTokens_Blend_IsTheWeightedMeanOfUnitLength()
    {
        using var scope = NewDisposeScope();
        using var model = SmallModel.CreateWithLargePrefixes();
        string[] texts = ["a red square", "a blue disc", "red", "blue square"];
        int[][] sentences = [.. texts.Select(s => SmallModel.Tokenizer.Encode(s, 16))];
        var caption = ClassEmbeddings.FromTokens(model, sentences, 2, [(0, 1)]);
        var classification = ClassEmbeddings.FromTokens(model, sentences, 2, [(1, 1)]);
        Assert.IsGreaterThan(1e-3, (caption - classification).abs().max().ToDouble(), "the prefix must matter");
        var blend = ClassEmbeddings.FromTokens(model, sentences, 2, [(0, 0.75), (1, 0.25)]);
        TinyGolden.AreClose(nn.functional.normalize(0.75 * caption + 0.25 * classification, p: 2, dim: 1), blend, 1e-6, "blend");
    }

    [TestMethod]
    public void FromTokens_NoneOnAModelWithPrefixes_EqualsAPlainModel()
    {
        using var scope = NewDisposeScope();
        using var plain = TinyGolden.Load(ClipActivation.Gelu);
        using var prefixed = TinyGolden.Load(ClipActivation.Gelu, datasetTypes: 2, prefixLength: 4);
        var golden = TinyGolden.Tensors("zeroshot", "zeroshot.safetensors");
        var sentences = Sentences(golden["tokens"]);
        TinyGolden.AreClose(golden["gelu.classifier"].transpose(0, 1), ClassEmbeddings.FromTokens(prefixed, sentences, 3, []), 1e-5,
            "no prefix");
        var tokens = TinyGolden.Tensors("clip_vit_tiny", "inputs.safetensors")["tokens"];
        TinyGolden.AreClose(TinyGolden.Tensors("clip_vit_tiny", "outputs_gelu.safetensors")["text_features"],
            prefixed.EncodeTexts(tokens, null), 1e-5, "text features");
        Assert.IsGreaterThan(1e-4,
            (plain.EncodeTexts(tokens, null) - prefixed.EncodeTexts(tokens, zeros([5], ScalarType.Int64))).abs().max().ToDouble());
    }

    [TestMethod]
    public void Compute_MoreTextsThanOnePass_EqualsOneByOne()
    {
        using var scope = NewDisposeScope();
        using var model = SmallModel.CreateWithLargePrefixes();
        var names = Enumerable.Range(0, 150).Select(i => $"class {i}").ToArray();
        var templates = PromptTemplates.Of("{}", "a red {}.");
        var all = ClassEmbeddings.Compute(model, SmallModel.Tokenizer, names, templates, [(1, 1)]);
        DataTestRows.Equal<long>([150, 8], all.shape);
        foreach (var i in new[] { 0, 127, 128, 149 })
            TinyGolden.AreClose(ClassEmbeddings.Compute(model, SmallModel.Tokenizer, [names[i]], templates, [(1, 1)]), all.narrow(0, i, 1),
                1e-5, names[i]);
    }

    [TestMethod]
    public void Compute_ManyNames_CanBeStoppedBeforeEveryPass()
    {
        using var model = SmallModel.Create();
        string[] names = [.. Enumerable.Range(0, 600).Select(i => $"name {i}")];
        var passes = new List<int>();
        ClassEmbeddings.Compute(model, SmallModel.Tokenizer, names, PromptTemplates.NameOnly, [], passes.Add).Dispose();
        DataTestRows.Equal([0, 0, 0, 0, 256, 512], passes);   // words to ids, then the tower

        var before = LiveTensors.Count();
        Assert.ThrowsExactly<OperationCanceledException>(() => ClassEmbeddings.Compute(
            model, SmallModel.Tokenizer, names, PromptTemplates.NameOnly, [],
            done => { if (done == 256) throw new OperationCanceledException(); }));
        Assert.AreEqual(before, LiveTensors.Count());
    }
}
