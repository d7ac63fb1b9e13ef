using System.Formats.Tar;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Links between class folders, on disk and in archives: no walk is endless, and no image counts twice without a word.</summary>
[TestClass]
public sealed class ClassFolderLinksTests : IDisposable
{
    private const int Timeout = 60_000;

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly List<string> _warnings;
    private readonly DataTestFolder _folder = new();

    public ClassFolderLinksTests() => _warnings = _mlContext.Warnings();

    public void Dispose() => _folder.Dispose();

    [TestMethod, Timeout(Timeout)]
    public void LoadImageFolder_TwoClassesWithALinkToEachOther_FourRowsInsteadOf82()
    {
        if (OperatingSystem.IsWindows()) return;   // creating links needs a privilege there
        _folder.Write("cat/1.png");
        _folder.Write("dog/1.png");
        _folder.Link("cat/similar", "../dog");
        _folder.Link("dog/similar", "../cat");
        Expect(_folder.Root, ["cat/1.png", "cat/similar/1.png", "dog/1.png", "dog/similar/1.png"],
            "4 image(s) in 2 class folder(s); 2 image(s) listed again through links, such as 'dog/1.png'; " +
            "2 link(s) not followed, such as 'cat/similar/similar'");
    }

    [TestMethod, Timeout(Timeout)]
    public void LoadImageFolder_TwelveClassesWithLinksToAllOthers_Ends()
    {
        if (OperatingSystem.IsWindows()) return;
        for (var i = 0; i < 12; i++) _folder.Write($"{i}/1.png");
        for (var i = 0; i < 144; i++)
            if (i / 12 != i % 12) _folder.Link($"{i / 12}/like {i % 12}", $"../{i % 12}");
        Assert.AreEqual(144, _mlContext.Data.LoadImageFolder(_folder.Root).GetRowCount());
    }

    [TestMethod, Timeout(Timeout)]
    public void LoadImageFolder_RootSeenThroughALink_LinkBackIsNotFollowed()
    {
        if (OperatingSystem.IsWindows()) return;
        _folder.Write("real/cat/1.png");
        _folder.Write("real/dog/1.png");
        _folder.Link("real/cat/all", _folder["real"]);
        _folder.Link("real/cat/more", "../..");
        _folder.Link("view", _folder["real"]);
        Expect(_folder["view"], ["cat/1.png", "dog/1.png"], "2 image(s) in 2 class folder(s); 2 link(s) not followed, such as 'cat/all'");
    }

    [TestMethod]
    public void LoadImageFolder_FolderThatLinksReachTwice_IsReadOnceUnderItsOwnName()
    {
        if (OperatingSystem.IsWindows()) return;
        _folder.Write("set/a/x/1.png");
        _folder.Write("pool/2.png");
        _folder.Link("set/a/first", "x");
        _folder.Link("set/a/p", "../../pool");
        _folder.Link("set/a/q", "../../pool");
        Expect(_folder["set"], ["a/p/2.png", "a/x/1.png"], "2 image(s) in 1 class folder(s); 2 link(s) not followed, such as 'a/first'");
    }

    [TestMethod]
    public void LoadImageFolder_LinksThatLeadNowhere_AreCounted()
    {
        if (OperatingSystem.IsWindows()) return;
        _folder.Write("a/1.png");
        _folder.Link("a/2.png", "2.png");
        _folder.Link("a/3.png", "4.png");
        _folder.Link("dog", "../not/there");
        Expect(_folder.Root, ["a/1.png"], "1 image(s) in 1 class folder(s); 3 link(s) not followed, such as 'dog'");
    }

    [TestMethod]
    public void LoadImageFolder_LinksToImages_OnlyThoseWithinTheRootAreMentioned()
    {
        if (OperatingSystem.IsWindows()) return;
        _folder.Write("pool/blob.png");
        _folder.Write("set/a/2.png");
        _folder.Link("set/a/1.png", "../../pool/blob.png");
        Expect(_folder["set"], ["a/1.png", "a/2.png"], null);
        _folder.Link("set/a/3.png", "2.png");
        Expect(_folder["set"], ["a/1.png", "a/2.png", "a/3.png"],
            "3 image(s) in 1 class folder(s); 1 image(s) listed again through links, such as 'a/3.png'");
    }

    [TestMethod, Timeout(Timeout)]
    public void LoadImageFolder_LinksInTar_OnlyThoseToFilesAreFollowed()
    {
        var archive = _folder.TarOf("x.tar",
            ("set/cat/1.png", TarEntryType.RegularFile, "one"),
            ("set/cat/2.png", TarEntryType.SymbolicLink, "3.png"),
            ("set/cat/3.png", TarEntryType.SymbolicLink, "../../pool/p.png"),
            ("set/cat/4.png", TarEntryType.HardLink, "set/cat/1.png"),
            ("set/cat/5.png", TarEntryType.SymbolicLink, "6.png"),
            ("set/cat/6.png", TarEntryType.SymbolicLink, "5.png"),
            ("set/cat/7.png", TarEntryType.SymbolicLink, "/set/cat/1.png"),
            ("set/cat/8.png", TarEntryType.Fifo, ""),
            ("set/cat/all", TarEntryType.SymbolicLink, ".."),
            ("set/dog", TarEntryType.SymbolicLink, "cat"),
            ("pool/p.png", TarEntryType.RegularFile, "pool"));
        Expect(archive + "!/set", ["cat/1.png", "cat/2.png", "cat/3.png", "cat/4.png"],
            "4 image(s) in 1 class folder(s); 1 image(s) listed again through links, such as 'cat/4.png'; " +
            "6 link(s) not followed, such as 'cat/5.png'");
        Assert.AreEqual("pool", Text(archive + "!/set/cat/2.png"));
        Assert.AreEqual("one", Text(archive + "!/set/cat/4.png"));
    }

    [TestMethod, Timeout(Timeout)]
    [DataRow("../../../set/cat/1.png")]
    [DataRow("./../../x/../../set/cat/1.png")]
    public void LoadImageFolder_LinkThatLeavesTheArchive_IsNotFollowed(string target)
    {
        var archive = _folder.TarOf("x.tar", ("set/cat/1.png", TarEntryType.RegularFile, "one"),
            ("set/cat/2.png", TarEntryType.SymbolicLink, target));
        Expect(archive + "!/set", ["cat/1.png"], "1 image(s) in 1 class folder(s); 1 link(s) not followed, such as 'cat/2.png'");
    }

    [TestMethod]
    public void ReadAllBytes_ManyMissingEntries_OnlyTheFirstAreSearchedFor()
    {
        var archive = _folder.TarOf("x.tar", ("1.png", TarEntryType.RegularFile, "one"));
        var hints = Enumerable.Range(0, 30).Count(_ => Assert.ThrowsExactly<FileNotFoundException>(() => Text(archive + "!/1.PNG"))
            .Message.Contains("differs only in case", StringComparison.Ordinal));
        Assert.AreEqual(20, hints);
    }

    [TestMethod]
    public void LoadImageFolder_LinkInZip_IsNotReadAsAPicture()
    {
        const ushort link = 0xA1FF;
        var archive = RawZip.Write(_folder["x.zip"], new("cat/1.png", "one"), new("cat/2.png", "1.png") { UnixMode = link },
            new("cat/3.png", "../../x.png") { UnixMode = link });
        Expect(archive, ["cat/1.png", "cat/2.png"],
            "2 image(s) in 1 class folder(s); 1 image(s) listed again through links, such as 'cat/2.png'; " +
            "1 link(s) not followed, such as 'cat/3.png'");
        Assert.AreEqual("one", Text(archive + "!/cat/2.png"));
    }

    private static string Text(string locator) => System.Text.Encoding.UTF8.GetString(ImageLocator.ReadAllBytes(locator));

    private void Expect(string root, string[] images, string? warning)
    {
        _warnings.Clear();
        var rows = _mlContext.Data.LoadImageFolder(root);
        CollectionAssert.AreEqual(images, rows.Texts("Image").Select(i => i[root.Length..].TrimStart('!', '/')).ToArray());
        DataTestRows.Equal(warning is null ? [] : [$"'{root}': {warning}."], _warnings);
    }
}
