namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class CocoCaptionSourceTests : IDisposable
{
    private readonly DataTestFolder _folder = new();
    private readonly MLContext _mlContext = new(seed: 1);

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void LoadCocoCaptions_File_GivesARowPerAnnotation()
    {
        var path = Coco("""{"id":7,"file_name":"a.png","x":{"y":[1]}},{"file_name":"b.png","id":8}""",
            """{"image_id":8,"caption":"first \u00e9"},{"id":3,"caption":"second","image_id":7},{"image_id":8,"caption":"third"}""");

        var view = _mlContext.Data.LoadCocoCaptions(path);

        Assert.AreEqual(3, view.GetRowCount());
        DataTestRows.Equal([_folder["b.png"], _folder["a.png"], _folder["b.png"]], view.Texts("Image"));
        DataTestRows.Equal(["first é", "second", "third"], view.Texts("Text"));
    }

    [TestMethod]
    public void LoadCocoCaptions_LargeFile_IsReadAcrossBuffers()
    {
        var path = Coco("""{"id":1,"file_name":"a.png"}""",
            string.Join(",", Enumerable.Range(0, 9000).Select(i => $"{{\"image_id\":1,\"caption\":\"caption {i}\"}}")));

        DataTestRows.Equal([.. Enumerable.Range(0, 9000).Select(i => $"caption {i}")],
            _mlContext.Data.LoadCocoCaptions(path).Texts("Text"));
    }

    [TestMethod]
    [DataRow("""{"file_name":"b"}""", null, "images[1]: \"id\" is missing or no whole number.")]
    [DataRow("""{"id":2,"file_name":5}""", null, "images[1]: \"file_name\" is missing or no text.")]
    [DataRow("""{"id":1,"file_name":"b"}""", null, "images[1]: the id 1 is that of another image, 'a.png'.")]
    [DataRow("""{"id":2,"file_name":"../b"}""", null, "images[1]: '../b' is outside of the image root.")]
    [DataRow("7", null, "images[1]: it is no object.")]
    [DataRow(null, """{"caption":"x"}""", "annotations[1]: \"image_id\" is missing or no whole number.")]
    [DataRow(null, """{"image_id":1,"caption":["x"]}""", "annotations[1]: \"caption\" is missing or no text.")]
    [DataRow(null, """{"image_id":9,"caption":"x"}""", "there is no image with the id 9.")]
    public void LoadCocoCaptions_FaultyEntry_NamesItsPlace(string? image, string? annotation, string reason)
    {
        var path = Coco("""{"id":1,"file_name":"a.png"}""" + (image is null ? "" : $",{image}"),
            """{"image_id":1,"caption":"good"}""" + (annotation is null ? "" : $",{annotation}"));

        StringAssert.Contains(Fault(path), reason);
        var warnings = _mlContext.Warnings();
        DataTestRows.Equal(["good"], _mlContext.Data.LoadCocoCaptions(path, badRows: BadRowPolicy.Skip).Texts("Text"));
        StringAssert.Contains(warnings.Single(), "1 caption(s); 1 left out. The first fault: ");
    }

    [TestMethod]
    [DataRow("[]", "is no JSON object")]
    [DataRow("{}", "has no captions of images.")]
    [DataRow("{\"images\":{}}", "\"images\" is StartObject, expected an array.")]
    [DataRow("{\"images\":[", "is not JSON, or is cut off: ")]
    [DataRow("", "is not JSON, or is cut off: ")]
    public void LoadCocoCaptions_OtherFile_SaysSo(string content, string reason) =>
        StringAssert.Contains(Fault(_folder.Write("x.json", content)), reason);

    private string Coco(string images, string annotations) =>
        _folder.Write("x.json", $"{{\"info\":{{\"year\":[2017]}},\"images\":[{images}],\"annotations\":[{annotations}]}}\n");

    private string Fault(string path) =>
        DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadCocoCaptions(path)).Message;
}
