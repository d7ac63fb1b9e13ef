using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>The main job, as the documentation shows it to users.</summary>
[TestClass]
public sealed class ContractTests
{
    [TestMethod]
    public void WholeJob_AsDocumented_LoadedModelScoresAsTheTrainedOne()
    {
        var (labeledFolder, captions, images) = (Tiny.Data.Labeled, Tiny.Data.Captions, Tiny.Data.Captioned);
        var zip = Path.Combine(Tiny.Data.Folder, "contract.zip");
        var mlContext = new MLContext(seed: 1);

        IDataView labeled = mlContext.Data.LoadImageFolder(labeledFolder);
        IDataView captioned = mlContext.Data.LoadImageCaptions(captions, imageRoot: images);
        IDataView train = mlContext.Data.UnifyDatasets(labeled, captioned);
        IDataView test = labeled;

        var clip = mlContext.Transforms.PrefixClip(Tiny.Options);
        PrefixClipTransformer model = clip.Fit(train);

        var zeroShot = mlContext.Transforms.ZeroShotClassification(model, ["red", "green", "blue"]);
        IDataView scored = zeroShot.Fit(test).Transform(test);
        var metrics = mlContext.MulticlassClassification.Evaluate(scored, labelColumnName: "Label");

        mlContext.Model.Save(model, train.Schema, zip);
        ITransformer again = new MLContext().Model.Load(zip, out var schema);

        Assert.IsGreaterThan(0.8, metrics.MicroAccuracy, "The model did not learn three colours.");
        Assert.AreSequenceEqual(train.Schema.Select(c => c.Name), schema.Select(c => c.Name));
        using var loaded = (PrefixClipTransformer)again;
        var rescored = mlContext.Transforms.ZeroShotClassification(loaded, ["red", "green", "blue"]).Fit(test).Transform(test);
        CollectionAssert.AreEqual(
            scored.GetColumn<float[]>("Score").SelectMany(s => s).ToArray(),
            rescored.GetColumn<float[]>("Score").SelectMany(s => s).ToArray());
        model.Dispose();
    }

    [TestMethod]
    public void QuickStart_SmallDataAndDefaultOptions_Trains()
    {
        var mlContext = new MLContext(seed: 1);
        var clip = mlContext.Transforms.PrefixClip(new PrefixClipOptions { Architecture = ClipArchitecture.Tiny, Epochs = 20 });
        using var model = clip.Fit(Tiny.Data.Train(mlContext));
        var test = Tiny.Data.Test(mlContext);
        var scored = mlContext.Transforms.ZeroShotClassification(model, TinyData.ClassNames).Fit(test).Transform(test);
        Assert.HasCount(40, model.History.Steps);   // 48 rows in batches of 24, 20 epochs
        Assert.IsGreaterThan(0.8, mlContext.MulticlassClassification.Evaluate(scored).MicroAccuracy,
            "The model did not learn three colours.");
    }
}
