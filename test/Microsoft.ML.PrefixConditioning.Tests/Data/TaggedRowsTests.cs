using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class TaggedRowsTests
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly PrefixClipOptions _options = new() { BatchSize = 2 };

    [TestMethod]
    public void Read_MixedRows_GivesColumnsAndClasses()
    {
        var rows = TaggedRows.Read(View(
            ("1.png", "cat", "classification", "c"), ("2.png", "a grey cat", "caption", "c"), ("3.png", "dog", "classification", ""),
            ("3.png", "dog", "classification", ""), ("4.png", "kitten", "classification", "c"), ("5.png", "a grey cat", "caption", "")),
            _options);
        Assert.AreEqual(6, rows.Count);
        DataTestRows.Equal(["1.png", "2.png", "3.png", "3.png", "4.png", "5.png"], rows.Images.Select(i => i.Locator).ToArray());
        DataTestRows.Equal(["cat", "a grey cat", "dog", "dog", "kitten", "a grey cat"], rows.Texts);
        DataTestRows.Equal(["caption", "classification"], rows.Types.Select(t => t.Name).ToArray());
        DataTestRows.Equal([1, 0, 1, 1, 1, 0], rows.DatasetTypes);
        DataTestRows.Equal([0, -1, 1, 1, 0, -1], rows.Labels);
        DataTestRows.Equal(["cat", "dog"], rows.ClassNames.ToArray());
        DataTestRows.Equal([2, 4], rows.RowCounts.ToArray());
        Assert.AreSame(rows.Texts[1], rows.Texts[5]);
        Assert.AreSame(rows.Images[2].Locator, rows.Images[3].Locator);
    }

    [TestMethod]
    public void Read_TypesWithoutRows_AreLeftOut()
    {
        var options = _options with { DatasetTypes = [new("z", TextKind.Caption), DatasetType.Caption, new("a", TextKind.ClassName)] };
        var rows = TaggedRows.Read(View(("1.png", "x", "a", ""), ("2.png", "y", "z", "")), options);
        DataTestRows.Equal(["z", "a"], rows.Types.Select(t => t.Name).ToArray());
        DataTestRows.Equal([1, 0], rows.DatasetTypes);
    }

    [TestMethod]
    public void Read_NoLabelColumn_EqualTextsAreOneClass()
    {
        var view = new TextRowsView(4, ("Image", i => $"{i}.png"), ("Text", i => i % 2 == 0 ? "even" : "odd"),
            ("DatasetType", _ => "classification"));
        DataTestRows.Equal([0, 1, 0, 1], TaggedRows.Read(view, _options).Labels);
    }

    [TestMethod]
    public void Read_KeyColumns_GiveTheirTexts()
    {
        IDataView view = View(("1.png", "x", "classification", "b"), ("2.png", "y", "caption", ""), ("3.png", "z", "classification", "b"));
        view = _mlContext.Transforms.Conversion.MapValueToKey([new("Label"), new("DatasetType")]).Fit(view).Transform(view);
        var rows = TaggedRows.Read(view, _options);
        DataTestRows.Equal([1, 0, 1], rows.DatasetTypes);
        DataTestRows.Equal([0, -1, 0], rows.Labels);
    }

    [TestMethod]
    [DataRow(DataKind.Byte)]
    [DataRow(DataKind.UInt16)]
    [DataRow(DataKind.UInt64)]
    public void Read_KeysOfOtherWidths_GiveTheirTexts(DataKind kind)
    {
        IDataView view = View(("1.png", "x", "classification", "b"), ("2.png", "y", "caption", ""), ("3.png", "z", "classification", "c"));
        view = _mlContext.Transforms.Conversion.MapValueToKey("DatasetType").Fit(view).Transform(view);
        view = _mlContext.Transforms.Conversion.ConvertType("DatasetType", outputKind: kind).Fit(view).Transform(view);
        Assert.AreEqual(kind.ToString(), view.Schema["DatasetType"].Type.RawType.Name);
        DataTestRows.Equal([1, 0, 1], TaggedRows.Read(view, _options).DatasetTypes);
    }

    [TestMethod]
    public void Read_EncodedImages_AreCopied()
    {
        var view = _mlContext.Data.LoadFromEnumerable(new[] { new Encoded { Image = [1, 2] }, new Encoded { Image = [3] } });
        var rows = TaggedRows.Read(view, _options);
        DataTestRows.Equal<byte>([1, 2], rows.Images[0].Encoded);
        DataTestRows.Equal<byte>([3], rows.Images[1].Encoded);
    }

    [TestMethod]
    public void Read_MlImages_PixelsAreCopiedAndImagesStayAlive()
    {
        using var red = MLImage.CreateFromPixels(1, 1, MLPixelFormat.Rgba32, [255, 0, 0, 255]);
        using var blue = MLImage.CreateFromPixels(1, 2, MLPixelFormat.Bgra32, [255, 0, 0, 255, 255, 0, 0, 255]);
        var view = _mlContext.Data.LoadFromEnumerable(new[] { new WithImage { Image = red }, new WithImage { Image = blue } });
        var rows = TaggedRows.Read(view, _options);
        DataTestRows.Equal<byte>([255, 0, 0, 255], rows.Images[0].Pixels);
        Assert.AreEqual(2, rows.Images[1].Height);
        Assert.AreEqual(4, red.Pixels.Length);   // throws if it was disposed
    }

    [TestMethod]
    public void Read_ShuffledOrFilteredViews_Work()
    {
        var view = View([.. Enumerable.Range(0, 20).Select(i => ($"{i}.png", $"text {i}", "caption", ""))]);
        Assert.AreEqual(20, TaggedRows.Read(_mlContext.Data.ShuffleRows(view), _options).Count);
        Assert.AreEqual(5, TaggedRows.Read(_mlContext.Data.TakeRows(view, 5), _options).Count);
    }

    [TestMethod]
    public void Read_MissingColumn_ListsColumnsNearNameAndOption()
    {
        var view = new TextRowsView(1, ("Imgae", _ => "a"), ("Text", _ => "b"), ("DatasetType", _ => "caption"));
        Assert.AreEqual(
            "There is no column 'Image'; the input has 'Imgae', 'Text', 'DatasetType'. Did you mean 'Imgae'? " +
            "Set PrefixClipOptions.ImageColumnName to the right column. (Parameter 'input')", WrongColumn(view));
        Assert.AreEqual(
            "There is no column 'DatasetType'; the input has 'Image', 'Text'. " +
            "Set PrefixClipOptions.DatasetTypeColumnName (or add one with TagDatasetType) to the right column. (Parameter 'input')",
            WrongColumn(new TextRowsView(1, ("Image", _ => "a"), ("Text", _ => "b"))));
        StringAssert.StartsWith(WrongColumn(new TextRowsView(1, ("Image", _ => "a"), ("text", _ => "b"))),
            "There is no column 'Text'; the input has 'Image', 'text'. Did you mean 'text'? Set PrefixClipOptions.TextColumnName to " +
            "the right column.");
    }

    [TestMethod]
    public void Read_WrongColumnTypes_SaysWhatIsAccepted()
    {
        StringAssert.StartsWith(WrongColumn(_mlContext.Data.LoadFromEnumerable(new[] { new { Image = 1f, Text = "", DatasetType = "" } })),
            "Column 'Image' is Single; an image column is text (a path), a vector of bytes (an encoded file) or an image. " +
            "Set PrefixClipOptions.ImageColumnName to the right column.");
        StringAssert.StartsWith(WrongColumn(_mlContext.Data.LoadFromEnumerable(new[] { new { Image = "", Text = 1, DatasetType = "" } })),
            "Column 'Text' is Int32; captions and class names are text. Set PrefixClipOptions.TextColumnName to the right column.");
        StringAssert.StartsWith(WrongColumn(_mlContext.Data.LoadFromEnumerable(new[] { new { Image = "", Text = "", DatasetType = 1L } })),
            "Column 'DatasetType' is Int64; text, or key with text key values, is needed. Set PrefixClipOptions.DatasetTypeColumnName");
        StringAssert.StartsWith(WrongColumn(_mlContext.Data.LoadFromEnumerable(new[] { new NumberKey() })),
            "Column 'Label' is Key<UInt32, 0-4> without text key values, so that its keys cannot be matched to names. Make the keys of " +
            "names, with MapValueToKey of a text column, or set PrefixClipOptions.LabelColumnName to another column.");
    }

    [TestMethod]
    public void Read_BadRow_SaysRowAndRemedy()
    {
        var good = ("1.png", "x", "caption", "");
        Assert.AreEqual(
            "Row 2 has the dataset type 'Captoin'; the known ones are 'caption', 'classification'. Did you mean 'caption'? " +
            "Correct the column, or add the type to PrefixClipOptions.DatasetTypes.", BadRow(good, ("2.png", "x", "Captoin", "")));
        Assert.AreEqual(
            "Row 1 has no dataset type in column 'DatasetType'; the known ones are 'caption', 'classification'. " +
            "TagDatasetType adds one to a whole view.",
            BadRow(("2.png", "x", "", "")));
        Assert.AreEqual("Row 3 ('2.png', dataset type 'caption') has no text in column 'Text'. " +
            "Give a caption or class name, or remove the row.",
            BadRow(good, good, ("2.png", " \t", "caption", "")));
        Assert.AreEqual("Row 2 has no image in column 'Image'. Give one, remove the row, or set PrefixClipOptions.BadImages to Skip.",
            BadRow(good, ("", "x", "caption", "")));
        Assert.AreEqual("The input has no rows; there is nothing to learn from.", BadRow());
    }

    [TestMethod]
    public void Read_MissingImageWithSkip_IsKeptForTheReaderOfPixels()
    {
        var rows = TaggedRows.Read(View(("", "x", "caption", "")), _options with { BadImages = BadImagePolicy.Skip });
        Assert.IsTrue(rows.Images.Single().IsMissing);
    }

    [TestMethod]
    public void Read_Cancelled_Stops()
    {
        var options = _options with { CancellationToken = new CancellationToken(canceled: true) };
        DataTestRows.Fails<OperationCanceledException>(() => TaggedRows.Read(View(("1.png", "x", "caption", "")), options));
    }

    [TestMethod]
    public void CheckBatches_EnoughRows_Passes()
    {
        var rows = TaggedRows.Read(View(("1", "x", "caption", ""), ("2", "y", "caption", ""), ("3", "a", "classification", ""),
            ("4", "b", "classification", "")), _options);
        rows.CheckBatches(_options);
        rows.CheckBatches(_options with { BatchSize = 4, BatchComposition = BatchComposition.Mixed });
        Assert.AreEqual(4, rows.Count);
    }

    [TestMethod]
    public void CheckBatches_TooFewRows_SaysCountsAndRemedy()
    {
        var rows = TaggedRows.Read(View(("1", "x", "caption", ""), ("2", "y", "caption", ""), ("3", "a", "classification", ""),
            ("4", "b", "classification", ""), ("5", "b", "classification", "")), _options);
        Assert.AreEqual(
            "PrefixClipOptions.BatchSize is 3, but a batch holds rows of one dataset type, and their row counts are 'caption' 2, " +
            "'classification' 3. Set BatchSize to at most 2, give more rows, or set BatchComposition to Mixed.",
            TooLarge(rows, _options with { BatchSize = 3 }));
        Assert.AreEqual("PrefixClipOptions.BatchSize is 6, but there are only 5 rows. Set BatchSize to at most 5, give more rows.",
            TooLarge(rows, _options with { BatchSize = 6, BatchComposition = BatchComposition.Mixed }));
        Assert.AreEqual(
            "PrefixClipOptions.BatchSize is 2, but a batch holds rows of one dataset type, and their row counts are 'caption' 1. " +
            "Give more rows.",
            TooLarge(TaggedRows.Read(View(("1", "x", "caption", "")), _options), _options));
    }

    [TestMethod]
    public void CheckBatches_SingleClass_SaysThereIsNothingToContrast()
    {
        var mixed = _options with { BatchComposition = BatchComposition.Mixed };
        var both = TaggedRows.Read(View(("1", "x", "caption", ""), ("2", "y", "caption", ""), ("3", "a", "classification", "k"),
            ("4", "b", "classification", "k")), _options);
        Assert.AreEqual(
            "All 2 rows of the dataset type 'classification' have the class 'a': there is nothing to contrast. " +
            "Give rows of at least two classes, or set BatchComposition to Mixed.",
            DataTestRows.Fails<InvalidDataException>(() => both.CheckBatches(_options)).Message);
        both.CheckBatches(mixed);   // captions contrast with the class
        var alone = TaggedRows.Read(View(("3", "a", "classification", ""), ("4", "a", "classification", "")), _options);
        Assert.AreEqual(
            "All 2 rows of the dataset type 'classification' have the class 'a': there is nothing to contrast. " +
            "Give rows of at least two classes.",
            DataTestRows.Fails<InvalidDataException>(() => alone.CheckBatches(mixed)).Message);
    }

    [TestMethod]
    [DataRow("Image", "Imgae, Text", "Imgae")]
    [DataRow("Image", "Text, Label", null)]
    [DataRow("DatasetType", "dataset_type, Type", "dataset_type")]
    [DataRow("Text", "text, Test", "text")]
    public void NearNameFind_Names_NearestOrNone(string wanted, string candidates, string? expected) =>
        Assert.AreEqual(expected, NearName.Find(wanted, candidates.Split(", ")));

    [TestMethod]
    [DataRow("it's", "'it's'")]
    [DataRow("a\r\nb\u2028\u001b[31m", "'a\\u000d\\u000ab\\u2028\\u001b[31m'")]
    public void NearNameQuoted_ControlCharacters_AreEscaped(string name, string expected) =>
        Assert.AreEqual(expected, NearName.Quoted(name));

    [TestMethod]
    public void NearNameQuoted_LongName_IsCutOff()
    {
        Assert.AreEqual($"'{new string('x', 100)}…'", NearName.Quoted(new string('x', 101)));
        Assert.AreEqual($"'{new string('x', 100)}'", NearName.Quoted(new string('x', 100)));
    }

    [TestMethod]
    public void NearNameList_ManyNames_IsCutOff() =>
        StringAssert.EndsWith(NearName.List([.. Enumerable.Range(0, 25).Select(i => $"c{i}")]), "'c19' and 5 more");

    private string WrongColumn(IDataView view) =>
        DataTestRows.Fails<ArgumentOutOfRangeException>(() => TaggedRows.Read(view, _options)).Message;

    private string BadRow(params (string, string, string, string)[] rows) =>
        DataTestRows.Fails<InvalidDataException>(() => TaggedRows.Read(View(rows), _options)).Message;

    private static string TooLarge(TaggedRows rows, PrefixClipOptions options) =>
        DataTestRows.Fails<ArgumentException>(() => rows.CheckBatches(options)).Message;

    private static TextRowsView View(params (string Image, string Text, string Type, string Label)[] rows) => new TextRowsView(
        rows.Length, ("Image", i => rows[i].Image), ("Text", i => rows[i].Text), ("DatasetType", i => rows[i].Type),
        ("Label", i => rows[i].Label));

    private sealed class Encoded
    {
        public byte[] Image { get; set; } = [];
        public string Text { get; set; } = "t";
        public string DatasetType { get; set; } = "caption";
    }

    private sealed class WithImage
    {
        [ImageType(1, 1)]
        public MLImage? Image { get; set; }
        public string Text { get; set; } = "t";
        public string DatasetType { get; set; } = "caption";
    }

    private sealed class NumberKey
    {
        public string Image { get; set; } = "";
        public string Text { get; set; } = "";
        public string DatasetType { get; set; } = "";

        [KeyType(5)]
        public uint Label { get; set; }
    }
}
