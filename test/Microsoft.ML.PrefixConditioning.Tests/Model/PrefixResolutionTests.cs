using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class PrefixResolutionTests
{
    private static readonly DatasetType Alt = new("alt text", TextKind.Caption);

    [TestMethod]
    public void Default_Types_PrefersCaptionThenAnyCaptionsThenTheFirst()
    {
        Assert.AreEqual(PrefixSelection.Caption, PrefixResolution.Default([DatasetType.Classification, Alt, DatasetType.Caption]));
        Assert.AreEqual(PrefixSelection.For("alt text"), PrefixResolution.Default([DatasetType.Classification, Alt]));
        Assert.AreEqual(PrefixSelection.For("classification"),
            PrefixResolution.Default([DatasetType.Classification, new("other", TextKind.ClassName)]));
    }

    [TestMethod]
    public void Resolve_Selection_GivesIndexesAndWeights()
    {
        DatasetType[] types = [DatasetType.Classification, DatasetType.Caption];
        CollectionAssert.AreEqual(new[] { (1, 1.0) }, PrefixResolution.Resolve(null, types).ToArray());
        Assert.IsEmpty(PrefixResolution.Resolve(PrefixSelection.None, types));
        CollectionAssert.AreEqual(new[] { (1, 0.25), (0, 0.75) },
            PrefixResolution.Resolve(PrefixSelection.Blend(("caption", 1), ("classification", 3)), types).ToArray());
    }

    [TestMethod]
    public void Resolve_UnknownType_NamesTheKnownOnes()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(
            () => PrefixResolution.Resolve(PrefixSelection.For("captions"), [DatasetType.Classification, DatasetType.Caption]));
        Assert.AreEqual(
            "The model was not trained on the dataset type 'captions'. It knows 'classification', 'caption': select one of these, or " +
                "PrefixSelection.None. Did you mean 'caption'?",
            error.Message);
    }

    [TestMethod]
    public void ImageTypes_SelectionOrModelWithoutPrefix_IsNull()
    {
        using var scope = NewDisposeScope();
        using var plain = SmallModel.Create();
        using var prefixed = SmallModel.Create(imagePrefixLength: 1);
        Assert.IsNull(PrefixResolution.ImageTypes(plain, [(0, 1)], 3));
        Assert.IsNull(PrefixResolution.ImageTypes(prefixed, [], 3));
        DataTestRows.Equal<long>([1, 1, 1], PrefixResolution.ImageTypes(prefixed, [(0, 0.4), (1, 0.6)], 3)!);
    }
}
