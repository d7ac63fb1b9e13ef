using System.Text.Json;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Class lists in which a name stands twice, as in CLIP's names of the ImageNet classes.</summary>
[TestClass]
public sealed class RepeatedClassNamesTests : ScoringTests
{
    private static readonly string[] Given = ["missile", "sunglasses", "missile", "sunglasses"];
    private static readonly string[] Named = ["missile", "sunglasses", "missile (2)", "sunglasses (2)"];

    [TestMethod]
    public void Fit_NameTwice_ScoresEveryClassWithTheTextGiven()
    {
        var classifier = Fit(new() { ClassNames = Given });

        var scores = classifier.Transform(Rows()).GetColumn<float[]>("Score").First();

        Assert.AreSequenceEqual(Named, classifier.ClassNames);
        Assert.AreEqual(scores[0], scores[2]);
        Assert.AreEqual(scores[1], scores[3]);
        Assert.AreNotEqual(scores[0], scores[1]);
        Assert.AreEqual(1, scores.Sum(), 1e-5);
    }

    [TestMethod]
    public void Fit_NameTwice_WarnsHowTheClassesAreNamed()
    {
        var warnings = new List<string>();
        _mlContext.Log += (_, e) =>
        {
            if (e.Kind == ChannelMessageKind.Warning) warnings.Add(e.RawMessage);
        };

        Fit(new() { ClassNames = Given });
        Fit(new() { ClassNames = Named, ClassTexts = Given });

        Assert.AreEqual("2 of 4 class names repeat an earlier one. The class 'missile' at index 2 is now named 'missile (2)'. The label " +
            "'missile' means the first class of that name. To tell such classes apart, give each its own name in ClassNames and its text " +
            "in ClassTexts.", string.Join('\n', warnings));
    }

    [TestMethod]
    public void Evaluate_NameTwice_MatchesLabelsByTheNumberedName()
    {
        var scored = Fit(new() { ClassNames = Given }).Transform(Rows("missile", "missile (2)", "sunglasses"));

        var metrics = _mlContext.MulticlassClassification.Evaluate(scored);
        var named = _mlContext.Transforms.Conversion.MapKeyToValue("Label").Fit(scored).Transform(scored);

        Assert.AreEqual("1 3 2", string.Join(' ', scored.GetColumn<uint>("Label")));
        Assert.AreEqual("missile, missile (2), sunglasses", string.Join(", ", named.GetColumn<string>("Label")));
        Assert.AreEqual(4, metrics.ConfusionMatrix.NumberOfClasses);
        Assert.Contains("sunglasses (2)", metrics.ConfusionMatrix.GetFormattedConfusionTable());
        VBuffer<ReadOnlyMemory<char>> names = default;
        scored.Schema["Score"].GetSlotNames(ref names);
        Assert.AreSequenceEqual(Named, names.DenseValues().Select(n => n.ToString()));
    }

    [TestMethod]
    public void ClassTexts_FoldersOfImageNet_AreScoredByTextAndLabeledByName()
    {
        string[] folders = ["n03773504", "n04355933", "n04008634"];
        string[] texts = ["missile", "sunglasses", "missile"];
        var byText = Fit(new() { ClassNames = texts });
        var byFolder = Fit(new() { ClassNames = folders, ClassTexts = texts });
        var rows = Rows("n04008634", "n03773504");

        var scored = byFolder.Transform(rows);

        Assert.AreSequenceEqual(folders, byFolder.ClassNames);
        Assert.AreEqual("3 1", string.Join(' ', scored.GetColumn<uint>("Label")));
        CollectionAssert.AreEqual(
            byText.Transform(rows).GetColumn<float[]>("Score").First(), scored.GetColumn<float[]>("Score").First());
    }

    [TestMethod]
    public void SaveAndExport_NameTwice_KeepEveryClass()
    {
        using var folder = new ModelFolder();
        var classifier = Fit(new() { ClassNames = Given });
        string zip = Path.Combine(folder.Path, "clip.zip"), embeddings = Path.Combine(folder.Path, "classes.safetensors");
        _mlContext.Model.Save(classifier, Rows().Schema, zip);
        classifier.SaveClassEmbeddings(embeddings);
        using var run = new OnnxRun();
        classifier.SaveAsOnnx(run.Path, PixelValues.Normalized);

        using var loaded = (ZeroShotClassificationTransformer)_mlContext.Model.Load(zip, out _);

        Assert.AreSequenceEqual(Named, loaded.ClassNames);
        CollectionAssert.AreEqual(classifier.Transform(Rows()).GetColumn<float[]>("Score").First(),
            loaded.Transform(Rows()).GetColumn<float[]>("Score").First());
        Assert.Contains("missile (2)", File.ReadAllText(embeddings));
        CollectionAssert.AreEqual(Named, JsonSerializer.Deserialize<string[]>(run.Metadata["class_names"]));
        Assert.HasCount(4, run.Floats("Score", "NormalizedPixels", OnnxModels.Pixels(1), 1, 3, 16, 16));
    }

    [TestMethod]
    public void ComparePrefixes_NameTwice_EqualsTheClassifier()
    {
        var rows = Rows("missile", "sunglasses (2)", "missile (2)");

        var comparison = _mlContext.MulticlassClassification.ComparePrefixes(rows, _model, Given);

        var metrics = _mlContext.MulticlassClassification.Evaluate(Fit(new() { ClassNames = Given }).Transform(rows));
        Assert.AreEqual(metrics.LogLoss, comparison[PrefixSelection.Caption].LogLoss, 1e-5);
        Assert.AreEqual(4, comparison.Prefixes[0].Metrics.ConfusionMatrix.NumberOfClasses);
    }

    private ZeroShotClassificationTransformer Fit(ZeroShotClassificationOptions options) =>
        _mlContext.Transforms.ZeroShotClassification(_model, options).Fit(Rows());

    private IDataView Rows(params string[] labels) => _mlContext.Data.LoadFromEnumerable((labels.Length == 0 ? ["missile"] : labels)
        .Select((label, i) => new LabeledRow { Image = AllTypesRow.Files[i], Label = label }));
}
