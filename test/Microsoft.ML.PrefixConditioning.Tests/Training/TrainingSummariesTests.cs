namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What training leaves behind about its images.</summary>
[TestClass]
public sealed class TrainingSummariesTests
{
    [TestMethod]
    public void Fit_TwoTypes_KeepsWhereTheirImagesLie()
    {
        using var data = new DrawnData(labeled: 16, captioned: 24);
        using var model = data.Fit(DrawnData.Options with { Epochs = 1, ImagePrefixLength = 0 });
        var summaries = model.Trained.Summaries!;
        Assert.HasCount(2, summaries);
        foreach (var (type, summary) in model.DatasetTypes.Zip(summaries))
        {
            var images = data.Rows.Where(r => r.DatasetType == type.Name).Select(r => r.Image).ToArray();
            var expected = EmbeddingSummary.Of(model.EncodeImages(images));
            Assert.AreEqual(images.Length, summary.Count);
            for (var d = 0; d < expected.Mean.Length; d++)
            {
                Assert.AreEqual(expected.Mean[d], summary.Mean[d], 1e-6, $"{type.Name}, mean {d}.");
                Assert.AreEqual(expected.Variance[d], summary.Variance[d], 1e-6, $"{type.Name}, variance {d}.");
            }
        }
    }

    [TestMethod]
    public void Fit_SkippedImages_AreNotAmongThem()
    {
        using var data = new DrawnData();
        data.Break(3, 20, 21);
        using var model = data.Fit(DrawnData.Options with { Epochs = 1, BadRows = BadRowPolicy.Skip, MaxBadRowFraction = 0.5 });
        Assert.AreEqual("14 15", string.Join(' ', model.Trained.Summaries!.Select(s => s.Count)));
    }
}
