using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ClassTarTests : IDisposable
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly DataTestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void LoadImageFolder_TarsAndFolders_GiveAClassEach()
    {
        _folder.Tar("n2.tar", ("b!/2.png", "two"), ("1.JPEG", "one"), ("1.txt", ""), (".hidden/3.png", ""), ("__MACOSX/1.png", ""));
        _folder.Tar("dog.TAR", ("dog.png", "dog"));
        _folder.Write("cat/1.png", "cat");
        var warnings = _mlContext.Warnings();

        var rows = _mlContext.Data.LoadImageFolder(_folder.Root, classNames: new Dictionary<string, string> { ["n2"] = "crane" });

        DataTestRows.Equal(["cat", "dog", "crane", "crane"], rows.Texts("Label"));
        var images = rows.Texts("Image");
        DataTestRows.Equal(["cat", "dog", "one", "two"], images.Select(i => Encoding.UTF8.GetString(ImageLocator.ReadAllBytes(i))));
        StringAssert.StartsWith(images[2], _folder["n2.tar!/1.JPEG@"]);
        Assert.AreEqual($"'{_folder.Root}': 4 image(s) in 3 class folder(s); 1 file(s) of other types left out, such as 'n2.tar!/1.txt'; " +
            "1 hidden file(s) or folder(s) left out, such as 'n2.tar!/.hidden/3.png'.", warnings.Single());
    }

    [TestMethod]
    public void LoadImageFolder_TarAndFolderOfOneName_BecomeOneClass()
    {
        _folder.Tar("cat.tar", ("2.png", ""));
        _folder.Write("cat/1.png");
        var warnings = _mlContext.Warnings();
        DataTestRows.Equal(["cat", "cat"], _mlContext.Data.LoadImageFolder(_folder.Root).Texts("Text"));
        DataTestRows.Equal([$"'{_folder.Root}': 'cat', 'cat.tar!' become one class, because their name is 'cat'."], warnings);
    }

    [TestMethod]
    [DataRow("a.tar.gz", "gunzip --keep FILE.")]
    [DataRow("a.tgz", "gunzip --keep --suffix=.tgz FILE.")]
    [DataRow("a.tar", "is not an uncompressed TAR archive, or it is damaged: it ends inside the header at byte 0.")]
    public void LoadImageFolder_UnreadableTar_SaysWhatToDo(string name, string reason)
    {
        var file = _folder.Write(name, "no archive");
        _folder.Write("cat/1.png");
        var error = DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageFolder(_folder.Root));
        StringAssert.StartsWith(error.Message, $"'{file}' is ");
        StringAssert.EndsWith(error.Message, reason);
    }

    [TestMethod]
    public void LoadImageFolder_TarWithoutImages_IsReported()
    {
        _folder.Tar("empty.tar", ("1.txt", ""));
        _folder.Write("cat/1.png");
        StringAssert.Contains(DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageFolder(_folder.Root)).Message,
            "1 of 2 class folder(s)");
    }
}
