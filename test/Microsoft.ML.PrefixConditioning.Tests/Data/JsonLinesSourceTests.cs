namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class JsonLinesSourceTests : IDisposable
{
    private readonly DataTestFolder _folder = new();
    private readonly MLContext _mlContext = new(seed: 1);

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void LoadImageCaptions_JsonLines_GivesARowPerCaption()
    {
        var table = _folder.Write("x.jsonl",
            "\uFEFF{\"n\":1,\"image\":\"a.png\",\"caption\":\"first \\u00e9\"}\r\n\n" +
            "{\"image\":\"b.png\",\"caption\":[\"second\",\"third\"]}");

        var view = _mlContext.Data.LoadImageCaptions(table);

        Assert.AreEqual(3, view.GetRowCount());
        DataTestRows.Equal([_folder["a.png"], _folder["b.png"], _folder["b.png"]], view.Texts("Image"));
        DataTestRows.Equal(["first é", "second", "third"], view.Texts("Text"));
    }

    [TestMethod]
    public void LoadImageCaptions_LongLines_AreReadWhole()
    {
        var longText = new string('x', 200_000);
        var table = _folder.Write("x.ndjson", string.Concat(Enumerable.Range(0, 5).Select(i =>
            $"{{\"picture\":\"{i}.png\",\"said\":\"{i}{longText}\"}}\n")));

        var view = _mlContext.Data.LoadImageCaptions(table, imageField: "picture", captionField: "said");

        DataTestRows.Equal([.. Enumerable.Range(0, 5).Select(i => $"{i}{longText}")], view.Texts("Text"));
    }

    [TestMethod]
    [DataRow("[1]", "it is Array, expected one JSON object per line.")]
    [DataRow("{\"image\":\"a\"}", "no field of the object ('image') is a known name for the caption: ")]
    [DataRow("{\"image\":1,\"caption\":\"a\"}", "the field 'image' holds Number, expected a text.")]
    [DataRow("{\"image\":\"a\",\"caption\":[\"b\",null]}", "the field 'caption' holds Null, expected a text.")]
    [DataRow("{\"image\":\"a\",\"caption\":\"\\udc00\"}", "it is not UTF-8.")]
    [DataRow("{\"image\":\"a\",", "it is not JSON: ")]
    public void LoadImageCaptions_DamagedLine_NamesIt(string line, string reason)
    {
        var table = _folder.Write("x.jsonl", $"{{\"image\":\"a\",\"caption\":\"b\"}}\n{line}\n");
        StringAssert.StartsWith(DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageCaptions(table)).Message,
            $"'{table}', line 2: {reason}");
    }
}
