using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Embeddings of one column, in pipelines of ML.NET's own steps.</summary>
[TestClass]
public sealed class ClipEmbeddingTests : ScoringTests
{
    private static readonly PrefixSelection Classification = PrefixSelection.For("classification");

    [TestMethod]
    public void Image_BytesPathOrImage_EncodesLikeTheModel()
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("prefix-conditioning-").FullName, "a.png");
        File.WriteAllBytes(path, AllTypesRow.Files[1]);
        using var image = ScoringModel.Image(1);
        IDataView rows = _mlContext.Data.LoadFromEnumerable([new PhotoRow { Bytes = AllTypesRow.Files[1], Path = path, Photo = image }]);
        var expected = _model.EncodeImages([AllTypesRow.Files[1]])[0];

        foreach (var column in new[] { "Bytes", "Path", "Photo" })
        {
            var embedded = _mlContext.Transforms.ClipImageEmbedding(_model, "Features", column).Fit(rows).Transform(rows);
            CollectionAssert.AreEqual(expected, Vectors(embedded, "Features").Single(), column);
        }
        File.Delete(path);
    }

    [TestMethod]
    public void Image_ManyRows_EqualsTheModelsOwnColumn()
    {
        var rows = AllTypesRow.View(_mlContext);
        var embedded = _mlContext.Transforms.ClipImageEmbedding(_model, "Image").Fit(rows).Transform(rows);

        AssertEqual(Vectors(_model.Transform(rows), "ImageEmbedding"), Vectors(embedded, "Image"));
    }

    [TestMethod]
    public void Text_ViewWithTextsOnly_UsesThePrefix()
    {
        string[] texts = ["a red thing", "", "something green"];
        var rows = Texts(texts);
        var keys = _mlContext.Transforms.Conversion.MapValueToKey("Words").Fit(rows).Transform(rows);
        var caption = _mlContext.Transforms.ClipTextEmbedding(_model, "Features", "Words").Fit(rows);
        var classification = _mlContext.Transforms.ClipTextEmbedding(_model, "Features", "Words", Classification).Fit(rows);

        AssertEqual(_model.EncodeTexts(texts), Vectors(caption.Transform(rows), "Features"));
        AssertEqual(_model.EncodeTexts(texts, Classification), Vectors(classification.Transform(rows), "Features"));
        AssertEqual(_model.EncodeTexts(texts), Vectors(caption.Transform(keys), "Features"));
    }

    [TestMethod]
    public void Save_ImageAndText_LoadsWithOneModel()
    {
        var rows = AllTypesRow.View(_mlContext);
        var transforms = _mlContext.Transforms;
        var pipeline = transforms.ClipImageEmbedding(_model, "Seen", "Image")
            .Append(transforms.CopyColumns("Read", "Text"))
            .Append(transforms.ClipTextEmbedding("Read", prefix: Classification))
            .Append(transforms.Concatenate("Both", "Seen", "Read"));
        var fitted = pipeline.Fit(rows);
        var file = Saved(fitted, rows.Schema);
        var single = Saved(transforms.ClipImageEmbedding(_model, "Seen", "Image").Fit(rows), rows.Schema);

        OutputSchemaTests.AssertAgree(
            pipeline.GetOutputSchema(OutputSchemaTests.Shape(rows.Schema)), fitted.GetOutputSchema(rows.Schema));
        Assert.IsLessThan(1.5 * single.Length, file.Length);
        var loaded = _mlContext.Model.Load(file, out _);
        AssertEqual(Vectors(fitted.Transform(rows), "Both"), Vectors(loaded.Transform(rows), "Both"));
        (loaded as IDisposable)!.Dispose();
        Assert.IsNotEmpty(_model.EncodeTexts(["still there"]));
    }

    [TestMethod]
    public void Save_ZeroShotBehindImages_ReadsTheirEmbeddings()
    {
        var rows = AllTypesRow.View(_mlContext);
        var fitted = _mlContext.Transforms.ClipImageEmbedding(_model, "Seen", "Image")
            .Append(_mlContext.Transforms.ZeroShotClassification(["red", "green"])).Fit(rows);
        var loaded = _mlContext.Model.Load(Saved(fitted, rows.Schema), out _);

        var expected = _mlContext.Transforms.ZeroShotClassification(_model, ["red", "green"]).Fit(rows).Transform(rows);
        AssertEqual(Vectors(expected, "Score"), Vectors(fitted.Transform(rows), "Score"));
        AssertEqual(Vectors(expected, "Score"), Vectors(loaded.Transform(rows), "Score"));
        (loaded as IDisposable)!.Dispose();
    }

    [TestMethod]
    public void Read_WrittenColumn_IsEqualAndAnUnknownKindIsRefused()
    {
        var column = new EmbeddedColumn(EmbeddedContent.Text, "Words", "Features", PrefixSelection.None);
        var read = Written(column);
        Assert.AreEqual((column.Content, column.Input, column.Output), (read.Content, read.Input, read.Output));
        Assert.IsEmpty(read.Prefix!.Weights);

        var error = Assert.ThrowsExactly<InvalidDataException>(() => Written(column with { Content = (EmbeddedContent)7 }));
        Assert.Contains("its kind is 7", error.Message);

        static EmbeddedColumn Written(EmbeddedColumn column)
        {
            using var stream = new MemoryStream();
            using var writer = new BinaryWriter(stream);
            column.Write(writer);
            stream.Position = 0;
            using var reader = new BinaryReader(stream);
            return EmbeddedColumn.Read(reader);
        }
    }

    [TestMethod]
    public void PredictionEngine_LoadedText_PredictsLikeTheModel()
    {
        var rows = Texts(["a red thing"]);
        var file = Saved(_mlContext.Transforms.ClipTextEmbedding(_model, "Features", "Words").Fit(rows), rows.Schema);
        using var engine = _mlContext.Model.CreatePredictionEngine<WordsRow, FeaturesRow>(_mlContext.Model.Load(file, out _));

        foreach (var text in new[] { "a blue thing", "something green" })
            CollectionAssert.AreEqual(_model.EncodeTexts([text])[0], engine.Predict(new WordsRow { Words = text }).Features);
    }

    [TestMethod]
    public void Image_Unreadable_FollowsTheModelsPolicy()
    {
        var rows = _mlContext.Data.LoadFromEnumerable([new BytesRow { Image = [1, 2, 3] }, new BytesRow { Image = AllTypesRow.Files[0] }]);
        using var skipping = ScoringModel.Transformer(BadRowPolicy.Skip);
        var missing = Vectors(_mlContext.Transforms.ClipImageEmbedding(skipping, "F", "Image").Fit(rows).Transform(rows), "F");

        Assert.IsTrue(missing[0].All(float.IsNaN));
        Assert.IsFalse(missing[1].Any(float.IsNaN));
        var failing = _mlContext.Transforms.ClipImageEmbedding(_model, "F", "Image").Fit(rows).Transform(rows);
        Assert.StartsWith("Row 1: ", Assert.ThrowsExactly<InvalidDataException>(() => Vectors(failing, "F")).Message);
    }

    [TestMethod]
    public void WithoutModel_FindsThatOfTheStepBefore()
    {
        var embedded = _model.Transform(AllTypesRow.View(_mlContext));
        var own = _mlContext.Transforms.ClipImageEmbedding("Second", "Image").Fit(embedded).Transform(embedded);

        AssertEqual(Vectors(embedded, "ImageEmbedding"), Vectors(own, "Second"));
        // Two columns of one model are no reason to ask which.
        Assert.AreSame(_model, _mlContext.Transforms.ZeroShotClassification(["red", "blue"]).Fit(own).Model);
        var twice = _mlContext.Transforms.ClipImageEmbedding(_model, "Third", "Image")
            .Append(_mlContext.Transforms.ClipImageEmbedding(_model, "Fourth", "Image"))
            .Append(_mlContext.Transforms.ZeroShotClassification(["red", "blue"]));
        var images = AllTypesRow.View(_mlContext);
        OutputSchemaTests.AssertAgree(
            twice.GetOutputSchema(OutputSchemaTests.Shape(images.Schema)), twice.Fit(images).GetOutputSchema(images.Schema));
    }

    [TestMethod]
    public void WithoutModel_NoneOrSeveral_SaysWhatIsNeeded()
    {
        var rows = Texts(["a red thing"]);
        var text = _mlContext.Transforms.ClipTextEmbedding("Features", "Words");
        var none = Assert.ThrowsExactly<InvalidOperationException>(() => text.Fit(rows));
        var early = Assert.ThrowsExactly<InvalidOperationException>(() => text.GetOutputSchema(OutputSchemaTests.Shape(rows.Schema)));
        Assert.Contains("or pass a trained model, ClipTextEmbedding(model, outputColumnName, inputColumnName).", none.Message);
        Assert.AreEqual(none.Message, early.Message);

        using var second = ScoringModel.Transformer();
        var images = AllTypesRow.View(_mlContext);
        var both = _mlContext.Transforms.ClipImageEmbedding(second, "Second", "Image").Fit(images).Transform(_model.Transform(images));
        var several = Assert.ThrowsExactly<InvalidOperationException>(() => text.Fit(both));
        Assert.EndsWith("of several PrefixClip steps. Pass the model to use.", several.Message);
    }

    [TestMethod]
    public void WrongColumnOrPrefix_IsAnErrorBeforeRowsAreRead()
    {
        var rows = AllTypesRow.View(_mlContext);
        var shape = OutputSchemaTests.Shape(rows.Schema);
        var transforms = _mlContext.Transforms;
        foreach (var (wrong, type) in new[]
        {
            (transforms.ClipImageEmbedding(_model, "F", "Int"), "'Int' is Int32"),
            (transforms.ClipTextEmbedding(_model, "F", "Int"), "'Int' is Int32"),
            (transforms.ClipImageEmbedding(_model, "F"), "'F'"), (transforms.ClipTextEmbedding(_model, "F"), "'F'"),
        })
        {
            Assert.Contains(type, Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => wrong.GetOutputSchema(shape)).Message);
            var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => wrong.Fit(rows));
            Assert.Contains(type, error.Message);
            Assert.Contains("Set inputColumnName to the right column", error.Message);
        }
        Assert.ThrowsExactly<ArgumentException>(() => transforms.ClipTextEmbedding(_model, "F", "Text", PrefixSelection.For("poem")));
        Assert.ThrowsExactly<ArgumentException>(() => transforms.ClipTextEmbedding(_model, " ", "Text"));
        var later = transforms.ClipTextEmbedding("F", "Text", PrefixSelection.For("poem"));
        Assert.ThrowsExactly<ArgumentException>(() => later.Fit(_model.Transform(rows)));
    }

    [TestMethod]
    public void Trainer_ManyPasses_WarnsOnceUnlessCached()
    {
        var warnings = new List<string>();
        _mlContext.Log += (_, entry) =>
        {
            if (entry.Message.Contains("encodes all images", StringComparison.Ordinal)) warnings.Add(entry.Message);
        };
        var rows = AllTypesRow.View(_mlContext);
        var watched = new WatchedView(_mlContext.Transforms.Conversion.MapValueToKey("Label", "Text").Fit(rows).Transform(rows));
        var embedding = _mlContext.Transforms.ClipImageEmbedding(_model, "Features", "Image");
        var trainer = _mlContext.MulticlassClassification.Trainers.SdcaMaximumEntropy(maximumNumberOfIterations: 5);

        embedding.AppendCacheCheckpoint(_mlContext).Append(trainer).Fit(watched);
        Assert.AreEqual(AllTypesRow.Count, watched.RowsRead);
        Assert.IsEmpty(warnings);

        embedding.Append(trainer).Fit(watched);
        Assert.IsGreaterThan(4 * AllTypesRow.Count, watched.RowsRead);
        Assert.HasCount(1, warnings);
        Assert.Contains("Pass 3 over a view of ClipEmbeddingTransformer", warnings[0]);
        Assert.Contains("AppendCacheCheckpoint", warnings[0]);
    }

    private IDataView Texts(IEnumerable<string> texts) => _mlContext.Data.LoadFromEnumerable(texts.Select(t => new WordsRow { Words = t }));

    private MemoryStream Saved(ITransformer transformer, DataViewSchema schema)
    {
        var file = new MemoryStream();
        _mlContext.Model.Save(transformer, schema, file);
        file.Position = 0;
        return file;
    }

    private static float[][] Vectors(IDataView view, string column) => [.. view.GetColumn<float[]>(column)];

    private static void AssertEqual(float[][] expected, float[][] actual)
    {
        Assert.HasCount(expected.Length, actual);
        for (var i = 0; i < expected.Length; i++) CollectionAssert.AreEqual(expected[i], actual[i], $"row {i}");
    }

    private sealed class WordsRow
    {
        public string Words { get; set; } = "";
    }

    private sealed class FeaturesRow
    {
        public float[] Features { get; set; } = [];
    }

    private sealed class PhotoRow
    {
        public byte[] Bytes { get; set; } = [];
        public string Path { get; set; } = "";

        [ImageType(16, 16)]
        public MLImage? Photo { get; set; }
    }
}
