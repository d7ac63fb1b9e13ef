using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class RowWeightsTests
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly PrefixClipOptions _options = new() { BatchSize = 2 };

    [TestMethod]
    [DataRow(1f)]
    [DataRow(2.5f)]
    [DataRow(0.1f)]
    [DataRow(1e-30f)]
    [DataRow(float.MaxValue)]
    public void TagWeight_View_JoinsAUnionWhereOthersWeighOne(float weight)
    {
        var plain = new TextRowsView(2, ("Image", i => $"{i}.png"), ("Text", _ => "a photo"), ("DatasetType", _ => "caption"));
        var union = _mlContext.Data.UnifyDatasets(plain, _mlContext.Data.TagWeight(plain, weight));
        DataTestRows.Equal([1, 1, weight, weight], union.GetColumn<float>("Weight").ToArray());
        CollectionAssert.AreEquivalent(union.GetColumn<float>("Weight").ToArray(),
            _mlContext.Data.ShuffleRows(union).GetColumn<float>("Weight").ToArray());
    }

    [TestMethod]
    [DataRow(0f)]
    [DataRow(-1f)]
    [DataRow(float.NaN)]
    [DataRow(float.PositiveInfinity)]
    public void TagWeight_NoWeight_IsReported(float weight)
    {
        var view = new TextRowsView(2, ("Image", i => $"{i}.png"));
        StringAssert.Contains(DataTestRows.Fails<ArgumentOutOfRangeException>(() => _mlContext.Data.TagWeight(view, weight)).Message,
            "A weight is a finite number greater than 0.");
    }

    [TestMethod]
    public void UnifyDatasets_WeightOfTextOrOfAnotherColumn_IsReported()
    {
        var view = new TextRowsView(2, ("Image", i => $"{i}.png"), ("Text", _ => "x"), ("DatasetType", _ => "caption"),
            ("Weight", _ => "2"));
        StringAssert.Contains(DataTestRows.Fails<ArgumentOutOfRangeException>(() => _mlContext.Data.UnifyDatasets(view)).Message,
            "Column 'Weight' is String; weights of rows are Single. Convert it with Conversion.ConvertType, or set weightColumnName to " +
            "another column. (Parameter 'datasets[0]')");
        StringAssert.Contains(DataTestRows.Fails<ArgumentException>(
            () => _mlContext.Data.UnifyDatasets([view], "Image", "Text", "DatasetType", "Label", "Text")).Message,
            "The weight column's name 'Text' is empty or that of another column; give it a name of its own.");
    }

    private IDataView Weights(params float[] weights) => _mlContext.Data.LoadFromEnumerable(weights.Select((w, i) => new WeightedRow
    {
        Image = $"{i}.png", Text = $"text {i}", DatasetType = "caption", Weight = w,
    }));

    [TestMethod]
    public void Read_Weights_AreKeptAsIndexes()
    {
        var weights = TaggedRows.Read(Weights(2, 2, 0.5f, 2), _options).Weights;
        Assert.IsNotNull(weights);
        DataTestRows.Equal<byte>([0, 0, 1, 0], weights.Indexes);
        DataTestRows.Equal([2, 0.5f], weights.Values.ToArray());
        Assert.IsNull(TaggedRows.Read(Weights(2, 2, 2), _options).Weights, "equal weights are none");
    }

    [TestMethod]
    [DataRow(0f, "0")]
    [DataRow(-1f, "-1")]
    [DataRow(float.NaN, "NaN")]
    [DataRow(float.PositiveInfinity, "Infinity")]
    public void Read_InvalidWeight_NamesTheRow(float weight, string printed)
    {
        var message = DataTestRows.Fails<InvalidDataException>(() => TaggedRows.Read(Weights(1, weight, 2), _options)).Message;
        StringAssert.Contains(message, $"Row 2 ('1.png') has the weight {printed} in column 'Weight'; it must be a finite number greater " +
            "than 0.");
        var rows = TaggedRows.Read(Weights(1, weight, 2), _options with { BadRows = BadRowPolicy.Skip, MaxBadRowFraction = 1 });
        DataTestRows.Equal<byte>([0, 1], rows.Weights!.Indexes);
    }

    [TestMethod]
    public void Read_DifferentWeights_AtMost256()
    {
        float[] weights = [.. Enumerable.Range(1, 256).Select(i => (float)i)];
        Assert.HasCount(256, TaggedRows.Read(Weights(weights), _options).Weights!.Values);
        StringAssert.Contains(
            DataTestRows.Fails<InvalidDataException>(() => TaggedRows.Read(Weights([.. weights, 300]), _options)).Message,
            "Row 257 has one more weight than the 256 different ones that are possible. Round column 'Weight'.");
    }

    private sealed class WeightedRow
    {
        public string Image { get; set; } = "";

        public string Text { get; set; } = "";

        public string DatasetType { get; set; } = "";

        public float Weight { get; set; }
    }
}
