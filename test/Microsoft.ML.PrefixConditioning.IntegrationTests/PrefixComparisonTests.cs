using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>Metrics of several prefixes on one labeled set.</summary>
[TestClass]
public sealed class PrefixComparisonTests
{
    private static readonly PrefixSelection Blend = PrefixSelection.Blend(("caption", 3), ("classification", 1));

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void ComparePrefixes_EveryPrefix_HasTheMetricsOfItsClassifier()
    {
        var test = Tiny.Data.Test(_mlContext);
        var comparison = _mlContext.MulticlassClassification.ComparePrefixes(test, Tiny.Model, TinyData.ClassNames, [Blend], topK: 2);

        Assert.AreEqual("caption; classification; none; 0.75 caption + 0.25 classification",
            string.Join("; ", comparison.Prefixes.Select(p => p.Prefix)));
        Assert.AreEqual("24 0 0", $"{comparison.RowCount} {comparison.MissingLabels} {comparison.UnreadableImages}");
        foreach (var (prefix, metrics) in comparison.Prefixes)
        {
            var scored = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames, prefix).Fit(test).Transform(test);
            var expected = _mlContext.MulticlassClassification.Evaluate(scored, topKPredictionCount: 2);
            Assert.AreEqual(expected.MicroAccuracy, metrics.MicroAccuracy, 1e-12, $"{prefix}");
            Assert.AreEqual(expected.TopKAccuracy, metrics.TopKAccuracy, 1e-12, $"{prefix}");
            Assert.AreEqual(expected.MacroAccuracy, metrics.MacroAccuracy, 1e-12, $"{prefix}");
            Assert.AreEqual(expected.LogLoss, metrics.LogLoss, 1e-4, $"{prefix}");
            Assert.AreEqual(expected.ConfusionMatrix.GetFormattedConfusionTable(), metrics.ConfusionMatrix.GetFormattedConfusionTable());
            Assert.AreSame(metrics, comparison[prefix]);
        }
    }

    [TestMethod]
    public void ComparePrefixes_NullBlend_IsRefusedAtOnce() => Assert.StartsWith("The blend at index 1 is null",
        Assert.ThrowsExactly<ArgumentException>(() => _mlContext.MulticlassClassification.ComparePrefixes(
            Tiny.Data.Test(_mlContext), Tiny.Model, TinyData.ClassNames, [Blend, null!])).Message);

    [TestMethod]
    public void ImagePrefix_EmbeddingsOfAnother_AreRefused()
    {
        using var model = Tiny.Train(Tiny.Options with { ImagePrefixLength = 1, Epochs = 1 });
        var embedded = model.Transform(Tiny.Data.Test(_mlContext));
        ZeroShotClassificationOptions Options(PrefixSelection prefix) =>
            new() { ClassNames = TinyData.ClassNames, ImageColumnName = "ImageEmbedding", Prefix = prefix };
        void Fit(PrefixSelection prefix) => _mlContext.Transforms.ZeroShotClassification(model, Options(prefix)).Fit(embedded).Dispose();

        Fit(PrefixSelection.Caption);
        Fit(PrefixSelection.Blend(("caption", 3), ("classification", 1)));
        foreach (var prefix in new[] { PrefixSelection.For("classification"), PrefixSelection.None, PrefixSelection.Auto })
            Assert.StartsWith("Column 'ImageEmbedding' has embeddings that were computed with the image prefix of 'caption'",
                Assert.ThrowsExactly<ArgumentException>(() => Fit(prefix)).Message);
        Assert.ThrowsExactly<ArgumentException>(
            () => _mlContext.MulticlassClassification.ComparePrefixes(embedded, model, Options(PrefixSelection.Caption)));
        Assert.AreEqual(24, _mlContext.MulticlassClassification.ComparePrefixes(
            Tiny.Data.Test(_mlContext), model, TinyData.ClassNames).RowCount);
    }

    [TestMethod]
    public void ComparePrefixes_UnevenClasses_MetricsAreByHand()
    {
        // Six red and two green images, one of the green ones labeled blue.
        string[] green = [.. Tiny.Data.Images.Where(i => i.ClassName == "green").Select(i => i.Path)];
        var red = Tiny.Data.Images.Where(i => i.ClassName == "red").Take(6).Select(i => i.Path);
        PathRow[] rows = [.. red.Select(path => new PathRow { Image = path, Label = "red" }),
            new() { Image = green[0], Label = "green" }, new() { Image = green[1], Label = "blue" }];
        var view = _mlContext.Data.LoadFromEnumerable(rows);
        var metrics = _mlContext.MulticlassClassification.ComparePrefixes(view, Tiny.Model, TinyData.ClassNames, topK: 2)
            [PrefixSelection.Caption];

        var scores = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(view).Transform(view)
            .GetColumn<float[]>("Score").ToArray();
        int[] truth = [.. rows.Select(r => TinyData.ClassNames.ToList().IndexOf(r.Label!))];
        int Rank(int row) => scores[row].Count(s => s > scores[row][truth[row]]);
        var right = truth.Select((_, row) => Rank(row) == 0 ? 1.0 : 0).ToArray();
        Assert.AreEqual(right.Average(), metrics.MicroAccuracy, 1e-12);
        Assert.AreEqual(truth.Select((_, row) => Rank(row) < 2 ? 1.0 : 0).Average(), metrics.TopKAccuracy, 1e-12);
        var perClass = truth.Select((t, row) => (t, row)).GroupBy(p => p.t, p => right[p.row]).Select(g => g.Average());
        Assert.AreEqual(perClass.Average(), metrics.MacroAccuracy, 1e-12);
        Assert.AreEqual(truth.Select((t, row) => -Math.Log(scores[row][t])).Average(), metrics.LogLoss, 1e-4);
        Assert.AreEqual(8, metrics.ConfusionMatrix.Counts.Sum(r => r.Sum()));
        Assert.AreEqual(6, metrics.ConfusionMatrix.Counts[TinyData.ClassNames.ToList().IndexOf("red")].Sum());
        Assert.AreNotEqual(metrics.MicroAccuracy, metrics.MacroAccuracy);
    }

    [TestMethod]
    public void ComparePrefixes_ClassWithoutRows_DoesNotCountInTheMeanPerClass()
    {
        var red = _mlContext.Data.LoadFromEnumerable(Tiny.Data.Images.Where(i => i.ClassName == "red")
            .Select(i => new PathRow { Image = i.Path, Label = i.ClassName }));
        var metrics = _mlContext.MulticlassClassification.ComparePrefixes(red, Tiny.Model, TinyData.ClassNames)[PrefixSelection.Caption];
        Assert.AreEqual(metrics.MicroAccuracy, metrics.MacroAccuracy, 1e-12);
        Assert.AreEqual(1, metrics.TopKAccuracy, "Five of three classes are all three.");
    }

    [TestMethod]
    public void ComparePrefixes_MissingLabelsAndBadImages_AreCountedAndNotScored()
    {
        var rows = _mlContext.Data.LoadFromEnumerable(Tiny.Data.Images.Select((image, i) => new PathRow
        {
            Image = i is 4 or 5 ? "gone.png" : i == 6 ? null : image.Path, Label = i is 1 or 5 or 9 ? " " : image.ClassName,
        }));
        foreach (var model in new[] { Tiny.Model, Tiny.SkippingModel })
        {
            var comparison = _mlContext.MulticlassClassification.ComparePrefixes(rows, model, TinyData.ClassNames);
            Assert.AreEqual("19 3 2", $"{comparison.RowCount} {comparison.MissingLabels} {comparison.UnreadableImages}");
            Assert.AreEqual(19, comparison.Prefixes[0].Metrics.ConfusionMatrix.Counts.Sum(r => r.Sum()));
        }
    }

    [TestMethod]
    public void ComparePrefixes_UnknownLabel_NamesTheRowAndTheNearestClass()
    {
        PathRow[] labeled = [new() { Image = Tiny.Data.Image(0), Label = "red" }, new() { Image = Tiny.Data.Image(0), Label = "gren" }];
        var rows = _mlContext.Data.LoadFromEnumerable(labeled);
        var error = Assert.ThrowsExactly<InvalidDataException>(
            () => _mlContext.MulticlassClassification.ComparePrefixes(rows, Tiny.Model, TinyData.ClassNames));
        Assert.AreEqual("Row 2: the label 'gren' in column 'Label' is not among the class names 'red', 'green', 'blue'. Did you mean " +
            "'green'? Add it to them, correct it, or remove the row.", error.Message);
    }

    [TestMethod]
    public void ComparePrefixes_NothingToScore_SaysWhy()
    {
        PathRow[] gone = [new() { Image = "gone.png", Label = "red" }, new() { Image = "gone.png" }];
        var rows = _mlContext.Data.LoadFromEnumerable(gone);
        var error = Assert.ThrowsExactly<InvalidDataException>(
            () => _mlContext.MulticlassClassification.ComparePrefixes(rows, Tiny.Model, TinyData.ClassNames));
        Assert.AreEqual("No row can be scored: of 2 rows 1 have no label in column 'Label' and 1 have an unreadable image. Pass rows " +
            "that have both.", error.Message);
    }

    [TestMethod]
    public void ComparePrefixes_EmbeddingsAndKeyLabels_GiveTheSame()
    {
        var test = Tiny.Data.Test(_mlContext);
        var embedded = Tiny.Model.Transform(_mlContext.Transforms.Conversion.MapValueToKey("Label").Fit(test).Transform(test));
        var options = new ZeroShotClassificationOptions { ClassNames = TinyData.ClassNames, ImageColumnName = "ImageEmbedding" };
        Assert.AreEqual(_mlContext.MulticlassClassification.ComparePrefixes(test, Tiny.Model, TinyData.ClassNames).ToString(),
            _mlContext.MulticlassClassification.ComparePrefixes(embedded, Tiny.Model, options).ToString());
    }

    [TestMethod]
    public void ComparePrefixes_WrongArguments_AreRefused()
    {
        var test = Tiny.Data.Test(_mlContext);
        PrefixComparison Compare(PrefixSelection? blend = null, int topK = 5, string label = "Label") =>
            _mlContext.MulticlassClassification.ComparePrefixes(test, Tiny.Model,
                new ZeroShotClassificationOptions { ClassNames = TinyData.ClassNames, LabelColumnName = label },
                blend is null ? null : [blend], topK);
        Assert.Contains("sketch", Assert.ThrowsExactly<ArgumentException>(() => Compare(PrefixSelection.For("sketch"))).Message);
        Assert.Contains("auto", Assert.ThrowsExactly<ArgumentException>(() => Compare(PrefixSelection.Auto)).Message);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Compare(topK: 0));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Compare(label: "Truth"));
        Assert.ThrowsExactly<KeyNotFoundException>(() => Compare()[Blend]);
        Assert.ThrowsExactly<ArgumentException>(() => _mlContext.MulticlassClassification.ComparePrefixes(test, Tiny.Model, ["red"]));
    }

    [TestMethod]
    public void ToString_Table_HasALinePerPrefix()
    {
        var table = _mlContext.MulticlassClassification.ComparePrefixes(
            Tiny.Data.Test(_mlContext), Tiny.Model, TinyData.ClassNames, topK: 2).ToString();
        var lines = table.Split('\n').Select(l => l.TrimEnd()).ToArray();
        Assert.HasCount(5, lines);
        Assert.AreEqual("prefix          top-1  top-2  per class  log-loss", lines[0]);
        Assert.StartsWith("caption         ", lines[1]);
        Assert.AreEqual("24 rows; 0 without a label and 0 with an unreadable image are left out.", lines[4]);
        Assert.AreEqual(lines[0].Length, lines[1].Length);
    }
}
