using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The exported zero-shot classifier: probabilities, names, metadata.</summary>
[TestClass]
public sealed class OnnxClassifierTests
{
    private static readonly string[] Names = ["red apple", "say \"hi\"", "Äpfel 🍎", "back\\slash\nline", "中文"];

    [TestMethod]
    [DataRow(1)]
    [DataRow(5)]
    public void Classifier_Probabilities_EqualLibtorch(int count)
    {
        using var model = OnnxModels.Create(imagePrefixLength: 1);
        using var run = new OnnxRun();
        var pixels = OnnxModels.Pixels(count);
        var expected = Write(model, run, Names, PixelValues.Normalized)(pixels, count);

        var scores = run.Floats("Score", "NormalizedPixels", pixels, count, 3, 16, 16);
        var labels = run.Texts("PredictedLabel", "NormalizedPixels", pixels, count, 3, 16, 16);

        Assert.IsLessThan(1e-4f, OnnxModels.Difference(expected, scores));
        Assert.AreSequenceEqual(expected.Chunk(Names.Length).Select(s => Names[s.AsSpan().IndexOf(s.Max())]), labels);
    }

    [TestMethod]
    public void Classifier_ThousandClasses_HaveTheirNames()
    {
        using var model = OnnxModels.Create();
        using var run = new OnnxRun();
        string[] names = [.. Enumerable.Range(0, 1000).Select(i => $"class \"{i}\" é")];
        var pixels = OnnxModels.Pixels(2);
        var expected = Write(model, run, names, PixelValues.Normalized)(pixels, 2);

        Assert.IsLessThan(1e-4f, OnnxModels.Difference(expected, run.Floats("Score", "NormalizedPixels", pixels, 2, 3, 16, 16)));
        CollectionAssert.AreEqual(names, JsonSerializer.Deserialize<string[]>(run.Metadata["class_names"]));
    }

    [TestMethod]
    public void Classifier_Metadata_SaysAllThatAUserNeeds()
    {
        using var model = OnnxModels.Create();
        using var run = new OnnxRun();
        Write(model, run, Names, PixelValues.Rgb255);

        var metadata = run.Metadata;

        CollectionAssert.AreEqual(Names, JsonSerializer.Deserialize<string[]>(metadata["class_names"]));
        Assert.AreEqual("""{"caption":0.75,"classification":0.25}""", metadata["prefix"]);
        Assert.AreEqual("20", metadata["logit_scale"]);
        Assert.AreEqual("16", metadata["image_size"]);
        CollectionAssert.AreEqual(ImageNormalization.Clip.Mean.ToArray(), JsonSerializer.Deserialize<float[]>(metadata["mean"]));
        CollectionAssert.AreEqual(ImageNormalization.Clip.StandardDeviation.ToArray(),
            JsonSerializer.Deserialize<float[]>(metadata["std"]));
        Assert.Contains("bicubic", metadata["preprocessing"]);
        Assert.Contains("EXIF", metadata["image_decoding"]);
        Assert.AreEqual("Microsoft.ML.PrefixConditioning", run.Session.ModelMetadata.ProducerName);
        Assert.AreEqual("zero_shot_classifier", run.Session.ModelMetadata.GraphName);
        Assert.IsNotEmpty(run.Session.ModelMetadata.Description);
    }

    [TestMethod]
    public void Classifier_InputsAndOutputs_HaveNamesAndOpenBatch()
    {
        using var model = OnnxModels.Create();
        using var run = new OnnxRun();
        Write(model, run, Names, PixelValues.Rgb255);

        var (input, outputs) = (run.Session.InputMetadata.Single(), run.Session.OutputMetadata);

        Assert.AreEqual("Pixels", input.Key);
        Assert.AreEqual("-1 3 16 16", string.Join(' ', input.Value.Dimensions));
        Assert.AreEqual("N", input.Value.SymbolicDimensions[0]);
        Assert.AreEqual("-1 5", string.Join(' ', outputs["Score"].Dimensions));
        Assert.AreEqual("-1", string.Join(' ', outputs["PredictedLabel"].Dimensions));
        Assert.HasCount(2, outputs);
    }

    [TestMethod]
    public void Classifier_SameModelTwice_GivesEqualBytes()
    {
        using var model = OnnxModels.Create();
        using OnnxRun first = new(), second = new();
        Write(model, first, Names, PixelValues.Rgb255);
        Write(model, second, Names, PixelValues.Rgb255);

        CollectionAssert.AreEqual(File.ReadAllBytes(first.Path), File.ReadAllBytes(second.Path));
    }

    [TestMethod]
    public void Classifier_UnknownPixelValues_AreAnError()
    {
        using var model = OnnxModels.Create();
        using var run = new OnnxRun();

        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Write(model, run, Names, (PixelValues)7));

        Assert.Contains("7; use a member of PixelValues", error.Message);
        Assert.AreEqual("", run.Files);
    }

    /// <summary>Writes a classifier; gives what the library computes from pixels.</summary>
    private static Func<float[], int, float[]> Write(TrainedModel model, OnnxRun run, string[] names, PixelValues pixels)
    {
        var prefix = PrefixSelection.Blend(("caption", 3), ("classification", 1));
        var classifier = new ZeroShotClassifier
        {
            ClassNames = names, Embeddings = model.EncodeClasses(names, PromptTemplates.NameOnly, prefix), LogitScale = 20, Prefix = prefix,
            ImageColumnName = "Image", LabelColumnName = "Label", ScoreColumnName = "Score", PredictedLabelColumnName = "PredictedLabel",
        };
        var transformer = new PrefixClipTransformer(new MLContext(1), model);   // the model stays the test's own
        var zeroShot = new ZeroShotClassificationTransformer(new MLContext(1), transformer, classifier, ownsModel: false);
        zeroShot.SaveAsOnnx(run.Path, pixels);
        return (values, count) =>
        {
            var scores = new float[count * names.Length];
            var embeddings = model.EncodeImages(values, count, prefix);
            for (var i = 0; i < count; i++) classifier.Score(embeddings.AsSpan(i * 8, 8), scores.AsSpan(i * names.Length, names.Length));
            return scores;
        };
    }
}
