using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ImageRootTests : IDisposable
{
    private readonly DataTestFolder _folder = new();
    private readonly MLContext _mlContext = new(1);

    public ImageRootTests()
    {
        _folder.Write("images/a.png", "inside");
        _folder.Write("secret/s.png", "outside");
    }

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    [DataRow("../secret/s.png")]
    [DataRow("..\\secret\\s.png")]
    [DataRow("x/../../secret/s.png")]
    [DataRow("/secret/s.png")]
    [DataRow("//server/share/s.png")]
    [DataRow("\\\\server\\share\\s.png")]
    public void Load_RowOutsideOfTheRoot_IsRefusedUnlessAllowed(string image)
    {
        var (table, lines) = (Table(image), _folder.Write("c.jsonl", Json(image)));
        var coco = _folder.Write("c.json", """{"images":[{"id":1,"file_name":NAME}],"annotations":[{"image_id":1,"caption":"c"}]}"""
            .Replace("NAME", JsonSerializer.Serialize(image), StringComparison.Ordinal));
        foreach (var fault in new[]
        {
            DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageCaptions(table, _folder["images"])).Message,
            DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageCaptions(lines, _folder["images"])).Message,
            DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadCocoCaptions(coco, _folder["images"])).Message,
        })
            Assert.Contains("is outside of the image root.", fault);
        foreach (var path in new[] { table, lines })
            Assert.HasCount(1, _mlContext.Data.LoadImageCaptions(path, _folder["images"], allowOutsideRoot: true).Texts("Image"));
        Assert.HasCount(1, _mlContext.Data.LoadCocoCaptions(coco, _folder["images"], allowOutsideRoot: true).Texts("Image"));
    }

    [TestMethod]
    public void Load_AbsolutePath_MustBeInsideOfAGivenRoot()
    {
        var inside = Table(_folder["images/a.png"]);
        Assert.AreEqual("inside", Read(_mlContext.Data.LoadImageCaptions(inside, _folder["images"])));
        var zip = _folder.Zip("a.zip", ("a.png", "x"));
        Assert.Contains("line 2: the image", DataTestRows.Fails<InvalidDataException>(
            () => _mlContext.Data.LoadImageCaptions(inside, zip)).Message);
        Assert.AreEqual("outside", Read(_mlContext.Data.LoadImageCaptions(Table(_folder["secret/s.png"]))));   // no root is given
    }

    [TestMethod]
    [DataRow("file.png")]
    [DataRow("folder/s.png")]
    [DataRow("twice/s.png")]
    public void Read_LinkOutOfTheRoot_IsRefusedUnlessAllowed(string image)
    {
        _folder.Link("images/file.png", "../secret/s.png");
        _folder.Link("images/folder", _folder["secret"]);
        _folder.Link("images/twice", "folder");
        _folder.Link("images/good.png", "./a.png");
        Assert.AreEqual("inside", Read(_mlContext.Data.LoadImageCaptions(Table("good.png"), _folder["images"])));
        var rows = _mlContext.Data.LoadImageCaptions(Table(image), _folder["images"]);
        Assert.Contains("is a link to a file outside of the image root",
            DataTestRows.Fails<InvalidDataException>(() => Read(rows)).Message);
        Assert.Contains("is a link to a file outside", DataTestRows.Fails<InvalidDataException>(
            () => ImageDecoder.Decode(ImageReference.FromLocator(rows.Texts("Image")[0]), ImageDecoding.Upright)).Message);
    }

    [TestMethod]
    public void Read_LinkOutOfTheRoot_IsReadIfAllowed()
    {
        _folder.Link("images/free.png", "../secret/s.png");
        Assert.AreEqual("outside", Read(_mlContext.Data.LoadImageCaptions(Table("free.png"), _folder["images"], allowOutsideRoot: true)));
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    [Timeout(10_000)]
    public void Read_NoRegularFile_IsRefusedWithoutOpening()
    {
        using (var pipe = Process.Start("mkfifo", [_folder["pipe.png"]])) pipe.WaitForExit();
        foreach (var path in new[] { _folder["pipe.png"], "/dev/zero", "/dev/tty" })
            Assert.AreEqual($"'{path}' is a pipe, a socket or a device; only regular files are read.",
                DataTestRows.Fails<InvalidDataException>(() => ImageLocator.ReadAllBytes(path)).Message);
        Assert.Contains("is a pipe", DataTestRows.Fails<InvalidDataException>(
            () => ImageLocator.ReadAllBytes(_folder["pipe.png!/a@0+0"])).Message);
        Assert.IsEmpty(ImageLocator.ReadAllBytes("/proc/version"));   // its length is 0
    }

    [TestMethod]
    public void Read_NameWithControlCharacters_IsEscapedInMessages()
    {
        var name = _folder["a\u001b[31m\n.png"];
        foreach (var locator in new[] { name, $"{name}.zip!/b", $"{name}!/b@0+1" })
        {
            var fault = Assert.Throws<IOException>(() => ImageLocator.ReadAllBytes(locator)).Message;
            Assert.DoesNotContain("\u001b", fault);
            Assert.Contains("\\u001b[31m\\u000a", fault);
        }
    }

    private string Table(string image) => _folder.Write("c.tsv", $"image\tcaption\n{image}\tc\n");

    private static string Json(string image) =>
        JsonSerializer.Serialize(new Dictionary<string, string> { ["image"] = image, ["caption"] = "c" });

    private static string Read(IDataView rows) =>
        Encoding.UTF8.GetString(ImageLocator.ReadAllBytes(rows.Texts("Image").Single()));
}
