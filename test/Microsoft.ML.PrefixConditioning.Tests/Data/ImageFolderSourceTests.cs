namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ImageFolderSourceTests : IDisposable
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly DataTestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void LoadImageFolder_NestedFolders_ChildOfRootIsTheClass()
    {
        _folder.Write("set/red apple/b.PNG");
        _folder.Write("set/red apple/more/deep/a.jpeg");
        _folder.Write("set/Zebra/1.webp");
        var rows = _mlContext.Data.LoadImageFolder(_folder["set"]);
        DataTestRows.Equal(
            [_folder["set/Zebra/1.webp"], _folder["set/red apple/b.PNG"], _folder["set/red apple/more/deep/a.jpeg"]], rows.Texts("Image"));
        DataTestRows.Equal(["Zebra", "red apple", "red apple"], rows.Texts("Text"));
        DataTestRows.Equal(["Zebra", "red apple", "red apple"], rows.Texts("Label"));
        DataTestRows.Equal(["classification", "classification", "classification"], rows.Texts("DatasetType"));
        DataTestRows.Equal(["Image", "Text", "DatasetType", "Label"], rows.Schema.Select(c => c.Name).ToArray());
        Assert.AreEqual(3L, rows.GetRowCount());
    }

    [TestMethod]
    public void LoadImageFolder_OtherAndHiddenFiles_PassedOver()
    {
        foreach (var name in new[] { "a/1.gif", "a/1.txt", "a/.hidden.png", "a/._1.png", ".git/1.png", "__MACOSX/a/1.png",
            "a/.thumbs/1.png", "top.png", "a/2.bmp.bak" })
            _folder.Write(name);
        DataTestRows.Equal([_folder["a/1.gif"]], _mlContext.Data.LoadImageFolder(_folder.Root).Texts("Image"));
    }

    [TestMethod]
    public void LoadImageFolder_OddNames_ReadableByTheirLocators()
    {
        string[] names = ["cat #1/a'b.png", "hey!/q\"uote.png", "crème brûlée/日本 語.jpg", "zip.zip!/100%.png", "😀/[x] {y}.png"];
        foreach (var name in names) _folder.Write(name, name);
        var rows = _mlContext.Data.LoadImageFolder(_folder.Root + "/");
        var images = rows.Texts("Image");
        CollectionAssert.AreEquivalent(names.Select(n => _folder[n]).ToArray(), images);
        CollectionAssert.AreEquivalent(names.Select(n => n.Split('/')[0]).ToArray(), rows.Texts("Text"));
        foreach (var image in images)
            Assert.AreEqual(image[(_folder.Root.Length + 1)..], System.Text.Encoding.UTF8.GetString(ImageLocator.ReadAllBytes(image)));
    }

    [TestMethod]
    [DataRow("zip")]
    [DataRow("tar")]
    public void LoadImageFolder_Archive_SameRowsAsTheFolder(string kind)
    {
        (string, string)[] entries = [("set/b/2.png", "two"), ("set/b b/1.png", "one"), ("set/a/x/3.jpg", "three"),
            ("__MACOSX/set/a/._3.jpg", ""), ("set/a/read.me", "")];
        foreach (var (name, text) in entries.Take(3)) _folder.Write(name, text);
        var archive = kind == "zip" ? _folder.Zip("data.ZIP", entries) : _folder.Tar("data.Tar", entries);
        var plain = _mlContext.Data.LoadImageFolder(_folder["set"]);
        var packed = _mlContext.Data.LoadImageFolder(archive + "!/set/");
        CollectionAssert.AreEqual(plain.Texts("Text"), packed.Texts("Text"));
        CollectionAssert.AreEqual(
            plain.Texts("Image").Select(i => i.Replace(_folder["set"], archive + "!/set", StringComparison.Ordinal)).ToArray(),
            packed.Texts("Image"));
        CollectionAssert.AreEqual(plain.Texts("Image").Select(File.ReadAllText).ToArray(),
            packed.Texts("Image").Select(i => System.Text.Encoding.UTF8.GetString(ImageLocator.ReadAllBytes(i))).ToArray());
        DataTestRows.Equal(["set", "set", "set"], _mlContext.Data.LoadImageFolder(archive).Texts("Text"));
    }

    [TestMethod]
    public void LoadImageFolder_ClassNamesAndColumnNames_AreUsed()
    {
        _folder.Write("n01/1.png");
        _folder.Write("n02/1.png");
        var names = new Dictionary<string, string> { ["n01"] = "tench", ["n99"] = "not there" };
        var rows = _mlContext.Data.LoadImageFolder(_folder.Root, "photos", names, "Picture", "Name", "Source", "Class");
        DataTestRows.Equal(["Picture", "Name", "Source", "Class"], rows.Schema.Select(c => c.Name).ToArray());
        DataTestRows.Equal(["tench", "n02"], rows.Texts("Name"));
        DataTestRows.Equal(["tench", "n02"], rows.Texts("Class"));
        DataTestRows.Equal(["photos", "photos"], rows.Texts("Source"));
    }

    [TestMethod]
    public void LoadImageFolder_LinkBackToRoot_IsNotFollowed()
    {
        if (OperatingSystem.IsWindows()) return;   // creating links needs a privilege there
        _folder.Write("set/a/1.png");
        _folder.Write("elsewhere/2.png");
        Directory.CreateSymbolicLink(_folder["set/a/loop"], _folder["set"]);
        Directory.CreateSymbolicLink(_folder["set/b"], _folder["elsewhere"]);
        DataTestRows.Equal([_folder["set/a/1.png"], _folder["set/b/2.png"]],
            _mlContext.Data.LoadImageFolder(_folder["set"]).Texts("Image"));
    }

    [TestMethod]
    public void LoadImageFolder_WrongPath_SaysWhatIsMissing()
    {
        _folder.Write("Labeled/a/1.png");
        var file = _folder.Write("photos.tar.gz");
        var missing = DataTestRows.Fails<DirectoryNotFoundException>(() => _mlContext.Data.LoadImageFolder(_folder["labeled"]));
        Assert.AreEqual(
            $"There is no image folder '{_folder["labeled"]}'. The folder '{_folder.Root}' exists, but has no 'labeled'. " +
            "It has 'Labeled', which differs only in case.",
            missing.Message);
        Assert.AreEqual(
            $"'{file}' is a file, but neither .zip nor .tar. Give a folder of class-name folders or such an archive; unpack others first.",
            DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageFolder(file)).Message);
    }

    [TestMethod]
    public void LoadImageFolder_NoClassFolders_SaysWhatWasFound()
    {
        _folder.Write("1.png");
        _folder.Write("a/notes.txt");
        var error = DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageFolder(_folder.Root));
        Assert.AreEqual(
            $"'{_folder.Root}' has no images in class folders: 1 file(s) of other types left out, such as 'a/notes.txt'; " +
            "1 image(s) outside of class folders left out, such as '1.png'. Expected <class name>/<image>. " +
            "Files are recognized as images by their extension: .png, .jpg, .jpeg, .jpe, .jfif, .webp, .bmp, .gif.", error.Message);
    }

    [TestMethod]
    public void LoadImageFolder_WrongNames_AreReported()
    {
        _folder.Write("a/1.png");
        var data = _mlContext.Data;
        StringAssert.Contains(
            DataTestRows.Fails<ArgumentException>(() => data.LoadImageFolder(_folder.Root, textColumnName: "Image")).Message,
            "The column names 'Image', 'Image', 'DatasetType', 'Label' must differ");
        StringAssert.Contains(
            DataTestRows.Fails<ArgumentException>(() => data.LoadImageFolder(_folder.Root, imageColumnName: " ")).Message, "is empty");
        var empty = new Dictionary<string, string> { ["a"] = "" };
        StringAssert.Contains(
            DataTestRows.Fails<ArgumentException>(() => data.LoadImageFolder(_folder.Root, classNames: empty)).Message,
            "The class name of the folder 'a' is empty.");
        DataTestRows.Fails<ArgumentException>(() => data.LoadImageFolder(_folder.Root, datasetType: ""));
        DataTestRows.Fails<ArgumentException>(() => data.LoadImageFolder(""));
    }

    [TestMethod]
    public void LoadImageFolder_DataOperations_Work()
    {
        for (var i = 0; i < 40; i++) _folder.Write($"{(i % 2 == 0 ? "even" : "odd")}/{i:00}.png");
        var rows = _mlContext.Data.LoadImageFolder(_folder.Root);
        var inOrder = rows.Texts("Image");
        CollectionAssert.AreEqual(inOrder, rows.Texts("Image"));   // rereadable
        Assert.IsTrue(rows.CanShuffle);
        var shuffled = _mlContext.Data.ShuffleRows(rows, seed: 5).Texts("Image");
        CollectionAssert.AreEquivalent(inOrder, shuffled);
        CollectionAssert.AreNotEqual(inOrder, shuffled);
        CollectionAssert.AreEqual(inOrder[3..8], _mlContext.Data.TakeRows(_mlContext.Data.SkipRows(rows, 3), 5).Texts("Image"));
        var split = _mlContext.Data.TrainTestSplit(rows, testFraction: 0.3, seed: 2);
        CollectionAssert.AreEquivalent(inOrder, split.TrainSet.Texts("Image").Concat(split.TestSet.Texts("Image")).ToArray());
        var keyed = _mlContext.Transforms.Conversion.MapValueToKey("Key", "Label").Fit(rows).Transform(rows);
        Assert.HasCount(20, _mlContext.Data.FilterRowsByKeyColumnFraction(keyed, "Key", 0, 0.5).Texts("Image"));
        Assert.HasCount(40, _mlContext.Data.Cache(rows).Texts("Image"));
    }
}
