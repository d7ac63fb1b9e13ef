using System.Diagnostics;
using System.Globalization;
using FineTune;
using Microsoft.ML;
using Microsoft.ML.PrefixConditioning;
using Samples;

const string OnnxName = "classifier.onnx";

return FineTuneArguments.Run(args, arguments =>
{
    var watch = Stopwatch.StartNew();
    var mlContext = new MLContext(seed: arguments.Seed);
    Directory.CreateDirectory(arguments.Output);
    if (arguments.Clip is null) arguments = DrawnClip.Make(mlContext, arguments);

    // The published model, as it is.
    using var published = mlContext.Model.LoadClip(arguments.Clip!);
    var (train, tests) = LoadData(mlContext, arguments);

    // Fine-tuned, with a new prefix for each dataset type.
    using var tuned = FineTuneFrom(mlContext, train, arguments);
    var reportPath = Path.Combine(arguments.Output, "report.html");
    var summary = tuned.SaveReport(reportPath, new ReportOptions
    {
        Title = $"Fine-tuning with prefix conditioning, trained: {arguments.Train}",
        TestSets = [.. tests.Select(test => test.ForReport)],
        Baseline = published,
        BaselineName = "the published model",
    });
    Console.WriteLine();
    Console.WriteLine(summary);
    Console.WriteLine(summary.Headline);

    // What other programs read.
    var exported = FineTuneArguments.Prefixes[arguments.Prefix];
    var classifier = mlContext.Transforms.ZeroShotClassification(tuned, tests[0].ClassNames, exported).Fit(tests[0].Images);
    var files = Save(mlContext, tuned, classifier, train.Schema, arguments.Output);

    // What the ONNX file says, read back by ML.NET without this package's towers.
    var onnx = CheckOnnx(mlContext, classifier, Path.Combine(arguments.Output, OnnxName), tests[0]);
    Console.WriteLine();
    Console.WriteLine(onnx);

    foreach (var (name, path) in files.Append(("Report", Path.GetFullPath(reportPath)))) Console.WriteLine($"{name + ':',-18} {path}");
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Done in {watch.Elapsed:m\\:ss} minutes."));
});

static (IDataView Train, IReadOnlyList<TestSet> Tests) LoadData(MLContext mlContext, FineTuneArguments arguments)
{
    var labeled = mlContext.Data.LoadImageFolder(arguments.Labeled!);
    var captioned = mlContext.Data.LoadImageCaptions(arguments.Captions!, arguments.Images);
    TestSet[] tests =
    [
        .. arguments.Tests.Select(folder =>
            TestSet.Load(mlContext, folder, arguments.Descriptions.GetValueOrDefault(folder, $"Images of {folder}."))),
    ];
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{labeled.GetRowCount()} labeled images, {captioned.GetRowCount()} captions, {tests.Length} test set(s)."));
    return (mlContext.Data.UnifyDatasets(labeled, captioned), tests);
}

static PrefixClipTransformer FineTuneFrom(MLContext mlContext, IDataView train, FineTuneArguments arguments)
{
    var (rate, prefixFactor) = arguments.Rates;
    return mlContext.Transforms.PrefixClip(new PrefixClipOptions
    {
        InitialWeights = arguments.Clip,
        FineTuning = new() { TrainableParts = arguments.Parts, PrefixLearningRateFactor = prefixFactor },
        PrefixLength = 1,
        // A batch has few classes: pictures of one class must not count as each other's wrong answers.
        Loss = LossFunction.UniCl,
        BatchSize = arguments.BatchSize,
        Epochs = arguments.Epochs,
        LearningRate = rate,
        Seed = arguments.Seed,
        Progress = TrainingMonitor.Bar("Fine-tuning"),
    }).Fit(train);
}

static IReadOnlyList<(string Name, string Path)> Save(
    MLContext mlContext, PrefixClipTransformer model, ZeroShotClassificationTransformer classifier, DataViewSchema schema, string folder)
{
    string In(string name) => Path.GetFullPath(Path.Combine(folder, name));
    mlContext.Model.Save(model, schema, In("clip.zip"));
    model.SaveSafetensors(In("clip"));
    classifier.SaveClassEmbeddings(In("class-embeddings.safetensors"));
    classifier.SaveAsOnnx(In(OnnxName));
    return
    [
        ("ML.NET model", In("clip.zip")), ("Weights", In("clip")),
        ("Class embeddings", In("class-embeddings.safetensors")), ("ONNX classifier", In(OnnxName)),
    ];
}

static string CheckOnnx(MLContext mlContext, ZeroShotClassificationTransformer classifier, string path, TestSet test)
{
    var (equal, images) = OnnxCheck.Run(mlContext, classifier, path, test.Images);
    return $"ONNX Runtime predicts the same label for {equal} of {images} images of \"{test.Name}\".";
}
