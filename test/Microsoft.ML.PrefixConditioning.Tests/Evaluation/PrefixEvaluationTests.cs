using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>How a labeled view is read when prefixes are compared.</summary>
[TestClass]
public sealed class PrefixEvaluationTests
{
    [TestMethod]
    [DataRow(0)]
    [DataRow(2)]
    public void ComparePrefixes_WithAndWithoutImagePrefixes_EqualsEveryClassifier(int imagePrefixLength)
    {
        using var data = new DrawnData(labeled: 24, captioned: 1);
        using var model = new PrefixClipTransformer(data.Context, SmallModel.CreateTrained(imagePrefixLength: imagePrefixLength));
        var classNames = data.Labeled.GetColumn<string>("Label").Distinct().ToArray();
        var watched = new WatchedView(data.Labeled);
        var blend = PrefixSelection.Blend(("caption", 1), ("classification", 3));

        var comparison = data.Context.MulticlassClassification.ComparePrefixes(
            watched, model, classNames, [blend, PrefixSelection.Caption]);

        Assert.AreEqual("1 24", $"{watched.Opened} {watched.RowsRead}", "The view is read once, whatever the number of prefixes.");
        Assert.HasCount(4, comparison.Prefixes, "A prefix that is given twice is compared once.");
        foreach (var (prefix, metrics) in comparison.Prefixes)
        {
            var scored = data.Context.Transforms.ZeroShotClassification(model, classNames, prefix).Fit(data.Labeled)
                .Transform(data.Labeled);
            var expected = data.Context.MulticlassClassification.Evaluate(scored, topKPredictionCount: 5);
            Assert.AreEqual(expected.LogLoss, metrics.LogLoss, 1e-4, $"{prefix}");
            Assert.AreEqual(expected.MicroAccuracy, metrics.MicroAccuracy, 1e-12, $"{prefix}");
        }
        Assert.AreEqual(4, comparison.Prefixes.Select(p => p.Metrics.LogLoss).Distinct().Count(), "Every prefix is another classifier.");
    }

    [TestMethod]
    public void Auto_ImagePrefixes_ComparesEachTypeByItsOwnEmbeddings()
    {
        using var data = new DrawnData();
        using var model = data.Fit(DrawnData.Options with { Epochs = 1, ImagePrefixLength = 2 });
        var captioned = data.Context.Data.LoadFromEnumerable(data.Rows.Where(r => r.DatasetType == "caption"));

        var chosen = data.Context.Transforms.ZeroShotClassification(model, ["red square", "blue disc"],
            PrefixSelection.Auto).Fit(captioned);

        // Distance 0 from the images that the summary was taken from, with the prefix that they had then: as far as a share goes.
        Assert.AreEqual("1.25 caption - 0.25 classification", chosen.Prefix.ToString());
    }
}
