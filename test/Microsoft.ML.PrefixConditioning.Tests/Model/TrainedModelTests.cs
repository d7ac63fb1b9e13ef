using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class TrainedModelTests
{
    private static readonly string[] Texts = ["a red square", "blue", ""];

    [TestMethod]
    public void EncodeTexts_DefaultSelection_IsTheCaptionPrefix()
    {
        using var model = SmallModel.CreateTrained();
        var byDefault = model.EncodeTexts(Texts, null);
        Assert.HasCount(24, byDefault);
        CollectionAssert.AreEqual(model.EncodeTexts(Texts, PrefixSelection.Caption), byDefault);
        CollectionAssert.AreNotEqual(model.EncodeTexts(Texts, PrefixSelection.For("classification")), byDefault);
        CollectionAssert.AreNotEqual(model.EncodeTexts(Texts, PrefixSelection.None), byDefault);
        foreach (var row in byDefault.Chunk(8)) Assert.AreEqual(1, row.Sum(v => (double)v * v), 1e-5);
    }

    [TestMethod]
    public void EncodeTexts_NoText_GivesNothing()
    {
        using var model = SmallModel.CreateTrained();
        Assert.IsEmpty(model.EncodeTexts([], null));
    }

    [TestMethod]
    public void EncodeClasses_OneTemplate_EqualsTheFilledText()
    {
        using var model = SmallModel.CreateTrained();
        var classes = model.EncodeClasses(["square", "disc"], PromptTemplates.Of("a red {}"), PrefixSelection.For("classification"));
        var texts = model.EncodeTexts(["a red square", "a red disc"], PrefixSelection.For("classification"));
        for (var i = 0; i < classes.Length; i++) Assert.AreEqual(texts[i], classes[i], 1e-6);
    }

    [TestMethod]
    public void EncodeImages_ImagePrefix_FollowsTheSelection()
    {
        using var model = SmallModel.CreateTrained(imagePrefixLength: 1);
        float[] pixels;
        using (NewDisposeScope()) pixels = SmallModel.Images(2).data<float>().ToArray();
        var byDefault = model.EncodeImages(pixels, 2, null);
        Assert.HasCount(16, byDefault);
        CollectionAssert.AreEqual(model.EncodeImages(pixels, 2, PrefixSelection.Caption), byDefault);
        CollectionAssert.AreNotEqual(model.EncodeImages(pixels, 2, PrefixSelection.None), byDefault);
        CollectionAssert.AreEqual(
            model.EncodeImages(pixels, 2, PrefixSelection.For("classification")),
            model.EncodeImages(pixels, 2, PrefixSelection.Blend(("caption", 1), ("classification", 2))),
                "a blend takes its largest part for images");
    }

    [TestMethod]
    public void LogitScale_Untrained_IsOneOverTheInitialTemperature()
    {
        using var model = SmallModel.CreateTrained();
        Assert.AreEqual(1 / 0.07, model.LogitScale, 1e-5);
    }

    [TestMethod]
    public void Encode_ManyThreads_GiveTheSameAndLeakNothing()
    {
        var before = LiveTensors.Count();
        using (var model = SmallModel.CreateTrained())
        {
            float[] pixels;
            using (NewDisposeScope()) pixels = SmallModel.Images(2).data<float>().ToArray();
            var (texts, images) = (model.EncodeTexts(Texts, null), model.EncodeImages(pixels, 2, null));
            Parallel.For(0, 16, _ =>
            {
                CollectionAssert.AreEqual(texts, model.EncodeTexts(Texts, null));
                CollectionAssert.AreEqual(images, model.EncodeImages(pixels, 2, null));
            });
        }
        Assert.AreEqual(before, LiveTensors.Count());
    }
}
