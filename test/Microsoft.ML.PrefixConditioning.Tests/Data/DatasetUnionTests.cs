using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class DatasetUnionTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void UnifyDatasets_TextViews_RowsOneAfterTheOther()
    {
        var union = _mlContext.Data.UnifyDatasets(Rows("a", 3), Rows("b", 2), Rows("c", 0), Rows("d", 1));
        DataTestRows.Equal(["Image", "Text", "DatasetType", "Label"], union.Schema.Select(c => c.Name).ToArray());
        Assert.IsTrue(union.Schema.All(c => c.Type is TextDataViewType));
        DataTestRows.Equal(["a0.png", "a1.png", "a2.png", "b0.png", "b1.png", "d0.png"], union.Texts("Image"));
        DataTestRows.Equal(["a", "a", "a", "b", "b", "d"], union.Texts("DatasetType"));
        Assert.AreEqual(6L, union.GetRowCount());
    }

    [TestMethod]
    public void UnifyDatasets_KeysAndMissingLabel_BecomeText()
    {
        var keyed = _mlContext.Data.LoadFromEnumerable(new[]
        {
            new FourTexts("x.png", "cat", "classification", "c1"), new FourTexts("y.png", "dog", "classification", ""),
        });
        var keys = _mlContext.Transforms.Conversion.MapValueToKey([new("Label"), new("DatasetType")]);
        keyed = keys.Fit(keyed).Transform(keyed);
        Assert.IsInstanceOfType<KeyDataViewType>(keyed.Schema["Label"].Type);
        var bare = _mlContext.Data.LoadFromEnumerable(
            new[] { new Bare { Image = "z.png", Text = "a bird", DatasetType = "caption", Extra = 3 } });
        var union = _mlContext.Data.UnifyDatasets(keyed, bare);
        DataTestRows.Equal(["c1", "", ""], union.Texts("Label"));
        DataTestRows.Equal(["classification", "classification", "caption"], union.Texts("DatasetType"));
        Assert.IsNull(union.Schema.GetColumnOrNull("Extra"));
    }

    [TestMethod]
    public void UnifyDatasets_EncodedImages_Unified()
    {
        var one = _mlContext.Data.LoadFromEnumerable(new[] { new Encoded { Image = [1, 2] } });
        var two = _mlContext.Data.LoadFromEnumerable(new[] { new EncodedOfFour { Image = [3, 4, 5, 6] } });
        var union = _mlContext.Data.UnifyDatasets(one, two);
        Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Byte), union.Schema["Image"].Type);
        var images = union.GetColumn<byte[]>("Image").ToArray();
        DataTestRows.Equal<byte>([1, 2], images[0]);
        DataTestRows.Equal<byte>([3, 4, 5, 6], images[1]);
    }

    [TestMethod]
    public void UnifyDatasets_ImagesOfUsersAndOfFiles_UsersImagesStayAlive()
    {
        using var folder = new DataTestFolder();
        using var own = MLImage.CreateFromPixels(2, 1, MLPixelFormat.Rgba32, new byte[8]);
        own.Save(folder["a.png"]);
        var users = _mlContext.Data.LoadFromEnumerable(new[] { new WithImage { Image = own } });
        var paths = _mlContext.Data.LoadFromEnumerable(
            new[] { new FourTexts("a.png", "t", "caption", ""), new FourTexts("a.png", "t", "caption", "") });
        var files = _mlContext.Transforms.LoadImages("Image", folder.Root, "Image").Fit(paths).Transform(paths);
        var union = _mlContext.Data.UnifyDatasets(users, files);
        Assert.IsInstanceOfType<ImageDataViewType>(union.Schema["Image"].Type);
        using (var cursor = union.GetRowCursor(union.Schema))
        {
            var getter = cursor.GetGetter<MLImage>(union.Schema["Image"]);
            MLImage image = null!;
            while (cursor.MoveNext())
            {
                getter(ref image);
                Assert.AreEqual(2, image.Width);
            }
        }
        Assert.AreEqual(8, own.Pixels.Length);   // throws if a reader of files disposed it
    }

    [TestMethod]
    public void GetRowCursor_Random_MixesAllRowsBySeed()
    {
        var union = _mlContext.Data.UnifyDatasets(Listed("a", 300), Listed("b", 100));
        Assert.IsTrue(union.CanShuffle);
        var first = Shuffled(union, 7);
        CollectionAssert.AreEqual(first, Shuffled(union, 7));
        CollectionAssert.AreNotEqual(first, Shuffled(union, 8));
        CollectionAssert.AreEquivalent(union.Texts("Image"), first);
        var early = first.Take(200).Count(i => i.StartsWith('a'));
        Assert.IsTrue(early is > 125 and < 175, $"{early} of the first 200 rows are from the first view; 150 are its share.");
    }

    [TestMethod]
    public void GetRowCursor_RandomButAViewCannotShuffle_PlainOrder()
    {
        var union = _mlContext.Data.UnifyDatasets(Listed("a", 20), Rows("b", 20));
        Assert.IsFalse(union.CanShuffle);
        CollectionAssert.AreEqual(union.Texts("Image"), Shuffled(union, 7));
        var pooled = _mlContext.Data.ShuffleRows(union, seed: 3).Texts("Image");
        CollectionAssert.AreEquivalent(union.Texts("Image"), pooled);
    }

    [TestMethod]
    public void GetRowCursor_Ids_DifferBetweenViews()
    {
        var union = _mlContext.Data.UnifyDatasets(Listed("a", 5), Listed("b", 5));
        var ordered = Ids(union, null);
        Assert.HasCount(10, ordered.Values.Distinct().ToArray());
        var shuffled = Ids(union, new Random(3));
        foreach (var (image, id) in ordered) Assert.AreEqual(id, shuffled[image]);
    }

    [TestMethod]
    public void GetRowCursorSet_AnyNumber_GivesEveryRowOnce()
    {
        var union = _mlContext.Data.UnifyDatasets(Rows("a", 3), Rows("b", 3));
        var images = new List<string>();
        foreach (var cursor in union.GetRowCursorSet(union.Schema, 4))
        {
            using var one = cursor;
            var getter = one.GetGetter<ReadOnlyMemory<char>>(union.Schema["Image"]);
            ReadOnlyMemory<char> value = default;
            while (one.MoveNext())
            {
                getter(ref value);
                images.Add(value.ToString());
            }
        }
        CollectionAssert.AreEqual(union.Texts("Image"), images);
    }

    [TestMethod]
    public void GetRowCursor_Disposed_DisposesTheViewsCursors()
    {
        var first = new TrackedView(Listed("a", 2));
        var second = new TrackedView(Listed("b", 2));
        var union = _mlContext.Data.UnifyDatasets(first, second);
        Assert.IsNull(union.GetRowCount());
        Assert.IsFalse(union.CanShuffle);   // without counts no fair draw
        var cursor = union.GetRowCursor(union.Schema);
        Assert.IsTrue(cursor.MoveNext());
        Assert.AreEqual((1, 0), (first.Opened, first.Disposed));
        cursor.Dispose();
        cursor.Dispose();
        Assert.AreEqual((1, 1), (first.Opened, first.Disposed));
        Assert.AreEqual((0, 0), (second.Opened, second.Disposed));
        Assert.ThrowsExactly<ObjectDisposedException>(() => cursor.MoveNext());
        Assert.HasCount(4, union.Texts("Image"));
        Assert.AreEqual((2, 2), (first.Opened, first.Disposed));
        Assert.AreEqual((1, 1), (second.Opened, second.Disposed));
    }

    [TestMethod]
    public void GetGetter_WrongUse_IsReported()
    {
        var union = _mlContext.Data.UnifyDatasets(Rows("a", 1));
        foreach (var view in new[] { union, Listed("a", 1) })
        {
            using var cursor = view.GetRowCursor([view.Schema["Text"]]);
            Assert.IsFalse(cursor.IsColumnActive(view.Schema["Image"]));
            var inactive = view.Schema["Image"];
            StringAssert.Contains(
                DataTestRows.Fails<ArgumentOutOfRangeException>(() => cursor.GetGetter<ReadOnlyMemory<char>>(inactive)).Message,
                "Column 'Image' is not active in this cursor; name it when the cursor is created.");
            StringAssert.Contains(DataTestRows.Fails<InvalidOperationException>(() => cursor.GetGetter<float>(view.Schema["Text"])).Message,
                "its values cannot be read as System.Single.");
            var getter = cursor.GetGetter<ReadOnlyMemory<char>>(view.Schema["Text"]);
            ReadOnlyMemory<char> value = default;
            StringAssert.Contains(DataTestRows.Fails<InvalidOperationException>(() => getter(ref value)).Message,
                "The cursor is not on a row");
            Assert.AreEqual(-1L, cursor.Position);
            Assert.IsTrue(cursor.MoveNext());
            Assert.AreEqual(0L, cursor.Position);
            Assert.IsFalse(cursor.MoveNext());
            Assert.IsFalse(cursor.MoveNext());
        }
    }

    [TestMethod]
    public void UnifyDatasets_DataOperations_Work()
    {
        var union = _mlContext.Data.UnifyDatasets(Listed("a", 30), Listed("b", 30));
        Assert.HasCount(7, _mlContext.Data.TakeRows(union, 7).Texts("Image"));
        var split = _mlContext.Data.TrainTestSplit(union, 0.25, seed: 1);
        CollectionAssert.AreEquivalent(union.Texts("Image"), split.TrainSet.Texts("Image").Concat(split.TestSet.Texts("Image")).ToArray());
        CollectionAssert.AreEquivalent(union.Texts("Image"), _mlContext.Data.ShuffleRows(union).Texts("Image"));
        var counted = _mlContext.Transforms.Expression("Number", "(t) => t == \"a\" ? 1f : 0f", "DatasetType").Fit(union).Transform(union);
        Assert.HasCount(30, _mlContext.Data.FilterRowsByColumn(counted, "Number", lowerBound: 0.5).Texts("Image"));
        Assert.HasCount(60, _mlContext.Data.Cache(union).Texts("Label"));
        var nested = _mlContext.Data.UnifyDatasets(new List<IDataView> { union, split.TestSet }, "Image", "Text", "DatasetType", "Label");
        Assert.HasCount(60 + split.TestSet.Texts("Image").Length, nested.Texts("Image"));
    }

    [TestMethod]
    public void UnifyDatasets_OtherColumnNames_AreUsed()
    {
        var renamed = new TextRowsView(1, ("Picture", _ => "a.png"), ("Words", _ => "w"), ("Source", _ => "s"));
        var union = _mlContext.Data.UnifyDatasets([renamed], "Picture", "Words", "Source", "Class");
        DataTestRows.Equal(["Picture", "Words", "Source", "Class"], union.Schema.Select(c => c.Name).ToArray());
        Assert.AreEqual("w", union.Texts("Words").Single());
    }

    [TestMethod]
    public void UnifyDatasets_NothingOrNull_IsReported()
    {
        StringAssert.Contains(DataTestRows.Fails<ArgumentException>(() => _mlContext.Data.UnifyDatasets()).Message,
            "There are no datasets to unify; give at least one view.");
        StringAssert.Contains(DataTestRows.Fails<ArgumentException>(() => _mlContext.Data.UnifyDatasets(Rows("a", 1), null!)).Message,
            "datasets[1] is null");
        DataTestRows.Fails<ArgumentNullException>(() => _mlContext.Data.UnifyDatasets((IDataView[])null!));
    }

    [TestMethod]
    public void UnifyDatasets_MissingColumn_NamesTheViewAndTheNearestColumn()
    {
        var typo = new TextRowsView(1, ("Imgae", _ => "a.png"), ("Text", _ => "w"), ("DatasetType", _ => "s"));
        Assert.AreEqual(
            "There is no column 'Image'; the input has 'Imgae', 'Text', 'DatasetType'. " +
            "Did you mean 'Imgae'? Set imageColumnName to the right column. (Parameter 'datasets[1]')",
            DataTestRows.Fails<ArgumentOutOfRangeException>(() => _mlContext.Data.UnifyDatasets(Rows("a", 1), typo)).Message);
        var untagged = new TextRowsView(1, ("Image", _ => "a.png"), ("Text", _ => "w"));
        Assert.AreEqual(
            "There is no column 'DatasetType'; the input has 'Image', 'Text'. Set datasetTypeColumnName to the right column. " +
            "TagDatasetType adds a dataset type. (Parameter 'datasets[0]')",
            DataTestRows.Fails<ArgumentOutOfRangeException>(() => _mlContext.Data.UnifyDatasets(untagged)).Message);
    }

    [TestMethod]
    public void UnifyDatasets_WrongTypes_NameTheView()
    {
        var number = _mlContext.Data.LoadFromEnumerable(new[] { new { Image = "a", Text = "b", DatasetType = "c", Label = 1f } });
        Assert.AreEqual(
            "Column 'Label' is Single; text, or key with text key values, is needed. Set labelColumnName to the right column, " +
            "or convert it to text with Conversion.ConvertType. (Parameter 'datasets[1]')",
            DataTestRows.Fails<ArgumentOutOfRangeException>(() => _mlContext.Data.UnifyDatasets(Rows("a", 1), number)).Message);
        var keyedText = _mlContext.Transforms.Conversion.MapValueToKey("Text").Fit(Rows("a", 1)).Transform(Rows("a", 1));
        StringAssert.Contains(DataTestRows.Fails<ArgumentOutOfRangeException>(() => _mlContext.Data.UnifyDatasets(keyedText)).Message,
            "captions and class names are text. Set textColumnName to the right column, or turn the key back to text with " +
            "MapKeyToValue. (Parameter 'datasets[0]')");
        var numeric = _mlContext.Data.LoadFromEnumerable(new[] { new { Image = new float[3], Text = "b", DatasetType = "c" } });
        StringAssert.Contains(DataTestRows.Fails<ArgumentOutOfRangeException>(() => _mlContext.Data.UnifyDatasets(numeric)).Message,
            "Column 'Image' is Vector<Single>; an image column is text (a path), a vector of bytes (an encoded file) or an image. " +
            "Set imageColumnName to the right column.");
    }

    [TestMethod]
    public void UnifyDatasets_DifferentImageForms_SaysWhichAndHowToConvert()
    {
        var bytes = _mlContext.Data.LoadFromEnumerable(new[] { new Encoded { Image = [1] } });
        var images = _mlContext.Data.LoadFromEnumerable(new[] { new WithImage() });
        Assert.AreEqual(
            "The image columns have different types: datasets[0] has text (paths), datasets[1] has byte vectors (encoded files), " +
            "datasets[2] has ML.NET images. " +
            "Convert them to one type: LoadRawImageBytes turns paths into encoded files, LoadImages turns them into images. (Parameter " +
                "'datasets')",
            DataTestRows.Fails<ArgumentOutOfRangeException>(() => _mlContext.Data.UnifyDatasets(Rows("a", 1), bytes, images)).Message);
    }

    /// <summary>A view that knows its count but cannot be shuffled.</summary>
    private IDataView Rows(string type, int count) =>
        _mlContext.Data.LoadFromEnumerable(
            Enumerable.Range(0, count).Select(i => new FourTexts($"{type}{i}.png", $"{type} {i}", type, type)).ToArray());

    /// <summary>A view that can be shuffled.</summary>
    private static TextRowsView Listed(string type, int count) =>
        new(count, ("Image", i => $"{type}{i}.png"), ("Text", i => $"{type} {i}"), ("DatasetType", _ => type));

    private static string[] Shuffled(IDataView view, int seed) => [.. Ids(view, new Random(seed)).Keys];

    private static Dictionary<string, DataViewRowId> Ids(IDataView view, Random? random)
    {
        using var cursor = view.GetRowCursor(view.Schema, random);
        var image = cursor.GetGetter<ReadOnlyMemory<char>>(view.Schema["Image"]);
        var id = cursor.GetIdGetter();
        var ids = new Dictionary<string, DataViewRowId>();
        ReadOnlyMemory<char> value = default;
        DataViewRowId row = default;
        while (cursor.MoveNext())
        {
            image(ref value);
            id(ref row);
            ids.Add(value.ToString(), row);
        }
        return ids;
    }

    private sealed class FourTexts(string image, string text, string datasetType, string label)
    {
        public string Image { get; } = image;
        public string Text { get; } = text;
        public string DatasetType { get; } = datasetType;
        public string Label { get; } = label;
    }

    private sealed class Bare
    {
        public string Image { get; set; } = "";
        public string Text { get; set; } = "";
        public string DatasetType { get; set; } = "";
        public float Extra { get; set; }
    }

    private sealed class Encoded
    {
        public byte[] Image { get; set; } = [];
        public string Text { get; set; } = "t";
        public string DatasetType { get; set; } = "caption";
    }

    private sealed class EncodedOfFour
    {
        [VectorType(4)]
        public byte[] Image { get; set; } = [];
        public string Text { get; set; } = "t";
        public string DatasetType { get; set; } = "caption";
    }

    private sealed class WithImage
    {
        [ImageType(1, 2)]
        public MLImage? Image { get; set; }
        public string Text { get; set; } = "t";
        public string DatasetType { get; set; } = "caption";
    }
}
