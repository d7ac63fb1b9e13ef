using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>ML.NET's own ONNX export never writes a file without the model.</summary>
[TestClass]
public sealed class ConvertToOnnxTests : ScoringTests
{
    [TestMethod]
    public void ConvertToOnnx_Model_NamesTheMethodsThatWriteIt()
    {
        Assert.AreEqual("mlContext.Model.ConvertToOnnx cannot export a PrefixClipTransformer. Export its towers with " +
            "SaveImageEncoderAsOnnx and SaveTextEncoderAsOnnx, or a zero-shot classifier with SaveAsOnnx, and run the " +
            "file in a pipeline with ApplyOnnxModel.",
            Refusal(_model));
    }

    [TestMethod]
    public void ConvertToOnnx_PublishedModel_IsRefusedAlike()
    {
        using var folder = new ModelFolder();
        _model.SaveSafetensors(folder.Path);
        using var loaded = _mlContext.Model.LoadClip(folder.Path);

        Assert.AreEqual(Refusal(_model), Refusal(loaded));
    }

    [TestMethod]
    public void ConvertToOnnx_Classifier_NamesSaveAsOnnx()
    {
        var classifier = _mlContext.Transforms.ZeroShotClassification(_model, ["red", "blue"]).Fit(Rows);

        Assert.AreEqual("mlContext.Model.ConvertToOnnx cannot export a ZeroShotClassificationTransformer. Export it with its SaveAsOnnx " +
            "method, and run the file in a pipeline with ClipPixels and ApplyOnnxModel.", Refusal(classifier));
    }

    [TestMethod]
    public void ConvertToOnnx_Pixels_SayWhereTheyStay()
    {
        var pixels = _mlContext.Transforms.ClipPixels(_model).Fit(Rows);

        Assert.AreEqual("mlContext.Model.ConvertToOnnx cannot export a ClipPixelsTransformer, which decodes image files. Keep ClipPixels " +
            "in the pipeline, export the model behind it with SaveAsOnnx or SaveImageEncoderAsOnnx, and run that file with ApplyOnnxModel.",
            Refusal(pixels));
    }

    [TestMethod]
    public void ConvertToOnnx_ModelBeforeATrainer_IsRefused()
    {
        var embedded = _model.Transform(Rows);
        var probe = _mlContext.Transforms.Conversion.MapValueToKey("Label")
            .Append(_mlContext.MulticlassClassification.Trainers.LbfgsMaximumEntropy(featureColumnName: "ImageEmbedding"))
            .Append(_mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel")).Fit(embedded);

        Assert.AreEqual(Refusal(_model), Refusal(new TransformerChain<ITransformer>(_model, probe)));
    }

    [TestMethod]
    public void ConvertToOnnx_ModelBeforeAStepThatCannotBeWritten_IsAnErrorToo()
    {
        var step = _mlContext.Transforms.CustomMapping<LabeledRow, LabeledRow>((a, b) => b.Label = a.Label + "!", contractName: null)
            .Fit(Rows);
        using var stream = new MemoryStream();

        Assert.Throws<Exception>(() => _mlContext.Model.ConvertToOnnx(new TransformerChain<ITransformer>(_model, step), Rows, stream));

        Assert.AreEqual(0, stream.Length);
    }

    private IDataView Rows => _mlContext.Data.LoadFromEnumerable(AllTypesRow.Files.Select(
        (file, i) => new LabeledRow { Image = file, Label = i % 2 == 0 ? "red" : "blue" }));

    private string Refusal(ITransformer transformer)
    {
        using var stream = new MemoryStream();
        var error = Assert.ThrowsExactly<NotSupportedException>(() => _mlContext.Model.ConvertToOnnx(transformer, Rows, stream));
        Assert.AreEqual(0, stream.Length, "Something was written.");
        return error.Message;
    }
}
