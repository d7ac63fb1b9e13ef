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
    var (train, tests, pairs) = LoadData(mlContext, arguments);

    // Two models with the same data, batches and budget: one without prefixes, one with a learned prefix per dataset type.
    Console.WriteLine("Training two models on labels and captions together.");
    using var plain = Train(mlContext, train, arguments, "without prefixes", prefixLength: 0);
    using var conditioned = Train(mlContext, train, arguments, "with prefixes   ", prefixLength: 1);

    // The prefixes on the test sets, on a page and as a table.
    var reportPath = Path.Combine(arguments.Output, "report.html");
    var summary = conditioned.SaveReport(reportPath, new ReportOptions
    {
        Title = "Quickstart: prefix conditioning",
        TestSets = [.. tests.Select(test => test.ForReport)],
        Captioned = pairs,
        Blends = [PrefixSelection.Blend(("caption", 1), ("classification", 1))],
        Baseline = plain,
        BaselineName = "the model without prefixes",
    });
    Console.WriteLine();
    Console.WriteLine(summary);
    Console.WriteLine(summary.Headline);

    // Save, load as any process would, and score once more.
    var modelPath = Path.Combine(arguments.Output, "clip.zip");
    mlContext.Model.Save(conditioned, train.Schema, modelPath);
    using var loaded = (PrefixClipTransformer)new MLContext().Model.Load(modelPath, out _);
    var before = tests[0].Accuracy(mlContext, conditioned, PrefixSelection.Caption);
    var after = tests[0].Accuracy(mlContext, loaded, PrefixSelection.Caption);
    Console.WriteLine();
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"Saved, loaded and scored again: \"{tests[0].Name}\" {before:0.0%} before, {after:0.0%} after."));
    Console.WriteLine($"Model:  {Path.GetFullPath(modelPath)}");
    Console.WriteLine($"Report: {Path.GetFullPath(reportPath)}");
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Done in {watch.Elapsed:m\\:ss} minutes."));
});

static (IDataView Train, IReadOnlyList<TestSet> Tests, IDataView? Pairs) LoadData(MLContext mlContext, QuickstartArguments arguments)
{
    const int Captions = 9600, HeldOut = 100;
    IDataView labeled, captioned;
    IDataView? pairs = null;
    TestSet[] tests;
    if (arguments.Classification is null)
    {
        var bar = new ProgressBar("Drawing data");
        var sizes = new DrawnDatasetSizes(LabeledPerClass: 200, Captioned: Captions + HeldOut, TestPerClass: 15, UnseenPerClass: 24);
        var drawn = DrawnDataset.Write(Path.Combine(arguments.Output, "data"), arguments.Seed, sizes, share => bar.Show(share));
        labeled = mlContext.Data.LoadImageFolder(drawn.Classification);
        var drawnCaptions = mlContext.Data.LoadImageCaptions(drawn.CaptionTable, drawn.CaptionImages);
        captioned = mlContext.Data.TakeRows(drawnCaptions, Captions);
        pairs = mlContext.Data.SkipRows(drawnCaptions, Captions);   // for examples of retrieval
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
    return (mlContext.Data.UnifyDatasets(labeled, captioned), tests, pairs);
}

static PrefixClipTransformer Train(MLContext mlContext, IDataView train, QuickstartArguments arguments, string name, int prefixLength)
{
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
        Progress = TrainingMonitor.Bar(name),
    });
    return clip.Fit(train);
}
