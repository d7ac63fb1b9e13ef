using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ValidationSetTests
{
    [TestMethod]
    public void Accuracy_ModelOfTheRows_IsTheShareOfNearestClasses()
    {
        using var data = new DrawnData();
        var set = ValidationSet.Read(data.Labeled, TestSetup.Of(DrawnData.Options));
        using var scope = NewDisposeScope();
        var network = SmallModel.CreateWithLargePrefixes();
        using var model = SmallModel.Trained(network);
        var accuracy = set.Accuracy(network, SmallModel.Tokenizer, [(1, 1)]);

        // The same by the public parts, one image at a time.
        var names = data.Rows.Where(r => r.Label is not null).Select(r => r.Label!).Distinct().Order(StringComparer.Ordinal).ToArray();
        var classes = model.EncodeClasses(names, DrawnData.Options.PromptTemplates,
            PrefixSelection.For("classification")).Chunk(8).ToArray();
        var preprocessor = ImagePreprocessor.ForClip(16);
        var correct = 0;
        foreach (var row in data.Rows.Where(r => r.Label is not null))
        {
            var pixels = new float[preprocessor.Length];
            preprocessor.ApplyTest(ImageDecoder.Decode(ImageReference.FromLocator(row.Image), ImageDecoding.Upright), pixels);
            var image = model.EncodeImages(pixels, 1, null);
            var nearest = Enumerable.Range(0, names.Length).MaxBy(c => image.Zip(classes[c], (a, b) => a * b).Sum());
            if (names[nearest] == row.Label) correct++;
        }
        Assert.AreEqual(correct / 16.0, accuracy);
    }

    [TestMethod]
    public void Read_OneNameInTwoNormalizationForms_IsOneClass()
    {
        using var data = new DrawnData();
        var rows = data.Rows.Take(2).Select((row, i) => new { row.Image, Label = i == 0 ? "caf\u00e9" : "cafe\u0301" });
        var view = data.Context.Data.LoadFromEnumerable(rows);

        var error = Assert.ThrowsExactly<InvalidDataException>(() => ValidationSet.Read(view, TestSetup.Of(DrawnData.Options)));

        Assert.StartsWith("The validation set has 1 class(es) in 2 row(s)", error.Message);
    }

    [TestMethod]
    public void Read_OneClass_SaysHowManyAreNeeded()
    {
        using var data = new DrawnData(labeled: 1, captioned: 0);
        Assert.AreEqual("The validation set has 1 class(es) in 1 row(s); accuracy needs at least two. Pass a set with more classes, or " +
            "none.",
            Assert.ThrowsExactly<InvalidDataException>(() => ValidationSet.Read(data.Labeled, TestSetup.Of(DrawnData.Options))).Message);
    }

    [TestMethod]
    public void Read_BadImage_NamesIt()
    {
        using var data = new DrawnData();
        data.Break(3);
        StringAssert.StartsWith(Assert.ThrowsExactly<InvalidDataException>(() =>
            ValidationSet.Read(data.Labeled, TestSetup.Of(DrawnData.Options))).Message,
            $"The validation set: The image '{data.Rows[3].Image}' is not an image");
    }

    [TestMethod]
    public void Read_Cancelled_Throws()
    {
        using var data = new DrawnData();
        Assert.ThrowsExactly<OperationCanceledException>(
            () => ValidationSet.Read(data.Labeled,
                TestSetup.Of(DrawnData.Options with { CancellationToken = new CancellationToken(canceled: true) })));
    }

    [TestMethod]
    public void Accuracy_Cancelled_Throws()
    {
        using var data = new DrawnData();
        using var cancellation = new CancellationTokenSource();
        var set = ValidationSet.Read(
            data.Labeled, TestSetup.Of(DrawnData.Options with { CancellationToken = cancellation.Token }));
        using var model = SmallModel.CreateWithLargePrefixes();
        cancellation.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(() => set.Accuracy(model, SmallModel.Tokenizer, [(1, 1)]));
    }
}
