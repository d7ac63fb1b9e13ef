namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class LabeledImagesTests
{
    [TestMethod]
    public void Read_EmptyLabel_NamesTheRowFromOne()
    {
        var view = View(("a.png", "cat"), ("b.png", " "));
        var error = Assert.ThrowsExactly<InvalidDataException>(() => LabeledImages.Read(view, new ClipColumns()));
        Assert.AreEqual("Row 2: the label in column 'Label' is empty; every image of a labeled set needs its class name.", error.Message);
    }

    [TestMethod]
    public void Read_NoRows_SaysWhatIsNeeded()
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => LabeledImages.Read(View(), new ClipColumns()));
        Assert.AreEqual("The labeled set has no rows; pass a view with at least one image of each class.", error.Message);
    }

    [TestMethod]
    public void Read_Rows_GivesImagesAndLabelsInOrder()
    {
        var (images, labels) = LabeledImages.Read(View(("a.png", "cat"), ("b.png", "dog")), new ClipColumns());
        Assert.AreEqual("a.png b.png", string.Join(' ', images.Select(i => i.Locator)));
        Assert.AreEqual("cat dog", string.Join(' ', labels));
    }

    private static IDataView View(params (string Image, string Label)[] rows) =>
        new MLContext(1).Data.LoadFromEnumerable(rows.Select(r => new Row { Image = r.Image, Label = r.Label }));

    private sealed class Row
    {
        public string Image { get; init; } = "";

        public string Label { get; init; } = "";
    }
}
