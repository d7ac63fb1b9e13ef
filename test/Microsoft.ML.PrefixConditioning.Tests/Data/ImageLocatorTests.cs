using System.Formats.Tar;
using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ImageLocatorTests : IDisposable
{
    private readonly int _capacity = ImageArchiveCache.Capacity;
    private readonly DataTestFolder _folder = new();

    public ImageLocatorTests() => ImageArchiveCache.Capacity = 64;   // fewer files than most systems allow

    public void Dispose()
    {
        _folder.Dispose();
        ImageArchiveCache.Capacity = _capacity;
    }

    [TestMethod]
    public void ReadAllBytes_File_GivesItsBytes()
    {
        var path = _folder.Write("a b!/#1 ü.png", [1, 2, 3]);
        DataTestRows.Equal<byte>([1, 2, 3], ImageLocator.ReadAllBytes(path));
    }

    [TestMethod]
    [DataRow("zip")]
    [DataRow("tar")]
    public void ReadAllBytes_Archive_GivesTheEntry(string kind)
    {
        (string, string)[] entries = [("./a/1.png", "one"), ("ü!/b !/2.png", "two"), ("back\\slash.png", "three")];
        var archive = kind == "zip" ? _folder.Zip("x.zip", entries) : _folder.Tar("x.tar", entries);
        Assert.AreEqual("one", Read(archive + "!/a/1.png"));
        Assert.AreEqual("one", Read(archive + "!/q/../a//./1.png"));
        Assert.AreEqual("two", Read(archive + "!/ü!/b !/2.png"));
        Assert.AreEqual("three", Read(archive + "!\\back\\slash.png"));
    }

    [TestMethod]
    public void ReadAllBytes_FolderNamedLikeAnArchiveMark_IsAPlainPath() =>
        Assert.AreEqual("inside", Read(_folder.Write("odd.zip!/a.png", "inside")));

    [TestMethod]
    public void ReadAllBytes_TarHardLink_GivesTheFirstNamesBytes()
    {
        using (var writer = new TarWriter(File.Create(_folder["x.tar"])))
        {
            writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "a.png") { DataStream = new MemoryStream("data"u8.ToArray()) });
            writer.WriteEntry(new PaxTarEntry(TarEntryType.HardLink, "b.png") { LinkName = "a.png" });
        }
        Assert.AreEqual("data", Read(_folder["x.tar!/b.png"]));
    }

    [TestMethod]
    public void ReadAllBytes_LargeEntry_IsWhole()
    {
        var large = new string('x', (1 << 24) + 5);
        Assert.AreEqual(large.Length, ImageLocator.ReadAllBytes(_folder.Zip("x.zip", ("a.png", large)) + "!/a.png").Length);
    }

    [TestMethod]
    [DataRow("zip")]
    [DataRow("tar")]
    public void ReadAllBytes_ManyThreads_EachGetsItsOwn(string kind)
    {
        var entries = Enumerable.Range(0, 60).Select(i => ($"{i}.png", string.Concat(Enumerable.Repeat($"entry {i} ", 50 + i)))).ToArray();
        var archives = Enumerable.Range(0, ImageArchiveCache.Capacity + 12)   // more than are kept open
            .Select(n => kind == "zip" ? _folder.Zip($"{n}.zip", entries) : _folder.Tar($"{n}.tar", entries)).ToArray();
        Parallel.For(0, 1500, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            var (name, text) = entries[i * 7 % entries.Length];
            Assert.AreEqual(text, Read($"{archives[i * 11 % archives.Length]}!/{name}"));
        });
        Assert.AreEqual(ImageArchiveCache.Capacity, ImageArchiveCache.IdleCount);
    }

    [TestMethod]
    [DataRow("zip")]
    [DataRow("tar")]
    public void ReadAllBytes_MoreArchivesThanAreKeptOpen_NoIndexIsReadAgain(string kind)
    {
        (string, string)[] entries = [("a.png", "first"), ("b.png", "second")];
        var archives = Enumerable.Range(0, ImageArchiveCache.Capacity + 2)
            .Select(n => kind == "zip" ? _folder.Zip($"{n}.zip", entries) : _folder.Tar($"{n}.tar", entries)).ToArray();
        foreach (var archive in archives) Read(archive + "!/a.png");

        // Without the names that an index is made of, but with the data: only who knows the index can read it.
        var written = File.GetLastWriteTimeUtc(archives[0]);
        var bytes = File.ReadAllBytes(archives[0]);
        if (kind == "zip") bytes.AsSpan(^22..).Clear();
        else bytes.AsSpan(0, 512).Fill(0xFF);
        File.WriteAllBytes(archives[0], bytes);
        File.SetLastWriteTimeUtc(archives[0], written);

        Assert.AreEqual("second", Read(archives[0] + "!/b.png"));
    }

    [TestMethod]
    public void ReadAllBytes_ArchiveReplaced_NewContentIsRead()
    {
        var archive = _folder.Zip("x.zip", ("a.png", "old"));
        Assert.AreEqual("old", Read(archive + "!/a.png"));
        File.Delete(archive);
        _folder.Zip("x.zip", ("a.png", "a new and longer one"));
        Assert.AreEqual("a new and longer one", Read(archive + "!/a.png"));
    }

    [TestMethod]
    public void ReadAllBytes_MissingFile_SaysWhichPartIsMissing()
    {
        _folder.Write("Set/A.png");
        Assert.AreEqual(
            $"There is no image '{_folder["Set/b.png"]}'. The folder '{_folder["Set"]}' exists, but has no 'b.png'. " +
            "If a caption table names it, check imageRoot.",
            Missing(_folder["Set/b.png"]));
        StringAssert.Contains(Missing(_folder["Set/a.png"]), "It has 'A.png', which differs only in case.");
        StringAssert.Contains(Missing(_folder["set/sub/A.png"]),
            $"The folder '{_folder["set"]}' does not exist; '{_folder.Root}' does. It has 'Set', which differs only in case.");
        StringAssert.Contains(Missing("https://example.org/a.png"),
            "It is a web address. Download the image and name the file, or mount the address with RemoteFiles.");
        StringAssert.Contains(Missing("file://images/a.png"),
            "A file URI with two slashes names a machine. Write file:/// with three slashes, or the path alone.");
        StringAssert.Contains(Missing(_folder["Set/A.png/b.png"]), $"'{_folder["Set/A.png"]}' is a file, not a folder.");
    }

    [TestMethod]
    [DataRow("file://")]
    [DataRow("file://localhost")]
    [DataRow("file:")]
    [DataRow("FILE://")]
    public void FromFileUri_LocalFile_IsItsPath(string start)
    {
        _folder.Write("a cat é 100%.png", "cat");
        var path = _folder["a cat é 100%.png"];
        var slash = path.StartsWith('/') ? "" : "/";
        Assert.AreEqual(path, ImageLocator.FromFileUri(start + slash + path));
        Assert.AreEqual(path, ImageLocator.FromFileUri($"{start}{slash}{_folder.Root}/{Uri.EscapeDataString(Path.GetFileName(path))}"));
        Assert.AreEqual("cat", Read(ImageReference.FromLocator(start + slash + path).Locator!));
    }

    [TestMethod]
    [DataRow("file://images/a.png")]
    [DataRow("file.png")]
    [DataRow("https://example.org/a%20b.png")]
    public void FromFileUri_NoLocalFileUri_StaysAsItIs(string locator) => Assert.AreEqual(locator, ImageLocator.FromFileUri(locator));

    [TestMethod]
    [DataRow("C://images/a.png", false)]
    [DataRow("a b://c.png", false)]
    [DataRow("images/http://a.png", false)]
    [DataRow("s3://bucket/a.png", true)]
    [DataRow("file://machine/a.png", true)]
    public void RemoteReason_Locator_IsGivenForUrisOnly(string locator, bool isRemote) =>
        Assert.AreEqual(isRemote, ImageLocator.RemoteReason(locator) is not null);

    [TestMethod]
    public void ReadAllBytes_MissingInArchive_NamesArchiveAndEntry()
    {
        var archive = _folder.Zip("x.zip", ("a/A.png", "x"));
        Assert.AreEqual($"The archive '{archive}' has no 'a/b.png' among its 1 files.", Missing(archive + "!/a/b.png"));
        StringAssert.EndsWith(Missing(archive + "!/a/a.png"), "It has 'a/A.png', which differs only in case.");
        Assert.AreEqual($"There is no archive '{_folder["y.tar"]}'. The folder '{_folder.Root}' exists, but has no 'y.tar'.",
            Missing(_folder["y.tar!/a.png"]));
    }

    [TestMethod]
    public void ReadAllBytes_NameInOtherNormalForm_SaysSo()
    {
        const string composed = "caf\u00E9.png", separate = "cafe\u0301.png";
        _folder.Write("nfd/" + separate);
        _folder.Write("nfc/" + composed);
        StringAssert.Contains(Missing(_folder["nfd/" + composed]),
            $"It has '{separate}', which looks the same, but its letters and accents " +
            "are separate (Unicode NFD) where the wanted name's are composed (NFC). Write both in one form.");
        StringAssert.Contains(Missing(_folder["nfc/" + separate]),
            $"It has '{composed}', which looks the same, but its letters and accents " +
            "are composed (Unicode NFC) where the wanted name's are separate (NFD). Write both in one form.");
        StringAssert.Contains(Missing(_folder.Zip("x.zip", (separate, "x")) + "!/" + composed), "are separate (Unicode NFD)");
        Assert.DoesNotContain("Unicode", Missing(_folder["nfc/cafe.png"]));
    }

    [TestMethod]
    public void ReadAllBytes_NoImageAtAll_SaysWhatItIs()
    {
        Assert.AreEqual($"'{_folder.Root}' is a folder; an image column names files.", Invalid(_folder.Root));
        Assert.IsEmpty(ImageLocator.ReadAllBytes(_folder.Write("empty.png", "")));   // the decoder's fault to find
        DataTestRows.Fails<ArgumentException>(() => ImageLocator.ReadAllBytes(""));
    }

    [TestMethod]
    public void ReadAllBytes_DamagedArchive_NamesArchiveAndEntry()
    {
        var noZip = _folder.Write("no.zip", "this is not an archive");
        StringAssert.StartsWith(Invalid(noZip + "!/a.png"), $"'{noZip}' is not a ZIP archive, or it is damaged: ");
        var noTar = _folder.Write("no.tar", new string('x', 2000));
        StringAssert.StartsWith(Invalid(noTar + "!/a.png"), $"'{noTar}' is not an uncompressed TAR archive, or it is damaged: ");

        var broken = _folder.Zip("broken.zip", ("a.png", string.Concat(Enumerable.Range(0, 5000))));
        var bytes = File.ReadAllBytes(broken);
        bytes.AsSpan(60, 2000).Fill(0xFF);
        File.WriteAllBytes(broken, bytes);
        StringAssert.StartsWith(Invalid(broken + "!/a.png"), $"'a.png' in the archive '{broken}' cannot be read: ");
    }

    [TestMethod]
    public void ReadAllBytes_ArchiveMendedAfterFailure_IsReadAgain()
    {
        var path = _folder.Write("x.zip", "damaged");
        Invalid(path + "!/a.png");
        _folder.Zip("x.zip", ("a.png", "mended"));
        Assert.AreEqual("mended", Read(path + "!/a.png"));
    }

    private static string Read(string locator) => Encoding.UTF8.GetString(ImageLocator.ReadAllBytes(locator));

    private static string Missing(string locator) =>
        DataTestRows.Fails<FileNotFoundException>(() => ImageLocator.ReadAllBytes(locator)).Message;

    private static string Invalid(string locator) =>
        DataTestRows.Fails<InvalidDataException>(() => ImageLocator.ReadAllBytes(locator)).Message;
}
