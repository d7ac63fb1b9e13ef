using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The trainer of <c>mlContext.MulticlassClassification.Trainers</c>.</summary>
[TestClass]
public sealed class PrefixClipTrainerTests : IDisposable
{
    private readonly DrawnData _data = new();

    public void Dispose() => _data.Dispose();

    private PrefixClipTrainer Trainer(string label = "Label", string image = "Image", string? text = null) =>
        _data.Context.MulticlassClassification.Trainers.PrefixClip(label, image, text, options: DrawnData.Options);

    private sealed class Photo
    {
        public string Image { get; set; } = "";
    }

    private sealed class Named
    {
        public string Class { get; set; } = "";
    }

    [TestMethod]
    public void Fit_MixedRows_IsTheTwoStepsOneByOne()
    {
        using var classifier = Trainer(text: "Class").Fit(_data.View);
        using var model = _data.Fit(DrawnData.Options);
        string[] names = [.. _data.Rows.Select(r => r.Label).OfType<string>().Distinct()];
        CollectionAssert.AreEqual(names, classifier.ClassNames.ToArray());
        var steps = _data.Context.Transforms.ZeroShotClassification(model, names).Fit(_data.View);
        IDataView ours = classifier.Transform(_data.Labeled), theirs = steps.Transform(_data.Labeled);
        CollectionAssert.AreEqual(theirs.GetColumn<float[]>("Score").SelectMany(s => s).ToArray(),
            ours.GetColumn<float[]>("Score").SelectMany(s => s).ToArray());
        CollectionAssert.AreEqual(theirs.GetColumn<uint>("PredictedLabel").Select(k => names[(int)k - 1]).ToArray(),
            ours.GetColumn<string>("Class").ToArray());
        Assert.IsTrue(_data.Context.MulticlassClassification.Evaluate(ours).MicroAccuracy is >= 0 and <= 1);
    }

    [TestMethod]
    public void Fit_ImagesAndLabelsAlone_TrainsOnTheLabelsAsTexts()
    {
        var before = LiveTensors.Count();
        foreach (var isKey in new[] { false, true })
        {
            IDataView view = _data.Context.Data.LoadFromEnumerable(
                _data.Rows.Where(r => r.Label is not null).Select(r => new { Picture = r.Image, Kind = r.Label! }));
            if (isKey) view = _data.Context.Transforms.Conversion.MapValueToKey("Kind").Fit(view).Transform(view);
            using var classifier = Trainer("Kind", "Picture", "Class").Fit(view);
            CollectionAssert.AreEqual(new[] { DatasetType.Classification }, classifier.Model.DatasetTypes.ToArray());
            var scored = classifier.Transform(view);
            Assert.HasCount(16, scored.GetColumn<string>("Class").Where(name => classifier.ClassNames.Contains(name)).ToArray());
            Assert.IsTrue(_data.Context.MulticlassClassification.Evaluate(scored, "Kind").MicroAccuracy is >= 0 and <= 1);
        }
        Assert.AreEqual(before, LiveTensors.Count());   // the classifier disposed its model
    }

    [TestMethod]
    public void SaveAndLoad_ClassColumn_IsPredictedOneByOneToo()
    {
        using var classifier = Trainer(text: "Class").Fit(_data.View);
        using var file = new MemoryStream();
        _data.Context.Model.Save(classifier, _data.View.Schema, file);
        file.Position = 0;
        using var loaded = (ZeroShotClassificationTransformer)_data.Context.Model.Load(file, out _);
        var expected = classifier.Transform(_data.View).GetColumn<string>("Class").ToArray();
        CollectionAssert.AreEqual(expected, loaded.Transform(_data.View).GetColumn<string>("Class").ToArray());
        using var engine = _data.Context.Model.CreatePredictionEngine<Photo, Named>(loaded);
        Assert.AreEqual(expected[3], engine.Predict(new Photo { Image = _data.Rows[3].Image }).Class);
    }

    [TestMethod]
    public void GetOutputSchema_OfTheTrainer_IsThatOfItsTransformer()
    {
        var trainer = Trainer(text: "Class");
        using var classifier = trainer.Fit(_data.View);
        OutputSchemaTests.AssertAgree(
            trainer.GetOutputSchema(OutputSchemaTests.Shape(_data.View.Schema)), classifier.GetOutputSchema(_data.View.Schema));
    }

    [TestMethod]
    public void Fit_WhatCannotBeTrained_SaysWhatIsMissing()
    {
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Trainer("Kind").Fit(_data.View)).Message, "'Kind'");
        var one = _data.Context.Data.LoadFromEnumerable(_data.Rows.Where(r => r.Label == _data.Rows[0].Label));
        Assert.AreEqual("The label column 'Label' has 1 different label(s); at least two classes are needed to choose from.",
            Assert.ThrowsExactly<InvalidDataException>(() => Trainer().Fit(one)).Message);
        var images = _data.Context.Data.LoadFromEnumerable(_data.Rows.Select(r => new { r.Image, Label = r.Label ?? "x" }));
        var captions = _data.Context.MulticlassClassification.Trainers.PrefixClip(
            options: DrawnData.Options with { DatasetTypes = [DatasetType.Caption] });
        StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => captions.Fit(images)).Message,
            "no dataset type of the options has class names as texts");
        var shape = OutputSchemaTests.Shape(_data.View.Schema);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Trainer("Kind").GetOutputSchema(shape));
        Assert.ThrowsExactly<ArgumentException>(() => Trainer(text: "Score"));
    }
}
