using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
[DoNotParallelize]   // counts the reads of row groups
public sealed class ParquetSourceTests : IDisposable
{
    private readonly DataTestFolder _folder = new();
    private readonly MLContext _mlContext = new(seed: 1);

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void LoadParquet_Bytes_GivesLocatorsOfRowGroupAndRow()
    {
        var a = ParquetFile.Write(_folder["a.parquet"], 2, ([1], "one"), ([2, 2], "two"), ([3, 3, 3], "three"));
        var b = ParquetFile.Write(_folder["b.parquet"], 2, ([4], "four"));

        var view = _mlContext.Data.LoadParquet(_folder["*.parquet"], "image", "caption");

        Assert.AreEqual(4, view.GetRowCount());
        DataTestRows.Equal([$"{a}!/image@0+0", $"{a}!/image@0+1", $"{a}!/image@1+0", $"{b}!/image@0+0"], view.Texts("Image"));
        DataTestRows.Equal(["one", "two", "three", "four"], view.Texts("Text"));
        DataTestRows.Equal(["caption", "caption", "caption", "caption"], view.Texts("DatasetType"));
        DataTestRows.Equal(["", "", "", ""], view.Texts("Label"));
        DataTestRows.Equal<byte>([3, 3, 3], ImageLocator.ReadAllBytes(view.Texts("Image")[2]));
    }

    [TestMethod]
    public void LoadParquet_HuggingFaceImagesAndCodes_GivesNamesOfClasses()
    {
        var path = ParquetFile.Write(_folder["x.parquet"], 2,
            ("image.bytes", [new byte[] { 7 }, new byte[] { 8 }, new byte[] { 9 }]), ("image.path", ["a.png", null, "c.png"]),
            ("label", [1L, 0L, 2L]), ("kind", ["classification", "classification", "other"]));
        var names = new Dictionary<string, string> { ["0"] = "cat", ["1"] = "dog" };

        var view = _mlContext.Data.LoadParquet(path, "image", "label", "label", "kind", classNames: names, imageColumnName: "Picture");

        DataTestRows.Equal(["dog", "cat", "2"], view.Texts("Text"));
        DataTestRows.Equal(["dog", "cat", "2"], view.Texts("Label"));
        DataTestRows.Equal(["classification", "classification", "other"], view.Texts("DatasetType"));
        Assert.AreEqual($"{path}!/image.bytes@1+0", view.Texts("Picture")[2]);
        DataTestRows.Equal<byte>([9], ImageLocator.ReadAllBytes(view.Texts("Picture")[2]));
    }

    [TestMethod]
    public void LoadParquet_PathsAndFurtherColumns_ArePassedOn()
    {
        Directory.CreateDirectory(_folder["photos"]);
        var path = ParquetFile.Write(_folder["x.parquet"], 2, ("file", ["a.png", "b/c.png", "d.png"]), ("text", ["one", "two", "three"]),
            ("width", [640, 320, 200]), ("score", [0.5f, null, 2f]), ("safe", [true, false, true]), ("url", ["u", null, "w"]));

        var view = _mlContext.Data.LoadParquet(path, "file", "text", imageRoot: _folder["photos"],
            furtherFields: ["width", "score", "safe", "url"]);

        DataTestRows.Equal([_folder["photos/a.png"], _folder["photos/b/c.png"], _folder["photos/d.png"]], view.Texts("Image"));
        DataTestRows.Equal([640, 320, 200], view.GetColumn<int>("width"));
        DataTestRows.Equal([0.5f, float.NaN, 2f], view.GetColumn<float>("score"));
        DataTestRows.Equal([true, false, true], view.GetColumn<bool>("safe"));
        DataTestRows.Equal(["u", "", "w"], view.Texts("url"));
        StringAssert.Contains(DataTestRows.Fails<ArgumentException>(() => _mlContext.Data.LoadParquet(path, "file", "text",
            furtherFields: ["width"], textColumnName: "width")).Message, "Two columns would be named 'width'");
        var first = _mlContext.Data.LoadParquet(path, "file", "text").Texts("Image")[0];
        Assert.AreEqual(_folder["a.png"], first);
    }

    [TestMethod]
    public void LoadParquet_Shuffled_KeepsRowGroupsAndRowIds()
    {
        var rows = Enumerable.Range(0, 40).Select(i => ((byte[]?)[(byte)i], (string?)$"{i}")).ToArray();
        rows[5] = (null, "5");
        var view = _mlContext.Data.LoadParquet(ParquetFile.Write(_folder["x.parquet"], 8, rows), "image", "caption",
            badRows: BadRowPolicy.Skip);

        var inOrder = Ids(view, null);
        var shuffled = Ids(view, new Random(3));

        CollectionAssert.AreEqual(Enumerable.Range(0, 39).Select(i => (ulong)i).ToArray(), inOrder.Select(r => r.Id).ToArray());
        CollectionAssert.AreEquivalent(inOrder, shuffled);
        CollectionAssert.AreNotEqual(inOrder, shuffled);
        CollectionAssert.AreEqual(shuffled, Ids(view, new Random(3)));
        using var nothing = view.GetRowCursor([]);
        var count = 0;
        while (nothing.MoveNext()) count++;
        Assert.AreEqual(39, count);
        Assert.IsFalse(nothing.MoveNext());
    }

    [TestMethod]
    public void LoadParquet_Nulls_AreFaultsOrLeftOut()
    {
        var path = ParquetFile.Write(_folder["x.parquet"], 2, ([1], "one"), ([2], null), (null, "three"), ([4], "four"));
        var warnings = _mlContext.Warnings();

        StringAssert.Contains(Fault(path), $"'{path}', row group 0, row 1: column 'caption' is null. To leave such rows out, set badRows");
        var view = _mlContext.Data.LoadParquet(path, "image", "caption", badRows: BadRowPolicy.Skip);

        Assert.AreEqual(2, view.GetRowCount());
        DataTestRows.Equal(["one", "four"], view.Texts("Text"));
        DataTestRows.Equal([$"{path}!/image@0+0", $"{path}!/image@1+1"], view.Texts("Image"));
        Assert.HasCount(1, warnings);
        StringAssert.Contains(warnings[0], "2 row(s) in 1 file(s); 2 left out. The first fault: ");
        var numbers = ParquetFile.Write(_folder["n.parquet"], 2, ("image", [new byte[1], new byte[1]]), ("caption", ["a", "b"]),
            ("n", [1, null]));
        StringAssert.Contains(DataTestRows.Fails<InvalidDataException>(() =>
            _mlContext.Data.LoadParquet(numbers, "image", "caption", furtherFields: ["n"])).Message, "row 1: column 'n' is null");
        Assert.AreEqual(2, _mlContext.Data.LoadParquet(numbers, "image", "caption").GetRowCount());
    }

    [TestMethod]
    public void LoadParquet_WrongColumns_NamesFileColumnFoundAndExpected()
    {
        var path = ParquetFile.Write(_folder["x.parquet"], 2, ("image", [new byte[1]]), ("caption", ["one"]), ("width", [640]),
            ("ratio", [0.5f]));

        Assert.AreEqual($"'{path}': column 'width' is Int32, expected an image (bytes) or a path (text).", Fault(path, "width"));
        Assert.AreEqual($"'{path}': column 'image' is bytes, expected text or a whole number.", Fault(path, "image", "image"));
        Assert.AreEqual($"'{path}': column 'ratio' is Single, expected text or a whole number.", Fault(path, "image", "ratio"));
        StringAssert.StartsWith(Fault(path, "image", "captoin"), $"'{path}' has no column 'captoin'; it has 'image', 'caption', 'width', " +
            "'ratio'. Did you mean 'caption'?");
        ParquetFile.Write(_folder["y.parquet"], 2, ("image", ["a.png"]), ("caption", ["one"]));
        Assert.AreEqual($"'{_folder["y.parquet"]}': column 'image' is text, expected bytes as in '{path}'.", Fault(_folder["*.parquet"]));
        StringAssert.Contains(DataTestRows.Fails<ArgumentException>(() =>
            _mlContext.Data.LoadParquet(_folder.Write("x.bin"), "image", "caption")).Message, "does not end in .parquet");
    }

    [TestMethod]
    public void LoadParquet_DamagedFiles_AreRefused()
    {
        var path = ParquetFile.Write(_folder["x.parquet"], 2, ([1], "one"), ([2], "two"), ([3], "three"));
        var bytes = File.ReadAllBytes(path);

        for (var length = 0; length < bytes.Length; length++)
            StringAssert.StartsWith(Fault(_folder.Write("cut.parquet", bytes[..length])),
                $"'{_folder["cut.parquet"]}' is no Parquet file or is damaged: ");
        var none = ParquetFile.Write(_folder["none.parquet"], 1, (null, "one"), ([1], null));
        StringAssert.Contains(DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadParquet(none, "image", "caption",
            badRows: BadRowPolicy.Skip)).Message, "has no rows in 1 file(s). ");
    }

    [TestMethod]
    public void ReadAllBytes_ImagesInRandomOrder_ReadsARowGroupOnceWhileItFits()
    {
        var rows = Enumerable.Range(0, 60).Select(i => ((byte[]?)Enumerable.Repeat((byte)i, 1000).ToArray(), (string?)$"{i}")).ToArray();
        var view = _mlContext.Data.LoadParquet(ParquetFile.Write(_folder["x.parquet"], 10, rows), "image", "caption");
        var images = view.Texts("Image");
        var (limit, reads) = (RowGroupImages.Limit, RowGroupImages.ReadCount);
        try
        {
            Parallel.For(0, 600, i => Assert.AreEqual((byte)(i * 7 % 60), ImageLocator.ReadAllBytes(images[i * 7 % 60])[^1]));
            Assert.AreEqual(reads + 6, RowGroupImages.ReadCount);
            RowGroupImages.Limit = 25_000;   // two row groups
            for (var i = 0; i < 60; i++) ImageLocator.ReadAllBytes(images[i]);
            for (var i = 0; i < 60; i++) ImageLocator.ReadAllBytes(images[40 + (i % 20)]);
            Assert.AreEqual(reads + 6, RowGroupImages.ReadCount);   // they were kept until others come
            var other = ParquetFile.Write(_folder["y.parquet"], 10, rows);
            for (var i = 0; i < 60; i++) ImageLocator.ReadAllBytes(images[i].Replace("x.parquet", "y.parquet", StringComparison.Ordinal));
            Assert.IsTrue(File.Exists(other));
            Assert.AreEqual(reads + 12, RowGroupImages.ReadCount);
            Assert.IsLessThanOrEqualTo(25_000, RowGroupImages.Size);
        }
        finally
        {
            RowGroupImages.Limit = limit;
        }
    }

    [TestMethod]
    public void ReadAllBytes_NoSuchImage_SaysSo()
    {
        var path = ParquetFile.Write(_folder["x.parquet"], 2, ([1], "one"), (null, "two"));
        _mlContext.Data.LoadParquet(path, "image", "caption", badRows: BadRowPolicy.Skip);

        StringAssert.Contains(ReadFault($"{path}!/image@0+1"), "Row group 0 of ");
        StringAssert.Contains(ReadFault($"{path}!/image@0+2"), "has no image in row 2 of column 'image'");
        StringAssert.Contains(ReadFault($"{path}!/image@5+0"), "is no Parquet file or is damaged");
        StringAssert.Contains(ReadFault($"{path}!/caption@0+0"), "is no Parquet file or is damaged");
        StringAssert.Contains(ReadFault($"{path}!/picture@0+0"), "is no Parquet file or is damaged");
        ParquetFile.Write(path, 2, ([5, 5], "one"));
        DataTestRows.Equal<byte>([5, 5], ImageLocator.ReadAllBytes($"{path}!/image@0+0"));
        File.Delete(path);
        DataTestRows.Fails<FileNotFoundException>(() => ImageLocator.ReadAllBytes($"{path}!/image@0+0"));
    }

    private static (ulong Id, string Text, string Image)[] Ids(IDataView view, Random? random)
    {
        using var cursor = view.GetRowCursor(view.Schema, random);
        var (id, text, image) = (cursor.GetIdGetter(), cursor.GetGetter<ReadOnlyMemory<char>>(view.Schema["Text"]),
            cursor.GetGetter<ReadOnlyMemory<char>>(view.Schema["Image"]));
        DataViewRowId idValue = default;
        ReadOnlyMemory<char> textValue = default, imageValue = default;
        var rows = new List<(ulong, string, string)>();
        while (cursor.MoveNext())
        {
            id(ref idValue);
            text(ref textValue);
            image(ref imageValue);
            Assert.AreEqual(int.Parse(textValue.Span), ImageLocator.ReadAllBytes($"{imageValue}")[0]);
            rows.Add((idValue.Low, $"{textValue}", $"{imageValue}"));
        }
        return [.. rows];
    }

    private static string ReadFault(string locator) =>
        DataTestRows.Fails<InvalidDataException>(() => ImageLocator.ReadAllBytes(locator)).Message;

    private string Fault(string path, string image = "image", string caption = "caption") =>
        DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadParquet(path, image, caption)).Message;
}
