namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What a source leaves out it counts and says once; a class of which nothing is read is an error.</summary>
[TestClass]
public sealed class LeftOutTests : IDisposable
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly List<string> _warnings;
    private readonly DataTestFolder _folder = new();

    public LeftOutTests() => _warnings = _mlContext.Warnings();

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void LoadImageFolder_JpegsSavedByBrowsersAndOldPrograms_AreRead()
    {
        _folder.Write("dog/1.JFIF");
        _folder.Write("pig/1.jpe");
        DataTestRows.Equal(["dog", "pig"], _mlContext.Data.LoadImageFolder(_folder.Root).Texts("Label"));
        var archive = _folder.Zip("x.zip", ("dog/1.jfif", ""), ("pig/1.jpe", ""));
        DataTestRows.Equal(["dog", "pig"], _mlContext.Data.LoadImageFolder(archive).Texts("Label"));
        DataTestRows.Equal([$"'{_folder.Root}': 2 image(s) in 2 class folder(s); 1 file(s) of other types left out, such as 'x.zip'."],
            Loaded(_folder.Root));
    }

    [TestMethod]
    [DataRow("folder")]
    [DataRow("zip")]
    [DataRow("tar")]
    public void LoadImageFolder_ClassOfTiffs_IsAnErrorInsteadOfVanishing(string kind)
    {
        var root = Make(kind, "cat/1.png", "cow/0.tif", "cow/1.tif", "cow/.2.png", "emu/notes.txt");
        Assert.AreEqual($"2 of 3 class folder(s) in '{root}' have no images: 'cow', 'emu'. In 'cow': " +
            "2 file(s) of other types left out, such as 'cow/0.tif'; 1 hidden file(s) or folder(s) left out, such as 'cow/.2.png'. " +
            "Files are recognized as images by their extension: .png, .jpg, .jpeg, .jpe, .jfif, .webp, .bmp, .gif. " +
            "Convert the files, or move the folder elsewhere.",
            DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageFolder(root)).Message);
    }

    [TestMethod]
    [DataRow("folder")]
    [DataRow("tar")]
    public void LoadImageFolder_EmptyClassFolder_IsAnError(string kind)
    {
        _folder.Write("set/cat/1.png");
        Directory.CreateDirectory(_folder["set/dog"]);
        if (kind == "tar") System.Formats.Tar.TarFile.CreateFromDirectory(_folder["set"], _folder["x.tar"], includeBaseDirectory: true);
        var root = kind == "tar" ? _folder["x.tar"] + "!/set" : _folder["set"];
        StringAssert.StartsWith(DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageFolder(root)).Message,
            $"1 of 2 class folder(s) in '{root}' have no images: 'dog'. In 'dog': it is empty.");
    }

    [TestMethod]
    [DataRow("folder", "1 hidden file(s) or folder(s) left out, such as '.net'")]
    [DataRow("zip", "2 hidden file(s) or folder(s) left out, such as '.net/1.png'")]
    [DataRow("tar", "2 hidden file(s) or folder(s) left out, such as '.net/1.png'")]
    public void LoadImageFolder_HiddenClassAndLooseImages_AreCountedInOneWarning(string kind, string hidden)
    {
        var root = Make(kind, ".net/1.png", ".net/2.png", "cat/1.png", "cat/1.txt", "cat/2.txt", "loose0.png", "loose1.png", "loose2.png");
        DataTestRows.Equal([$"'{root}': 1 image(s) in 1 class folder(s); " +
            $"2 file(s) of other types left out, such as 'cat/1.txt'; {hidden}; " +
            "3 image(s) outside of class folders left out, such as 'loose0.png'."], Loaded(root));
    }

    [TestMethod]
    [DataRow("folder")]
    [DataRow("zip")]
    [DataRow("tar")]
    public void LoadImageFolder_MetadataOfMacOS_IsNotMentioned(string kind) =>
        Assert.IsEmpty(Loaded(Make(kind, "cat/1.png", "cat/._1.png", "cat/.DS_Store", ".DS_Store", "__MACOSX/cat/._1.png")));

    [TestMethod]
    public void LoadImageFolder_TwoFoldersWithOneClassName_AreMentioned()
    {
        _folder.Write("n1/1.png");
        _folder.Write("n2/1.png");
        _folder.Write("n3/1.png");
        var names = new Dictionary<string, string> { ["n1"] = "crane", ["n2"] = "crane", ["n3"] = "tench" };
        _mlContext.Data.LoadImageFolder(_folder.Root, classNames: names);
        DataTestRows.Equal([$"'{_folder.Root}': 'n1', 'n2' become one class, because classNames calls them all 'crane'."], _warnings);
    }

    [TestMethod]
    public void TakeRowsPerClass_RowsWithoutALabel_AreCounted()
    {
        string[] labels = ["a", "", "a", " ", "b"];
        _mlContext.Data.TakeRowsPerClass(_mlContext.Data.LoadFromEnumerable(labels.Select(l => new Row { Label = l })), 1, seed: 1);
        DataTestRows.Equal(["2 of 5 row(s) have no label in column 'Label' and were skipped, such as row 2."], _warnings);
    }

    [TestMethod]
    public void UnifyDatasets_LabelColumnOfAnotherName_IsMentioned()
    {
        var labeled = _mlContext.Data.LoadFromEnumerable([new Row { Label = "a" }]);
        var renamed = _mlContext.Transforms.CopyColumns("Labels", "Label").Append(_mlContext.Transforms.DropColumns("Label"))
            .Fit(labeled).Transform(labeled);
        var infos = new List<string>();
        _mlContext.Log += (_, e) => infos.Add(e.RawMessage);
        DataTestRows.Equal(["a", ""], _mlContext.Data.UnifyDatasets(labeled, renamed).Texts("Label"));
        DataTestRows.Equal(["datasets[1] has no label column 'Label', so its labels are missing. Did you mean 'Labels'? " +
            "Rename it with CopyColumns."], _warnings);
        Assert.Contains("datasets[1]: dropped columns: 'Labels'.", infos);
    }

    [TestMethod]
    public void UnifyDatasets_DatasetWithoutRows_IsMentioned()
    {
        var some = _mlContext.Data.LoadFromEnumerable([new Row { Label = "a" }]);
        var none = _mlContext.Data.LoadFromEnumerable(new List<Row>());
        _mlContext.Data.UnifyDatasets(some, none);
        DataTestRows.Equal(["datasets[1] has no rows."], _warnings);
    }

    private List<string> Loaded(string root)
    {
        _warnings.Clear();
        _mlContext.Data.LoadImageFolder(root);
        return _warnings;
    }

    private string Make(string kind, params string[] names)
    {
        (string, string)[] entries = [.. names.Select(n => (n, ""))];
        if (kind == "zip") return _folder.Zip("x.zip", entries);
        if (kind == "tar") return _folder.Tar("x.tar", entries);
        foreach (var name in names) _folder.Write("set/" + name);
        return _folder["set"];
    }

    private sealed class Row
    {
        public string Image { get; set; } = "1.png";
        public string Text { get; set; } = "t";
        public string DatasetType { get; set; } = "caption";
        public string Label { get; set; } = "";
    }
}
