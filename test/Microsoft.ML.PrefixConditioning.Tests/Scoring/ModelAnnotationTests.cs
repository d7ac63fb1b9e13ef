using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Zero-shot classification without a model of its own: what it finds in a view, and what it says where it finds
/// nothing.</summary>
[TestClass]
public sealed class ModelAnnotationTests : ScoringTests
{
    private static readonly string[] ClassNames = ["red", "green", "blue"];

    private ZeroShotClassificationEstimator ZeroShot => _mlContext.Transforms.ZeroShotClassification(ClassNames);

    [TestMethod]
    public void Fit_EmbeddedView_ReadsTheEmbeddingsAndNotTheImages()
    {
        var embedded = _model.Transform(AllTypesRow.View(_mlContext));
        var classifier = ZeroShot.Fit(embedded);
        var mapper = classifier.GetRowToRowMapper(embedded.Schema);

        Assert.AreSame(_model, classifier.Model);
        Assert.AreEqual("ImageEmbedding",
            string.Join(' ', mapper.GetDependencies([mapper.OutputSchema["Score"]]).Select(c => c.Name)));
        AssertScoresOfTheModel(classifier, embedded);
    }

    [TestMethod]
    public void Fit_OtherTransformsBetween_FindsTheModel()
    {
        var embedded = _model.Transform(AllTypesRow.View(_mlContext));
        var data = _mlContext.Data;
        var copied = _mlContext.Transforms.CopyColumns("Copy", "ImageEmbedding").Fit(embedded).Transform(embedded);
        IDataView[] views =
        [
            data.TakeRows(embedded, 7), data.SkipRows(embedded, 90), data.FilterRowsByColumn(embedded, "Single", 3, 9),
            data.ShuffleRows(embedded, seed: 3), data.Cache(embedded), copied,
            _mlContext.Transforms.SelectColumns("ImageEmbedding").Fit(embedded).Transform(embedded),
            _mlContext.Transforms.SelectColumns("Copy").Fit(copied).Transform(copied),
            _mlContext.Transforms.Concatenate("Features", "Numbers", "ImageEmbedding").Fit(embedded).Transform(embedded),
        ];
        foreach (var view in views) AssertScoresOfTheModel(ZeroShot.Fit(view), view);
    }

    [TestMethod]
    public void Fit_ViewOfNoPrefixClipStep_SaysWhatIsNeeded()
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => ZeroShot.Fit(
            _mlContext.Data.LoadFromEnumerable([new BytesRow()])));
        Assert.AreEqual("The input has the columns 'Image', and none with the image embeddings of a PrefixClip step. Where no model is " +
            "passed, ZeroShotClassification takes that of a PrefixClip step before it: write " +
            "PrefixClip(options).Append(ZeroShotClassification(classNames)) and keep the column of image embeddings in between, or pass " +
            "a trained model, ZeroShotClassification(model, classNames).", error.Message);
    }

    [TestMethod]
    public void Fit_EmbeddingsFromAFile_HaveLostTheirModel()
    {
        var embedded = _model.Transform(AllTypesRow.View(_mlContext));
        var folder = Directory.CreateTempSubdirectory("prefix-conditioning-").FullName;
        var path = Path.Combine(folder, "embedded.idv");
        using (var file = File.Create(path)) _mlContext.Data.SaveAsBinary(embedded, file);
        var loaded = _mlContext.Data.LoadFromBinary(path);

        var error = Assert.ThrowsExactly<InvalidOperationException>(() => ZeroShot.Fit(loaded));

        Assert.Contains("'ImageEmbedding'", error.Message);
        var options = new ZeroShotClassificationOptions { ClassNames = ClassNames, ImageColumnName = "ImageEmbedding" };
        AssertScoresOfTheModel(_mlContext.Transforms.ZeroShotClassification(_model, options).Fit(loaded), embedded);
        (loaded as IDisposable)?.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [TestMethod]
    public void Fit_TwoModels_TheColumnDecides()
    {
        var columns = new ClipColumns { ImageEmbedding = "Second", TextEmbedding = "SecondText" };
        using var second = new PrefixClipTransformer(_mlContext, ScoringModel.Create(
            options: new PrefixClipOptions { Architecture = ScoringModel.Architecture, Columns = columns }));
        var both = second.Transform(_model.Transform(AllTypesRow.View(_mlContext)));

        foreach (var (name, model) in new[] { ("ImageEmbedding", _model), ("Second", second) })
            Assert.AreSame(model, _mlContext.Transforms.ZeroShotClassification(
                new ZeroShotClassificationOptions { ClassNames = ClassNames, ImageColumnName = name }).Fit(both).Model);
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => ZeroShot.Fit(both));
        Assert.AreEqual("The columns 'ImageEmbedding', 'Second' have image embeddings of several PrefixClip steps. Set ImageColumnName " +
            "to the one whose model is to classify.", error.Message);
    }

    [TestMethod]
    public void Fit_ImageColumnNamed_EncodesTheImages()
    {
        var embedded = _model.Transform(AllTypesRow.View(_mlContext));
        var classifier = _mlContext.Transforms.ZeroShotClassification(
            new ZeroShotClassificationOptions { ClassNames = ClassNames, ImageColumnName = "Image" }).Fit(embedded);
        AssertScoresOfTheModel(classifier, AllTypesRow.View(_mlContext));
    }

    [TestMethod]
    public void Fit_AnotherImagePrefix_EncodesTheImagesWithIt()
    {
        using var model = new PrefixClipTransformer(_mlContext, ScoringModel.Create(
            options: new PrefixClipOptions { Architecture = ScoringModel.Architecture, ImagePrefixLength = 1 }));
        var rows = AllTypesRow.View(_mlContext);
        foreach (var (prefix, column) in new[] { ("caption", "ImageEmbedding"), ("classification", "Image") })
        {
            var selection = PrefixSelection.For(prefix);
            var embedded = model.Transform(rows);
            var classifier = _mlContext.Transforms.ZeroShotClassification(ClassNames, selection).Fit(embedded);
            var mapper = classifier.GetRowToRowMapper(embedded.Schema);
            Assert.AreEqual(column, string.Join(' ', mapper.GetDependencies([mapper.OutputSchema["Score"]]).Select(c => c.Name)));
            var expected = _mlContext.Transforms.ZeroShotClassification(model, ClassNames, selection).Fit(rows).Transform(rows);
            CollectionAssert.AreEqual(Scores(expected), Scores(classifier.Transform(embedded)), prefix);
        }
    }

    private void AssertScoresOfTheModel(ZeroShotClassificationTransformer classifier, IDataView view)
    {
        var options = new ZeroShotClassificationOptions
        {
            ClassNames = ClassNames,
            ImageColumnName = view.Schema.Select(c => c.Name).FirstOrDefault(n => n is "ImageEmbedding" or "Copy"),
        };
        var expected = _mlContext.Transforms.ZeroShotClassification(_model, options).Fit(view).Transform(view);
        CollectionAssert.AreEqual(Scores(expected), Scores(classifier.Transform(view)));
    }

    private static float[] Scores(IDataView view) => [.. view.GetColumn<float[]>("Score").SelectMany(s => s)];
}
