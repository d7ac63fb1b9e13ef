using System.Diagnostics;
using System.Globalization;
using FineTune;
using Microsoft.ML;
using Microsoft.ML.Data;
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
    var before = tests.Select(test => test.Accuracies(mlContext, published, [PrefixSelection.None])[0]).ToArray();
    Console.WriteLine("Before: " + string.Join(", ", tests.Zip(before, (test, accuracy) => $"{test.Name} {Percent(accuracy)}")));

    // Fine-tuned, with a new prefix for each dataset type.
    using var tuned = FineTuneFrom(mlContext, train, arguments);
    var prefixes = FineTuneArguments.Prefixes.Values.ToArray();
    var after = tests.Select(test => test.Accuracies(mlContext, tuned, prefixes)).ToArray();
    var table = new AccuracyTable(
        [.. tests.Select(test => new AccuracyColumn(test.Name, test.Description, 1.0 / test.ClassNames.Count))],
        [
            new AccuracyRow("published", "none", [.. before.Select(accuracy => (double?)accuracy)]),
            .. prefixes.Select((prefix, i) => new AccuracyRow("fine-tuned", prefix.ToString(), [.. after.Select(a => (double?)a[i])])),
        ]);
    Console.WriteLine();
    ConsoleTable.Write(Console.Out, table);

    // What other programs read.
    var exported = FineTuneArguments.Prefixes[arguments.Prefix];
    var classifier = mlContext.Transforms.ZeroShotClassification(tuned, tests[0].ClassNames, exported).Fit(tests[0].Images);
    var files = Save(mlContext, tuned, classifier, train.Schema, arguments.Output);

    // What the ONNX file says, read back by ML.NET without this package's towers.
    var onnx = CheckOnnx(mlContext, classifier, Path.Combine(arguments.Output, OnnxName), tests[0]);
    Console.WriteLine();
    Console.WriteLine(onnx);

    var reportPath = Path.Combine(arguments.Output, "report.html");
    Report.Write(Describe(mlContext, arguments, tests, tuned, table, exported, onnx, files), reportPath);
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
        Progress = new TrainingBar(new ProgressBar("Fine-tuning")),
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

static ReportData Describe(
    MLContext mlContext, FineTuneArguments arguments, IReadOnlyList<TestSet> tests, PrefixClipTransformer model,
    AccuracyTable table, PrefixSelection exported, string onnx, IReadOnlyList<(string Name, string Path)> files) => new(
        "Fine-tuning with prefix conditioning",
        "A published CLIP model was trained further on labels and captions together, with a learned prefix for each dataset type. "
            + "It classifies images from class names alone, before and after.",
        [
            .. arguments.Facts,
            ("Towers", string.Create(CultureInfo.InvariantCulture,
                $"{model.Architecture.ImageSize} x {model.Architecture.ImageSize} pixels, {model.ParameterCount:N0} parameters")),
            ("Dataset types", string.Join(", ", model.DatasetTypes.Select(type => type.Name))),
            ("Exported prefix", exported.ToString()),
            ("ONNX file", onnx),
        ],
        table,
        [new LossCurve("fine-tuning", [.. model.History.Steps.Select((step, i) => (i + 1, (double)step.Loss))])],
        [.. tests.Select(test => test.Examples(mlContext, model, exported, count: 16))],
        files);

static string Percent(double share) => (100 * share).ToString("0.0", CultureInfo.InvariantCulture) + " %";
