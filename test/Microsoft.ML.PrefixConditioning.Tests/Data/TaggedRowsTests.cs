using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class TaggedRowsTests
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly PrefixClipOptions _options = new() { BatchSize = 2 };

    private const string Skip = "To leave such rows out, set BadRows to Skip.";

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
        DataTestRows.Equal<byte>([1, 0, 1, 1, 1, 0], rows.DatasetTypes);
        DataTestRows.Equal([0, -1, 1, 1, 0, -1], rows.Labels);
        DataTestRows.Equal(["cat", "dog"], rows.ClassNames.ToArray());
        DataTestRows.Equal([2, 4], rows.RowCounts.ToArray());
        Assert.AreEqual(rows.Texts.Numbers[1], rows.Texts.Numbers[5]);
        Assert.AreEqual(rows.Images.Numbers[2], rows.Images.Numbers[3]);
        Assert.HasCount(5, rows.Images.Numbers.Distinct().ToArray());
    }

    [TestMethod]
    public void Read_TypesWithoutRows_AreLeftOut()
    {
        var options = _options with { DatasetTypes = [new("z", TextKind.Caption), DatasetType.Caption, new("a", TextKind.ClassName)] };
        var rows = TaggedRows.Read(View(("1.png", "x", "a", ""), ("2.png", "y", "z", "")), options);
        DataTestRows.Equal(["z", "a"], rows.Types.Select(t => t.Name).ToArray());
        DataTestRows.Equal<byte>([1, 0], rows.DatasetTypes);
    }

    [TestMethod]
    public void Read_NoLabelColumn_EqualTextsAreOneClass()
    {
        var view = new TextRowsView(4, ("Image", i => $"{i}.png"), ("Text", i => i % 2 == 0 ? "even" : "odd"),
            ("DatasetType", _ => "classification"));
        DataTestRows.Equal([0, 1, 0, 1], TaggedRows.Read(view, _options).Labels);
    }

    [TestMethod]
    public void Read_LabelsInTwoNormalForms_AreOneClass()
    {
        var rows = TaggedRows.Read(View(("1.png", "x", "classification", "caf\u00e9"), ("2.png", "y", "classification", "cafe\u0301"),
            ("3.png", "cafe\u0301", "classification", "")), _options);
        DataTestRows.Equal([0, 0, 0], rows.Labels);
    }

    [TestMethod]
    public void Read_KeyColumns_GiveTheirTexts()
    {
        IDataView view = View(("1.png", "x", "classification", "b"), ("2.png", "y", "caption", ""), ("3.png", "z", "classification", "b"));
        view = _mlContext.Transforms.Conversion.MapValueToKey([new("Label"), new("DatasetType")]).Fit(view).Transform(view);
        var rows = TaggedRows.Read(view, _options);
        DataTestRows.Equal<byte>([1, 0, 1], rows.DatasetTypes);
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
        DataTestRows.Equal<byte>([1, 0, 1], TaggedRows.Read(view, _options).DatasetTypes);
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
            "Set PrefixClipOptions.Columns.Image to the right column. (Parameter 'input')", WrongColumn(view));
        Assert.AreEqual(
            "There is no column 'DatasetType'; the input has 'Image', 'Text'. " +
            "Set PrefixClipOptions.Columns.DatasetType (or add one with TagDatasetType) to the right column. (Parameter 'input')",
            WrongColumn(new TextRowsView(1, ("Image", _ => "a"), ("Text", _ => "b"))));
        StringAssert.StartsWith(WrongColumn(new TextRowsView(1, ("Image", _ => "a"), ("text", _ => "b"))),
            "There is no column 'Text'; the input has 'Image', 'text'. Did you mean 'text'? Set PrefixClipOptions.Columns.Text to " +
            "the right column.");
    }

    [TestMethod]
    public void Read_WrongColumnTypes_SaysWhatIsAccepted()
    {
        StringAssert.StartsWith(WrongColumn(_mlContext.Data.LoadFromEnumerable(new[] { new { Image = 1f, Text = "", DatasetType = "" } })),
            "Column 'Image' is Single; an image column is text (a path), a vector of bytes (an encoded file) or an image. " +
            "Set PrefixClipOptions.Columns.Image to the right column.");
        StringAssert.StartsWith(WrongColumn(_mlContext.Data.LoadFromEnumerable(new[] { new { Image = "", Text = 1, DatasetType = "" } })),
            "Column 'Text' is Int32; captions and class names are text. Set PrefixClipOptions.Columns.Text to the right column.");
        StringAssert.StartsWith(WrongColumn(_mlContext.Data.LoadFromEnumerable(new[] { new { Image = "", Text = "", DatasetType = 1L } })),
            "Column 'DatasetType' is Int64; text, or key with text key values, is needed. Set PrefixClipOptions.Columns.DatasetType");
        StringAssert.StartsWith(WrongColumn(_mlContext.Data.LoadFromEnumerable(new[] { new NumberKey() })),
            "Column 'Label' is Key<UInt32, 0-4> without text key values, so its keys cannot be matched to names. Create the keys from " +
                "names, with MapValueToKey of a text column, or set PrefixClipOptions.Columns.Label to another column.");
    }

    [TestMethod]
    public void Read_BadRow_SaysRowImageAndRemedy()
    {
        var good = ("1.png", "x", "caption", "");
        Assert.AreEqual(
            "Row 2 ('2.png') has the dataset type 'Captoin'; the known ones are 'caption', 'classification'. Did you mean 'caption'? " +
            "Correct the column, or add the type to PrefixClipOptions.DatasetTypes. " + Skip, BadRow(good, ("2.png", "x", "Captoin", "")));
        Assert.AreEqual(
            "Row 1 ('2.png') has no dataset type in column 'DatasetType'; the known ones are 'caption', 'classification'. " +
            "TagDatasetType adds one to a whole view. " + Skip, BadRow(("2.png", "x", "", "")));
        Assert.AreEqual("Row 3 ('2.png') has no text in column 'Text'. Give a caption or class name, or remove the row. " + Skip,
            BadRow(good, good, ("2.png", " \t", "caption", "")));
        Assert.AreEqual("Row 2 has no image in column 'Image'. Give one, or remove the row. " + Skip,
            BadRow(good, ("", "x", "caption", "")));
        Assert.AreEqual("Row 1 ('http://x.org/1.png') has an image that is not on this machine. It is a web address. Download the image " +
            "and name the file, or mount the address with RemoteFiles. " + Skip, BadRow(("http://x.org/1.png", "x", "caption", "")));
        Assert.AreEqual("Row 1 ('a\\u001b[31m.png') has the dataset type '\\u0007'; the known ones are 'caption', 'classification'. " +
            "Correct the column, or add the type to PrefixClipOptions.DatasetTypes. " + Skip, BadRow(("a\u001b[31m.png", "x", "\a", "")));
        Assert.AreEqual("The input has no rows; there is nothing to learn from.", BadRow());
    }

    [TestMethod]
    public void Read_BadRowsAndPolicySkip_AreLeftOutAndCounted()
    {
        var options = _options with { BadRows = BadRowPolicy.Skip, MaxBadRowFraction = 0.75 };
        var rows = TaggedRows.Read(View(("1.png", "", "caption", ""), ("2.png", "b", "caption", ""), ("", "c", "caption", ""),
            ("4.png", "d", "", ""), ("5.png", "e", "video", ""), ("file://x/6.png", "f", "caption", ""), ("7.png", "g", "caption", "")),
                options);
        DataTestRows.Equal(["b", "g"], rows.Texts);
        DataTestRows.Equal([2, 7], Enumerable.Range(0, rows.Count).Select(rows.NumberOf));
        Assert.AreEqual((5, 7), (rows.BadCount, rows.TotalCount));
        Assert.AreEqual("Row 1 ('1.png') has no text in column 'Text'. Give a caption or class name, or remove the row.", rows.FirstFault);
    }

    [TestMethod]
    public void Read_MoreBadRowsThanAllowed_SaysHowMany()
    {
        var options = _options with { BadRows = BadRowPolicy.Skip, MaxBadRowFraction = 0.4 };
        var view = View(("1.png", "a", "caption", ""), ("2.png", " ", "caption", ""), ("3.png", "", "caption", ""));
        Assert.AreEqual("2 of 3 rows cannot be used, more than PrefixClipOptions.MaxBadRowFraction allows (1). The first fault: Row 2 " +
            "('2.png') " +
            "has no text in column 'Text'. Give a caption or class name, or remove the row. Repair the rows, or raise the fraction.",
            DataTestRows.Fails<InvalidDataException>(() => TaggedRows.Read(view, options)).Message);
        StringAssert.StartsWith(DataTestRows.Fails<InvalidDataException>(
            () => TaggedRows.Read(View(("1.png", "", "caption", "")), options with { MaxBadRowFraction = 1 })).Message,
            "None of the 1 rows can be used. The first fault: Row 1 ('1.png') has no text");
    }

    [TestMethod]
    public void Read_Cancelled_Stops()
    {
        var options = _options with { CancellationToken = new CancellationToken(canceled: true) };
        DataTestRows.Fails<OperationCanceledException>(() => TaggedRows.Read(View(("1.png", "x", "caption", "")), options));
    }

    [TestMethod]
    public void BatchSize_EnoughRows_IsAsSet()
    {
        var rows = TaggedRows.Read(View(("1", "x", "caption", ""), ("2", "y", "caption", ""), ("3", "a", "classification", ""),
            ("4", "b", "classification", "")), _options);
        Assert.AreEqual(2, rows.BatchSize(_options));
        Assert.AreEqual(4, rows.BatchSize(_options with { BatchSize = 4, BatchComposition = BatchComposition.Mixed }));
    }

    [TestMethod]
    public void BatchSize_NotSet_AdaptsToTheRows()
    {
        static TaggedRows Rows(int captions, int labeled) => TaggedRows.Read(View(
            [.. Enumerable.Range(0, captions).Select(i => ($"{i}", $"x {i}", "caption", "")),
                .. Enumerable.Range(0, labeled).Select(i => ($"{i}", $"c {i % 2}", "classification", ""))]), new PrefixClipOptions());
        var mixed = new PrefixClipOptions { BatchComposition = BatchComposition.Mixed };
        Assert.AreEqual(3, Rows(3, 200).BatchSize(new PrefixClipOptions()));
        Assert.AreEqual(128, Rows(300, 128).BatchSize(new PrefixClipOptions()));
        Assert.AreEqual(127, Rows(0, 127).BatchSize(new PrefixClipOptions()));
        Assert.AreEqual(128, Rows(3, 200).BatchSize(mixed));
        Assert.AreEqual(23, Rows(3, 20).BatchSize(mixed));
        Assert.AreEqual("A batch has at least 2 rows, but a batch holds rows of one dataset type, and their row counts are 'caption' 1, " +
            "'classification' 9. Give more rows, or set BatchComposition to Mixed.", TooLarge(Rows(1, 9), new PrefixClipOptions()));
    }

    [TestMethod]
    public void BatchSize_TooFewRows_SaysCountsAndRemedy()
    {
        var rows = TaggedRows.Read(View(("1", "x", "caption", ""), ("2", "y", "caption", ""), ("3", "a", "classification", ""),
            ("4", "b", "classification", ""), ("5", "b", "classification", "")), _options);
        Assert.AreEqual(
            "PrefixClipOptions.BatchSize is 3, but a batch holds rows of one dataset type, and their row counts are 'caption' 2, " +
            "'classification' 3. Set BatchSize to at most 2, or leave it unset, give more rows, or set BatchComposition to Mixed.",
            TooLarge(rows, _options with { BatchSize = 3 }));
        Assert.AreEqual("PrefixClipOptions.BatchSize is 6, but there are only 5 rows. Set BatchSize to at most 5, or leave it unset, " +
            "give more " +
            "rows.", TooLarge(rows, _options with { BatchSize = 6, BatchComposition = BatchComposition.Mixed }));
        Assert.AreEqual(
            "PrefixClipOptions.BatchSize is 2, but a batch holds rows of one dataset type, and their row counts are 'caption' 1. " +
            "Give more rows.",
            TooLarge(TaggedRows.Read(View(("1", "x", "caption", "")), _options), _options));
    }

    [TestMethod]
    public void BatchSize_SingleClass_SaysThereIsNothingToContrast()
    {
        var mixed = _options with { BatchComposition = BatchComposition.Mixed };
        var both = TaggedRows.Read(View(("1", "x", "caption", ""), ("2", "y", "caption", ""), ("3", "a", "classification", "k"),
            ("4", "b", "classification", "k")), _options);
        Assert.AreEqual(
            "All 2 rows of the dataset type 'classification' have the class 'a': there is nothing to contrast. " +
            "Give rows of at least two classes, or set BatchComposition to Mixed.",
            DataTestRows.Fails<InvalidDataException>(() => both.BatchSize(_options)).Message);
        both.BatchSize(mixed);   // captions contrast with the class
        var alone = TaggedRows.Read(View(("3", "a", "classification", ""), ("4", "a", "classification", "")), _options);
        Assert.AreEqual(
            "All 2 rows of the dataset type 'classification' have the class 'a': there is nothing to contrast. " +
            "Give rows of at least two classes.",
            DataTestRows.Fails<InvalidDataException>(() => alone.BatchSize(mixed)).Message);
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
        DataTestRows.Fails<ArgumentException>(() => rows.BatchSize(options)).Message;

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
