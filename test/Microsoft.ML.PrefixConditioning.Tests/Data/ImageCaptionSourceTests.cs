using System.Globalization;
using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ImageCaptionSourceTests : IDisposable
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly DataTestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void LoadImageCaptions_SeveralCaptionsPerImage_OneRowEach()
    {
        var table = _folder.Write("captions.tsv",
            "\uFEFFimage\tcaption\r\na.png\ta cat\r\na.png\ta grey cat, asleep\r\n\r\nb b.png\tein Tür \"offen\" 😀\r\n");
        Directory.CreateDirectory(_folder["images"]);
        var rows = _mlContext.Data.LoadImageCaptions(table, imageRoot: _folder["images/"]);
        DataTestRows.Equal([_folder["images/a.png"], _folder["images/a.png"], _folder["images/b b.png"]], rows.Texts("Image"));
        DataTestRows.Equal(["a cat", "a grey cat, asleep", "ein Tür \"offen\" 😀"], rows.Texts("Text"));
        DataTestRows.Equal(["caption", "caption", "caption"], rows.Texts("DatasetType"));
        DataTestRows.Equal(["", "", ""], rows.Texts("Label"));
        Assert.AreEqual(3L, rows.GetRowCount());
        Assert.IsTrue(rows.CanShuffle);
    }

    [TestMethod]
    [DataRow("image,caption")]
    [DataRow("caption,image")]
    [DataRow("Title,FilePath")]
    [DataRow("File Name,Alt-Text")]
    [DataRow("image_path,sentence")]
    public void LoadImageCaptions_UsualHeaderNames_AreFound(string header)
    {
        var imageFirst = header.StartsWith('i') || header.StartsWith('F');
        var table = _folder.Write("captions.csv", header + (imageFirst ? "\na.png,a cat" : "\na cat,a.png"));
        var rows = _mlContext.Data.LoadImageCaptions(table);
        Assert.AreEqual(_folder["a.png"], rows.Texts("Image").Single());
        Assert.AreEqual("a cat", rows.Texts("Text").Single());
    }

    [TestMethod]
    public void LoadImageCaptions_SeveralKnownNames_FirstOfTheListWins()
    {
        var table = _folder.Write("c.tsv", "title\tcaption\tpath\timage\nno\tyes\tno.png\tyes.png\n");
        var rows = _mlContext.Data.LoadImageCaptions(table);
        Assert.AreEqual("yes", rows.Texts("Text").Single());
        Assert.AreEqual(_folder["yes.png"], rows.Texts("Image").Single());
    }

    [TestMethod]
    public void LoadImageCaptions_NamedFields_AreUsed()
    {
        var table = _folder.Write("c.txt", "id;Bild;Worte\n7;a.png;\"eins; zwei\"\n");
        var rows = _mlContext.Data.LoadImageCaptions(table, imageField: "Bild", captionField: "worte", separator: ';',
            datasetType: "german", labelColumnName: "Class");
        Assert.AreEqual("eins; zwei", rows.Texts("Text").Single());
        Assert.AreEqual("german", rows.Texts("DatasetType").Single());
        Assert.AreEqual("", rows.Texts("Class").Single());
    }

    [TestMethod]
    public void LoadImageCaptions_Indexes_NoHeaderLine()
    {
        var table = _folder.Write("c.tsv", "first\t1\ta.png\nsecond\t2\tb.png\n");
        var rows = _mlContext.Data.LoadImageCaptions(table, imageIndex: 2, captionIndex: 0);
        DataTestRows.Equal(["first", "second"], rows.Texts("Text"));
        DataTestRows.Equal([_folder["a.png"], _folder["b.png"]], rows.Texts("Image"));
    }

    [TestMethod]
    public void LoadImageCaptions_SlashesAndAbsolutePaths_GiveLocators()
    {
        var absolute = _folder.Write("x/abs.png");
        var table = _folder.Write("c.tsv", $"image\tcaption\nsub\\a.png\ta\n./sub/b.png\tb\n{absolute}\tc\n");
        DataTestRows.Equal(
            [_folder["sub/a.png"], _folder["sub/b.png"], absolute.Replace('\\', '/')],
            _mlContext.Data.LoadImageCaptions(table).Texts("Image"));
    }

    [TestMethod]
    public void LoadImageCaptions_ArchiveAsRoot_LocatorsCanBeRead()
    {
        var zip = _folder.Zip("images.zip", ("a.png", "plain"), ("sub/a.png", "below"));
        var table = _folder.Write("c.tsv", "image\tcaption\na.png\ta\n");
        Assert.AreEqual($"{zip}!/a.png", _mlContext.Data.LoadImageCaptions(table, zip).Texts("Image").Single());
        var inner = _mlContext.Data.LoadImageCaptions(table, zip + "!/sub").Texts("Image").Single();
        Assert.AreEqual("below", Encoding.UTF8.GetString(ImageLocator.ReadAllBytes(inner)));
    }

    [TestMethod]
    public void LoadImageCaptions_RelativeTable_ImagesStayRelative()
    {
        var relative = Path.GetRelativePath(Directory.GetCurrentDirectory(), _folder.Write("c.tsv", "image\tcaption\na.png\ta\n"));
        var image = _mlContext.Data.LoadImageCaptions(relative).Texts("Image").Single();
        Assert.AreEqual(Path.GetDirectoryName(relative) + "/a.png", image);
    }

    [TestMethod]
    [DataRow("image\tcaption\na.png\ta cat\nb.png\n", "line 3: there are 1 field(s), expected 2 as in the first line.")]
    [DataRow("image\tcaption\na.png\ta\tcat\n", "line 2: there are 3 field(s), expected 2 as in the first line. " +
        "Put quotes around a field that contains a separator or a line break.")]
    [DataRow("\u001b[31m\timage\n", "no field of the header ('\\u001b[31m', 'image') is a known name for the caption: caption, ")]
    [DataRow("a.png\ta cat\n", "line 1: no field of the header ('a.png', 'a cat') is a known name for the image: image, imagepath, ")]
    [DataRow("a.png\ta cat\n", "Set imageField to its name; or set imageIndex and captionIndex if the table has no header line.")]
    [DataRow("image\tcaption\tcaption\na\tb\tc\n", "line 1: the header names the caption field 'caption' twice. Rename one.")]
    [DataRow("image\tcaption\n", "' has no rows below its header line.")]
    [DataRow("", "' has no rows below its header line.")]
    public void LoadImageCaptions_FaultyTable_SaysLineAndRemedy(string text, string message)
    {
        var table = _folder.Write("c.tsv", text);
        var error = DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageCaptions(table)).Message;
        StringAssert.Contains(error, message);
        StringAssert.StartsWith(error, $"'{table}'");
    }

    [TestMethod]
    [DataRow("", DisplayName = "Known names")]
    [DataRow("image", DisplayName = "Given names")]
    public void LoadImageCaptions_WrongSeparator_IsSuggested(string imageField)
    {
        var table = _folder.Write("c.csv", "image\tcaption\tx, y\na\tb\tc\n");
        var error = DataTestRows.Fails<InvalidDataException>(
            () => _mlContext.Data.LoadImageCaptions(table, imageField: imageField.Length == 0 ? null : imageField)).Message;
        StringAssert.EndsWith(error, ". The line looks tab-separated: it has 2 of '\\t'. Set separator to '\\t'.");
        Assert.AreEqual("b", _mlContext.Data.LoadImageCaptions(table, separator: '\t').Texts("Text").Single());
        error = DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageCaptions(
            _folder.Write("d.tsv", "1.png;a cat\n"), imageIndex: 0, captionIndex: 1)).Message;
        StringAssert.EndsWith(error, "the first field is 0. The line looks semicolon-separated: it has 1 of ';'. Set separator to ';'.");
    }

    [TestMethod]
    public void LoadImageCaptions_LinesThatEndWithCr_AreRows()
    {
        var table = _folder.Write("c.csv", "image,caption\r1.png,a red car\r2.png,a blue car\r");
        DataTestRows.Equal(["a red car", "a blue car"], _mlContext.Data.LoadImageCaptions(table).Texts("Text"));
        table = _folder.Write("d.csv", "1.png,a red car\r2.png,a blue car\r3.png,a dog\r");
        DataTestRows.Equal(["a red car", "a blue car", "a dog"],
            _mlContext.Data.LoadImageCaptions(table, imageIndex: 0, captionIndex: 1).Texts("Text"));
    }

    [TestMethod]
    public void LoadImageCaptions_TsvOfPandasWithLineBreakInACaption_IsOneRow()
    {
        var table = _folder.Write("c.tsv", "filepath\ttitle\n1.png\t\"a red car\nbeside a tree\"\n2.png\ta blue car\n");
        DataTestRows.Equal(["a red car\nbeside a tree", "a blue car"], _mlContext.Data.LoadImageCaptions(table).Texts("Text"));
    }

    [TestMethod]
    public void LoadImageCaptions_SeparatorsAtLineEnds_AddNoFields()
    {
        var table = _folder.Write("c.csv", "image,caption\n1.png,a cat,\n2.png,a dog,,\n3.png,a cow\n");
        DataTestRows.Equal(["a cat", "a dog", "a cow"], _mlContext.Data.LoadImageCaptions(table).Texts("Text"));
        table = _folder.Write("d.csv", "image,caption,\n1.png,a cat,\n2.png,a dog\n");
        DataTestRows.Equal(["a cat", "a dog"], _mlContext.Data.LoadImageCaptions(table).Texts("Text"));
    }

    [TestMethod]
    public void LoadImageCaptions_RowsThatCannotBeUsed_AreLeftToFit()
    {
        var table = _folder.Write("c.tsv", "image\tcaption\n1.png\t \n\ta cat\nhttp://x.org/3.png\ta dog\n");
        var rows = _mlContext.Data.LoadImageCaptions(table);
        DataTestRows.Equal([_folder["1.png"], "", "http://x.org/3.png"], rows.Texts("Image"));
        DataTestRows.Equal([" ", "a cat", "a dog"], rows.Texts("Text"));
    }

    [TestMethod]
    [DataRow("utf-8", "\n")]
    [DataRow("utf-8", "\r\n")]
    [DataRow("utf-16", "\r")]
    public void LoadImageCaptions_RowsInAnyOrder_AreThoseOfTheTable(string encoding, string lineBreak)
    {
        var captions = Enumerable.Range(0, 100).Select(i => i % 7 == 0 ? $"Tür {i}\nand 😀 more" : $"caption {i}").ToArray();
        foreach (var mark in new[] { true, encoding == "utf-16" })
        {
            var lines = captions.Select((c, i) => $"{i}.png\t{(c.Contains('\n') ? $"\"{c}\"" : c)}{(i % 10 == 0 ? lineBreak : "")}");
            var table = _folder[$"{encoding}{mark}.tsv"];
            File.WriteAllText(table, string.Join(lineBreak, lines.Prepend("image\tcaption")),
                encoding == "utf-16" ? Encoding.Unicode : new UTF8Encoding(mark));
            var rows = _mlContext.Data.LoadImageCaptions(table);
            DataTestRows.Equal(captions, rows.Texts("Text"));
            var read = new List<(string Image, string Text)>();
            using var cursor = rows.GetRowCursor(rows.Schema, new Random(3));
            var image = cursor.GetGetter<ReadOnlyMemory<char>>(rows.Schema["Image"]);
            var text = cursor.GetGetter<ReadOnlyMemory<char>>(rows.Schema["Text"]);
            while (cursor.MoveNext())
            {
                ReadOnlyMemory<char> value = default;
                text(ref value);
                var caption = value.ToString();
                image(ref value);
                read.Add((value.ToString(), caption));
            }
            CollectionAssert.AreEquivalent(captions.Select((c, i) => (_folder[$"{i}.png"], c)).ToArray(), read);
            CollectionAssert.AreNotEqual(captions, read.ConvertAll(r => r.Text));
        }
    }

    [TestMethod]
    public void LoadImageCaptions_TableChangedAfterLoading_SaysSo()
    {
        var table = _folder.Write("changed.tsv", "image\tcaption\na.png\ta cat\n");
        var rows = _mlContext.Data.LoadImageCaptions(table);
        File.AppendAllText(table, "b.png\ta dog\n");
        Assert.AreEqual($"'{table}' has been changed since it was loaded. Load it again, and leave it unchanged while it is in use.",
            DataTestRows.Fails<InvalidDataException>(() => rows.Texts("Text")).Message);
    }

    [TestMethod]
    public void LoadImageCaptions_FileUri_IsALocalFile()
    {
        var table = _folder.Write("c.tsv", "image\tcaption\nfile:///data/a%20cat.png\ta cat\n");
        Assert.AreEqual("/data/a cat.png", _mlContext.Data.LoadImageCaptions(table).Texts("Image").Single());
    }

    [TestMethod]
    public void LoadImageCaptions_FieldNotInHeader_SuggestsTheNearest()
    {
        var table = _folder.Write("c.tsv", "Bild\tWorte\na\tb\n");
        Assert.AreEqual($"'{table}', line 1: there is no field 'Blid' for the image; the header has 'Bild', 'Worte'. Did you mean 'Bild'?",
            DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageCaptions(table, null, "Blid", "Worte")).Message);
        Assert.AreEqual($"'{table}', line 1: field 'Bild' was named for both the image and the caption.",
            DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageCaptions(table, null, "Bild", "Bild")).Message);
    }

    [TestMethod]
    public void LoadImageCaptions_ContradictingArguments_AreReported()
    {
        var table = _folder.Write("c.tsv", "a.png\ta\n");
        var data = _mlContext.Data;
        StringAssert.Contains(DataTestRows.Fails<ArgumentException>(() => data.LoadImageCaptions(table, imageIndex: 0)).Message,
            "Only one of imageIndex and captionIndex is set");
        StringAssert.Contains(
            DataTestRows.Fails<ArgumentException>(() => data.LoadImageCaptions(table, null, "a", imageIndex: 0, captionIndex: 1)).Message,
            "Set one pair only.");
        StringAssert.Contains(
            DataTestRows.Fails<ArgumentException>(() => data.LoadImageCaptions(table, imageIndex: 1, captionIndex: 1)).Message,
            "imageIndex is 1 and captionIndex 1; they must be 0 or more and differ.");
        StringAssert.Contains(
            DataTestRows.Fails<InvalidDataException>(() => data.LoadImageCaptions(table, imageIndex: 0, captionIndex: 2)).Message,
            "line 1: there are 2 field(s), but imageIndex is 0 and captionIndex 2; the first field is 0. Is the separator right?");
        StringAssert.Contains(DataTestRows.Fails<ArgumentException>(() => data.LoadImageCaptions(_folder.Write("c.txt"))).Message,
            "cannot be inferred from its extension, which is neither .tsv, .tab nor .csv. Set separator.");
        StringAssert.Contains(DataTestRows.Fails<ArgumentException>(() => data.LoadImageCaptions(table, separator: '"')).Message,
            "A quote or a line break cannot separate fields; use a comma, a tab or a semicolon.");
    }

    [TestMethod]
    public void LoadImageCaptions_MissingFiles_SaysWhatIsMissing()
    {
        var table = _folder.Write("Captions.tsv", "image\tcaption\na.png\ta\n");
        Assert.AreEqual(
            $"There is no caption table '{_folder["captions.tsv"]}'. The folder '{_folder.Root}' exists, but has no 'captions.tsv'. " +
            "It has 'Captions.tsv', which differs only in case.",
            DataTestRows.Fails<FileNotFoundException>(() => _mlContext.Data.LoadImageCaptions(_folder["captions.tsv"])).Message);
        Assert.AreEqual($"There is no imageRoot '{_folder["images"]}'. The folder '{_folder.Root}' exists, but has no 'images'.",
            DataTestRows.Fails<DirectoryNotFoundException>(() => _mlContext.Data.LoadImageCaptions(table, _folder["images"])).Message);
        Assert.AreEqual($"imageRoot '{table}' is a file. Give a folder, a .zip or a .tar archive.",
            DataTestRows.Fails<DirectoryNotFoundException>(() => _mlContext.Data.LoadImageCaptions(table, table)).Message);
        Directory.CreateDirectory(_folder["folder.tsv"]);
        Assert.AreEqual($"'{_folder["folder.tsv"]}' is a folder. Give the caption table, a .tsv or .csv file; " +
            "imageRoot is the folder of the images.",
            DataTestRows.Fails<FileNotFoundException>(() => _mlContext.Data.LoadImageCaptions(_folder["folder.tsv"])).Message);
    }

    [TestMethod]
    public void LoadImageCaptions_200000Rows_AllAreThere()
    {
        var text = new StringBuilder("image\tcaption\n");
        for (var i = 0; i < 200_000; i++)
            text.Append(CultureInfo.InvariantCulture, $"{i / 3:000000}.png\tcaption number {i}\n");
        var rows = _mlContext.Data.LoadImageCaptions(_folder.Write("c.tsv", text.ToString()));
        Assert.AreEqual(200_000L, rows.GetRowCount());
        Assert.AreEqual("caption number 199999", _mlContext.Data.SkipRows(rows, 199_999).Texts("Text").Single());
    }
}
