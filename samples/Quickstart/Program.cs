using System.Diagnostics;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.PrefixConditioning;
using Quickstart;
using Samples;

return QuickstartArguments.Run(args, arguments =>
{
    var watch = Stopwatch.StartNew();
    var mlContext = new MLContext(seed: arguments.Seed);
    Directory.CreateDirectory(arguments.Output);
    var (train, tests) = LoadData(mlContext, arguments);

    // Two models with the same data, batches and budget: one without prefixes, one with a learned prefix per dataset type.
    Console.WriteLine("Training two models on labels and captions together.");
    using var plain = Train(mlContext, train, arguments, "without prefixes", prefixLength: 0);
    using var conditioned = Train(mlContext, train, arguments, "with prefixes   ", prefixLength: 1);

    PrefixSelection[] prefixes =
    [
        PrefixSelection.For("caption"), PrefixSelection.For("classification"), PrefixSelection.None,
        PrefixSelection.Blend(("caption", 1), ("classification", 1)),
    ];
    var table = Compare(mlContext, tests, plain, conditioned, prefixes);
    Console.WriteLine();
    Console.WriteLine("Zero-shot accuracy by test set (* best of its column):");
    ConsoleTable.Write(Console.Out, table);

    // Save, load as any process would, and score once more.
    var modelPath = Path.Combine(arguments.Output, "clip.zip");
    mlContext.Model.Save(conditioned, train.Schema, modelPath);
    using var loaded = (PrefixClipTransformer)new MLContext().Model.Load(modelPath, out _);
    var before = tests[0].Accuracy(mlContext, conditioned, prefixes[0]);
    var after = tests[0].Accuracy(mlContext, loaded, prefixes[0]);
    Console.WriteLine();
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"Saved, loaded and scored again: \"{tests[0].Name}\" {before:0.0%} before, {after:0.0%} after."));

    var reportPath = Path.Combine(arguments.Output, "report.html");
    Report.Write(Describe(mlContext, arguments, tests, plain, conditioned, table, modelPath), reportPath);
    Console.WriteLine($"Model:  {Path.GetFullPath(modelPath)}");
    Console.WriteLine($"Report: {Path.GetFullPath(reportPath)}");
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Done in {watch.Elapsed:m\\:ss} minutes."));
});

static (IDataView Train, IReadOnlyList<TestSet> Tests) LoadData(MLContext mlContext, QuickstartArguments arguments)
{
    IDataView labeled, captioned;
    TestSet[] tests;
    if (arguments.Classification is null)
    {
        var bar = new ProgressBar("Drawing data");
        var sizes = new DrawnDatasetSizes(LabeledPerClass: 200, Captioned: 9600, TestPerClass: 15, UnseenPerClass: 24);
        var drawn = DrawnDataset.Write(Path.Combine(arguments.Output, "data"), arguments.Seed, sizes, share => bar.Show(share));
        labeled = mlContext.Data.LoadImageFolder(drawn.Classification);
        captioned = mlContext.Data.LoadImageCaptions(drawn.CaptionTable, drawn.CaptionImages);
        tests = [.. drawn.Tests.Select(t => TestSet.Load(mlContext, t.Folder, t.Description))];
    }
    else
    {
        labeled = mlContext.Data.LoadImageFolder(arguments.Classification);
        captioned = mlContext.Data.LoadImageCaptions(arguments.Captions!, arguments.Images);
        tests = [.. arguments.Tests.Select(folder => TestSet.Load(mlContext, folder, $"Images of {folder}."))];
    }
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{labeled.GetRowCount()} labeled images, {captioned.GetRowCount()} captions, {tests.Length} test sets."));
    return (mlContext.Data.UnifyDatasets(labeled, captioned), tests);
}

static PrefixClipTransformer Train(MLContext mlContext, IDataView train, QuickstartArguments arguments, string name, int prefixLength)
{
    var bar = new ProgressBar(name);
    var clip = mlContext.Transforms.PrefixClip(new PrefixClipOptions
    {
        // Fewer pixels and layers than Tiny's: the drawings stay readable, a step takes a third of the time,
        // and few images teach shallow towers faster.
        Architecture = ClipArchitecture.Tiny with { ImageSize = 32, VisionLayers = 3, TextLayers = 2 },
        PrefixLength = prefixLength,
        BatchSize = arguments.BatchSize,
        Epochs = arguments.Epochs,
        LearningRate = 5e-4,
        Optimizer = new() { WeightDecay = 0.1 },
        Augmentation = new() { MinCropScale = 0.7, HorizontalFlipProbability = 0.5 },
        Seed = arguments.Seed,
        Progress = new TrainingBar(bar),
    });
    return clip.Fit(train);
}

static AccuracyTable Compare(
    MLContext mlContext, IReadOnlyList<TestSet> tests, PrefixClipTransformer plain, PrefixClipTransformer conditioned,
        PrefixSelection[] prefixes)
{
    var withoutPrefixes = tests.Select(test => test.Accuracies(mlContext, plain, [PrefixSelection.None])).ToArray();
    var withPrefixes = tests.Select(test => test.Accuracies(mlContext, conditioned, prefixes)).ToArray();
    return new AccuracyTable(
        [.. tests.Select(test => new AccuracyColumn(test.Name, test.Description, 1.0 / test.ClassNames.Count))],
        [
            new AccuracyRow("without prefixes", "none", [.. withoutPrefixes.Select(a => (double?)a[0])]),
            .. prefixes.Select((prefix, i) =>
                new AccuracyRow("with prefixes", prefix.ToString(), [.. withPrefixes.Select(a => (double?)a[i])])),
        ]);
}

static ReportData Describe(
    MLContext mlContext, QuickstartArguments arguments, IReadOnlyList<TestSet> tests,
    PrefixClipTransformer plain, PrefixClipTransformer conditioned, AccuracyTable table, string modelPath)
{
    static LossCurve Curve(string name, PrefixClipTransformer model) =>
        new(name, [.. model.History.Steps.Select((step, i) => (i + 1, (double)step.Loss))]);
    return new ReportData(
        "Quickstart: prefix conditioning",
        "Two small image-text models were trained on labels and captions together, one without prefixes and one with a learned prefix " +
            "for each dataset type. Both classify images from class names alone.",
        [
            ("Towers", $"{conditioned.Architecture.ImageSize} x {conditioned.Architecture.ImageSize} pixels, " +
                $"{conditioned.ParameterCount.ToString("N0", CultureInfo.InvariantCulture)} parameters"),
            ("Training", string.Create(CultureInfo.InvariantCulture,
                $"{conditioned.History.Steps.Count} steps{(arguments.BatchSize is { } rows ? $" of {rows} rows" : "")}, seed " +
                $"{arguments.Seed}")),
            ("Vocabulary", string.Create(CultureInfo.InvariantCulture, $"{conditioned.VocabularySize} tokens, learned from the texts")),
            ("Dataset types", string.Join(", ", conditioned.DatasetTypes.Select(t => t.Name))),
        ],
        table,
        [Curve("without prefixes", plain), Curve("with prefixes", conditioned)],
        [.. tests.Select(test => test.Examples(mlContext, conditioned, PrefixSelection.Caption, count: 16))],
        [("Model", Path.GetFullPath(modelPath))]);
}
