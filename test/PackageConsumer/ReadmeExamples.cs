using Microsoft.ML;
using Microsoft.ML.PrefixConditioning;

namespace PackageConsumer;

/// <summary>README's examples, compiled against the package. A test compares the lines between the marks with README's.</summary>
internal static class ReadmeExamples
{
    public static void QuickStart()
    {
        // <readme 1>
        var mlContext = new MLContext(seed: 1);

        // Sources: every row is tagged with its dataset type.
        IDataView labeled = mlContext.Data.LoadImageFolder("labeled/");                              // labeled/red apple/1.png, ...
        IDataView captioned = mlContext.Data.LoadImageCaptions("captions.tsv", imageRoot: "images/");  // image, caption
        IDataView train = mlContext.Data.UnifyDatasets(labeled, captioned);

        // Training is Fit.
        var clip = mlContext.Transforms.PrefixClip(new PrefixClipOptions
        {
            Architecture = ClipArchitecture.Tiny, Epochs = 20, Progress = TrainingMonitor.Bar(),
        });
        using PrefixClipTransformer model = clip.Fit(train);

        // Zero-shot scoring is one more transform; classes are only names.
        IDataView test = mlContext.Data.LoadImageFolder("test/");
        var zeroShot = mlContext.Transforms.ZeroShotClassification(model, ["red apple", "grinning face"]);
        IDataView scored = zeroShot.Fit(test).Transform(test);
        var metrics = mlContext.MulticlassClassification.Evaluate(scored, labelColumnName: "Label");
        Console.WriteLine($"Accuracy: {metrics.MicroAccuracy:0.0%}");

        // An HTML page: curves, prefixes compared with confidence intervals, confusions, pictures.
        model.SaveReport("report.html", new ReportOptions { TestSets = [new("test", test)] });

        // Any process that has the package loads the model; there is nothing to register.
        mlContext.Model.Save(model, train.Schema, "clip.zip");
        ITransformer again = new MLContext().Model.Load("clip.zip", out _);
        // </readme>
    }

    public static string OneImage(MLContext mlContext, IDataView train)
    {
        // <readme 2>
        var trainer = mlContext.MulticlassClassification.Trainers.PrefixClip("Label", predictedClassColumnName: "Class");
        using var classifier = trainer.Fit(train);
        var engine = mlContext.Model.CreatePredictionEngine<Photo, Prediction>(classifier);
        string className = engine.Predict(new Photo { Image = "photo.jpg" }).Class;
        // </readme>
        return className;
    }
}

// <readme 2>
public sealed class Photo { public string Image { get; set; } = ""; }

public sealed class Prediction { public string Class { get; set; } = ""; public float[] Score { get; set; } = []; }
// </readme>
