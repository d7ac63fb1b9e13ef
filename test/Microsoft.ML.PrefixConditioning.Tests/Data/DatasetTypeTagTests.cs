namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class DatasetTypeTagTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow("caption")]
    [DataRow("my \"own\" \\ type")]
    [DataRow("tab\tline\r\nend\u2028\u0085")]
    [DataRow("Übergröße 日本 😀 {0} '")]
    public void TagDatasetType_SavedAndLoaded_GivesTheSameColumn(string name)
    {
        using var folder = new DataTestFolder();
        var input = _mlContext.Data.LoadFromEnumerable(new[] { new BytesOnly { Image = [1] }, new BytesOnly { Image = [2] } });
        var model = _mlContext.Transforms.TagDatasetType(name).Fit(input);
        _mlContext.Model.Save(model, input.Schema, folder["tag.zip"]);
        var again = new MLContext().Model.Load(folder["tag.zip"], out _).Transform(input);
        DataTestRows.Equal([name, name], model.Transform(input).Texts("DatasetType"));
        DataTestRows.Equal([name, name], again.Texts("DatasetType"));
        DataTestRows.Equal(["Image", "DatasetType"], again.Schema.Where(c => !c.IsHidden).Select(c => c.Name).ToArray());
    }

    [TestMethod]
    public void TagDatasetType_InAPipeline_FeedsTheNextTransform()
    {
        var input = new TextRowsView(2, ("Image", i => $"{i}.png"), ("DatasetType", _ => "old"));
        var pipeline = _mlContext.Transforms.TagDatasetType("new").Append(_mlContext.Transforms.CopyColumns("Copy", "DatasetType"));
        var output = pipeline.Fit(input).Transform(input);
        DataTestRows.Equal(["new", "new"], output.Texts("Copy"));
        DataTestRows.Equal(["new", "new"], output.Texts("DatasetType"));
        Assert.AreEqual(2L, output.GetRowCount());
        Assert.IsTrue(output.CanShuffle);
    }

    [TestMethod]
    public void TagDatasetType_PredictionEngine_Works()
    {
        var input = _mlContext.Data.LoadFromEnumerable(new[] { new BytesOnly { Image = [1] } });
        var model = _mlContext.Transforms.TagDatasetType("one", "Source").Fit(input);
        using var engine = _mlContext.Model.CreatePredictionEngine<BytesOnly, Tagged>(model);
        Assert.AreEqual("one", engine.Predict(new BytesOnly { Image = [9] }).Source);
    }

    [TestMethod]
    public void TagDatasetType_View_JoinsAUnion()
    {
        var plain = new TextRowsView(3, ("Image", i => $"{i}.png"), ("Text", _ => "a photo"));
        var union = _mlContext.Data.UnifyDatasets(_mlContext.Data.TagDatasetType(plain, "web"),
            _mlContext.Data.TagDatasetType(plain, "caption"));
        DataTestRows.Equal(["web", "web", "web", "caption", "caption", "caption"], union.Texts("DatasetType"));
        CollectionAssert.AreEquivalent(union.Texts("DatasetType"), _mlContext.Data.ShuffleRows(union).Texts("DatasetType"));
    }

    [TestMethod]
    public void TagDatasetType_EmptyName_IsReported()
    {
        StringAssert.Contains(DataTestRows.Fails<ArgumentException>(() => _mlContext.Transforms.TagDatasetType(" ")).Message,
            "datasetType");
        StringAssert.Contains(DataTestRows.Fails<ArgumentException>(() => _mlContext.Transforms.TagDatasetType("a", "")).Message,
            "outputColumnName");
    }

    private sealed class BytesOnly
    {
        public byte[] Image { get; set; } = [];
    }

    private sealed class Tagged
    {
        public string Source { get; set; } = "";
    }
}
