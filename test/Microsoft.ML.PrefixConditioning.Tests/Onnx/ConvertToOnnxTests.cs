using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>ML.NET's own ONNX export writes whole chains, which give in ONNX Runtime what they give in ML.NET.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class ConvertToOnnxTests : IDisposable
{
    private const float Tolerance = 1e-4f;
    private static readonly string[] ClassNames = ["red", "blue", "say \"hi\"", "中文"];
    private static readonly string[] Labels = ["blue", "green", "", "中文", "red"];

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly OnnxRun _run = new();
    private readonly List<IDisposable> _models = [];

    public void Dispose()
    {
        _run.Dispose();
        foreach (var model in _models) model.Dispose();
    }

    public static IEnumerable<object[]> Towers =>
        from tower in new (string Name, ClipArchitecture Architecture)[]
        {
            ("ViT", OnnxModels.Architecture), ("Swin", SwinModel.Architecture),
            ("ResNet", SmallModel.Architecture with
            {
                ImageSize = 64, PatchSize = 32, VisionWidth = 4, VisionHeads = 2, VisionLayers = 4, ResNet = new ResNetStages(1, 1, 1, 1),
            }),
        }
        select new object[] { tower.Name, tower.Architecture };

    [TestMethod]
    [DynamicData(nameof(Towers))]
    public void Embedding_OfEveryTower_EqualsTheTransformers(string tower, ClipArchitecture architecture)
    {
        var model = Model(OnnxModels.Create(architecture: architecture));
        var step = _mlContext.Transforms.ClipImageEmbedding(model, "Features", "Image").Fit(Rows());

        Write(step, "Features");

        foreach (var count in new[] { 1, 5 })
            AssertClose(Vectors(step.Transform(Rows(count)), "Features"), Run<float>("Features.output", model, count), tower);
    }

    [TestMethod]
    [DataRow(ClipActivation.Gelu)]
    [DataRow(ClipActivation.QuickGelu)]
    public void Embedding_WithImagePrefixes_HasTheTransformersPrefix(ClipActivation activation)
    {
        var model = Model(OnnxModels.Create(activation, imagePrefixLength: 2));

        Write(new TransformerChain<ITransformer>(model), outputs: "ImageEmbedding");

        AssertClose(Vectors(model.Transform(Rows()), "ImageEmbedding"), Run<float>("ImageEmbedding.output", model));
    }

    [TestMethod]
    [DataRow(11)]
    [DataRow(12)]
    public void Embedding_EveryOpsetThatIsEnough_Runs(int opset)
    {
        var model = Model();

        var rows = _mlContext.Data.LoadFromEnumerable<ImageRow>([]);

        using (var stream = File.Create(_run.Path)) _mlContext.Model.ConvertToOnnx(model, rows, opset, stream);

        AssertClose(Vectors(model.Transform(Rows()), "ImageEmbedding"), Run<float>("ImageEmbedding.output", model));
    }

    [TestMethod]
    public void Embedding_OlderOpset_IsAnErrorWithTheNeededOne()
    {
        var error = Assert.Throws<ArgumentException>(
            () => _mlContext.Model.ConvertToOnnx(Model(), Rows(), 10, new MemoryStream()));

        Assert.Contains("Requested OpSet version 10 is lower than ImageEmbedding's minimum OpSet version requirement: 11", error.Message);
    }

    [TestMethod]
    public void Chain_WithTrainedHead_GivesItsScoresAndLabels()
    {
        var model = Model();
        var labels = _mlContext.Transforms.Conversion.MapValueToKey("Label").Fit(Rows());
        var chain = _mlContext.Transforms.ClipImageEmbedding(model, "Features", "Image")
            .Append(_mlContext.MulticlassClassification.Trainers.LbfgsMaximumEntropy())
            .Append(_mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel")).Fit(labels.Transform(Rows()));
        var expected = chain.Transform(Rows());

        Write(chain, "Features", "Score", "PredictedLabel");

        AssertClose(Vectors(expected, "Features"), Run<float>("Features.output", model));
        AssertClose(Vectors(expected, "Score"), Run<float>("Score.output", model));
        AssertLabels(expected, Run<string>("PredictedLabel.output", model));
    }

    [TestMethod]
    public void Chain_WithStepsBefore_HasThemToo()
    {
        var model = Model();
        var chain = _mlContext.Transforms.CopyColumns("Photo", "Image")
            .Append(_mlContext.Transforms.ClipImageEmbedding(model, "Photo"))
            .Append(_mlContext.Transforms.Concatenate("Features", "Photo")).Fit(Rows());

        Write(chain, "Features");

        using var results = _run.Session.Run([Input("Pixels", Tensor(Pixels(model, 5))), Input("Image", new DenseTensor<byte>([5, 1]))],
            ["Features.output"]);
        AssertClose(Vectors(chain.Transform(Rows()), "Features"), [.. results[0].AsEnumerable<float>()]);
    }

    [TestMethod]
    public void Chain_WithTwoStepsThatReadImages_HasAnInputForEach()
    {
        var model = Model();
        var chain = _mlContext.Transforms.ClipImageEmbedding(model, "First", "Image")
            .Append(_mlContext.Transforms.ClipImageEmbedding(model, "Second", "Image"))
            .Append(_mlContext.Transforms.Concatenate("Features", "First", "Second")).Fit(Rows());

        Write(chain, "Features");

        using var results = _run.Session.Run(
            [Input("Pixels", Tensor(Pixels(model, 2))), Input("Pixels0", Tensor(Pixels(model, 2, skip: 2)))],
            ["Features.output"]);
        var embeddings = Vectors(model.Transform(Rows()), "ImageEmbedding").Chunk(8).ToArray();
        AssertClose([.. embeddings[0], .. embeddings[2], .. embeddings[1], .. embeddings[3]], [.. results[0].AsEnumerable<float>()]);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void Chain_WithZeroShot_GivesItsScoresAndLabels(bool appended)
    {
        var model = Model(OnnxModels.Create(imagePrefixLength: appended ? 0 : 2));
        var options = new ZeroShotClassificationOptions
        {
            ClassNames = [.. ClassNames], PredictedClassColumnName = "PredictedClass", Prefix = PrefixSelection.For("classification"),
        };
        ITransformer[] steps = appended
            ? [model, _mlContext.Transforms.ZeroShotClassification(options).Fit(model.Transform(Rows()))]
            : [_mlContext.Transforms.ZeroShotClassification(model, options).Fit(Rows())];
        var name = _mlContext.Transforms.Conversion.MapKeyToValue("Name", "PredictedLabel")
            .Fit(new TransformerChain<ITransformer>(steps).Transform(Rows()));
        var chain = new TransformerChain<ITransformer>([.. steps, name]);
        var expected = chain.Transform(Rows());

        Write(chain);

        AssertClose(Vectors(expected, "Score"), Run<float>("Score.output", model));
        AssertLabels(expected, Run<string>("Name.output", model), "Name");
        AssertLabels(expected, Run<string>("PredictedClass.output", model), "PredictedClass");
        CollectionAssert.AreEqual(expected.GetColumn<uint>("PredictedLabel").ToArray(),
            Run<uint>("PredictedLabel.output", model));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void Labels_OfZeroShot_BecomeTheTransformersKeys(bool keys)
    {
        var model = Model();
        IDataView rows = _mlContext.Data.LoadFromEnumerable(Labels.Select(
            (label, i) => new LabeledRow { Image = AllTypesRow.Files[i], Label = label }));
        var map = _mlContext.Transforms.Conversion.MapValueToKey("Label").Fit(rows);
        var classifier = _mlContext.Transforms.ZeroShotClassification(model, ClassNames).Fit(rows);
        var chain = keys ? new TransformerChain<ITransformer>(map, classifier) : new TransformerChain<ITransformer>(classifier);

        using (var stream = File.Create(_run.Path)) _mlContext.Model.ConvertToOnnx(chain, rows, stream);

        using var results = _run.Session.Run([Input("Pixels", Tensor(Pixels(model, 5))),
            Input("Label", new DenseTensor<string>(rows.GetColumn<string>("Label").ToArray(), [5, 1]))], ["Label.output"]);
        CollectionAssert.AreEqual(chain.Transform(rows).GetColumn<uint>("Label").ToArray(), results[0].AsEnumerable<uint>().ToArray());
    }

    [TestMethod]
    public void Inputs_BesidesPixels_NeedNoValue()
    {
        var model = Model();

        Write(_mlContext.Transforms.ZeroShotClassification(model, ClassNames).Fit(Rows()));

        Assert.AreEqual("Pixels", string.Join(", ", _run.Session.InputMetadata.Keys));
        Assert.AreEqual("Image, Label", string.Join(", ", _run.Session.OverridableInitializerMetadata.Keys.Order(StringComparer.Ordinal)));
        Assert.AreEqual("-1 3 16 16", string.Join(' ', _run.Session.InputMetadata["Pixels"].Dimensions));
    }

    [TestMethod]
    public void ConvertToOnnx_TextColumn_SaysHowToGoOnWithoutIt()
    {
        var rows = AllTypesRow.View(_mlContext);

        Assert.AreEqual("mlContext.Model.ConvertToOnnx cannot export the embeddings of column 'Text', because ONNX has no tokenizer. " +
            "Pass rows without this column, or a chain without the step; only the schema of the rows is used. SaveTextEncoderAsOnnx " +
            "exports the text tower.", Refusal(Model(), rows));
    }

    [TestMethod]
    public void ConvertToOnnx_ImagesInMemory_SaysToReadFiles()
    {
        var rows = _mlContext.Data.LoadFromEnumerable(new[] { new PixelsRow() });

        Assert.AreEqual("mlContext.Model.ConvertToOnnx cannot export a step that reads column 'Image' of type Image<16, 16>, which " +
            "ML.NET cannot write. Fit the step on a column of paths or of encoded files; it needs no LoadImages before it.",
            Refusal(Model(), rows));
    }

    [TestMethod]
    public void ConvertToOnnx_ColumnOfPixels_IsAnError()
    {
        var model = Model();
        var rows = _mlContext.Data.Cache(_mlContext.Transforms.ClipPixels(model).Fit(Rows()).Transform(Rows()));

        Assert.AreEqual("mlContext.Model.ConvertToOnnx cannot export a step that reads images behind a column 'Pixels', because its " +
            "graph begins with an input of that name. Pass rows and a chain without this column.", Refusal(model, rows));
    }

    [TestMethod]
    public void ConvertToOnnx_ClipPixels_SaysWhereItStays()
    {
        var pixels = _mlContext.Transforms.ClipPixels(Model()).Fit(Rows());

        Assert.AreEqual("mlContext.Model.ConvertToOnnx cannot export a ClipPixelsTransformer, which decodes image files. Export a chain " +
            "without it: the exported model begins with the pixels. Keep ClipPixels for the pipeline that runs it with ApplyOnnxModel.",
            Refusal(pixels, Rows()));
    }

    [TestMethod]
    public void ConvertToOnnx_ModelBeforeAStepThatCannotBeWritten_IsAnErrorToo()
    {
        var step = _mlContext.Transforms.CustomMapping<LabeledRow, LabeledRow>((a, b) => b.Label = a.Label + "!", contractName: null)
            .Fit(Rows());
        using var stream = new MemoryStream();

        Assert.Throws<Exception>(() => _mlContext.Model.ConvertToOnnx(new TransformerChain<ITransformer>(Model(), step), Rows(), stream));

        Assert.AreEqual(0, stream.Length);
    }

    [TestMethod]
    public void ConvertToOnnx_EmbeddingBehindAStepThatCannotBeWritten_NamesTheColumn()
    {
        var model = Model();
        var step = _mlContext.Transforms.CustomMapping<LabeledRow, LabeledRow>((a, b) => b.Label = a.Label + "!", contractName: null)
            .Fit(model.Transform(Rows()));
        var classifier = _mlContext.Transforms.ZeroShotClassification(ClassNames).Fit(step.Transform(model.Transform(Rows())));

        Assert.AreEqual("mlContext.Model.ConvertToOnnx cannot export a step that reads column 'ImageEmbedding', because a step before it " +
            "cannot be exported; MLContext.Log names that step. Export the chain without it.",
            Refusal(new TransformerChain<ITransformer>(model, step, classifier), Rows()));
    }

    [TestMethod]
    public void RequireOneFile_MoreThanTwoGigabytes_NamesTheMethodsThatWriteTwo()
    {
        OnnxStep.RequireOneFile(2_000_000_000);

        Assert.AreEqual("The model has 2000000001 bytes of weights, and mlContext.Model.ConvertToOnnx writes one file, which can have " +
            "2 GB. Export the model with SaveImageEncoderAsOnnx or SaveAsOnnx, which write a second file for the weights.",
            Assert.ThrowsExactly<NotSupportedException>(() => OnnxStep.RequireOneFile(2_000_000_001)).Message);
    }

    private PrefixClipTransformer Model(TrainedModel? trained = null)
    {
        var model = new PrefixClipTransformer(_mlContext, trained ?? OnnxModels.Create());
        _models.Add(model);
        return model;
    }

    private IDataView Rows(int count = 5) => _mlContext.Data.LoadFromEnumerable(AllTypesRow.Files.Take(count).Select(
        (file, i) => new LabeledRow { Image = file, Label = i % 2 == 0 ? "red" : "blue" }));

    private void Write(ITransformer transformer, params string[] outputs)
    {
        using var stream = File.Create(_run.Path);
        _mlContext.Model.ConvertToOnnx(transformer, Rows(), stream, outputs.Length > 0 ? outputs : null);
    }

    private string Refusal(ITransformer transformer, IDataView rows)
    {
        using var stream = new MemoryStream();
        var error = Assert.ThrowsExactly<NotSupportedException>(() => _mlContext.Model.ConvertToOnnx(transformer, rows, stream));
        Assert.AreEqual(0, stream.Length, "Something was written.");
        return error.Message;
    }

    /// <summary>An output for the rows, all in one batch.</summary>
    private T[] Run<T>(string output, PrefixClipTransformer model, int count = 5)
    {
        using var results = _run.Session.Run([Input("Pixels", Tensor(Pixels(model, count)))], [output]);
        return [.. results[0].AsEnumerable<T>()];
    }

    private static NamedOnnxValue Input<T>(string name, DenseTensor<T> value) => NamedOnnxValue.CreateFromTensor(name, value);

    private float[][] Pixels(PrefixClipTransformer model, int count, int skip = 0) =>
        [.. _mlContext.Transforms.ClipPixels(model).Fit(Rows()).Transform(Rows()).GetColumn<float[]>("Pixels").Skip(skip).Take(count)];

    private static DenseTensor<float> Tensor(float[][] images)
    {
        var size = (int)Math.Sqrt(images[0].Length / 3);
        return new DenseTensor<float>(images.SelectMany(i => i).ToArray(), [images.Length, 3, size, size]);
    }

    private static float[] Vectors(IDataView view, string column) => [.. view.GetColumn<float[]>(column).SelectMany(v => v)];

    private static void AssertClose(float[] expected, float[] actual, string message = "") =>
        Assert.IsLessThan(Tolerance, OnnxModels.Difference(expected, actual), message);

    private static void AssertLabels(IDataView expected, string[] actual, string column = "PredictedLabel") =>
        CollectionAssert.AreEqual(expected.GetColumn<string>(column).ToArray(), actual);

    private sealed class ImageRow
    {
        public string Image { get; set; } = "";
    }
}
