using System.CommandLine;
using System.Globalization;
using BenchmarkDotNet.Running;
using Microsoft.ML.PrefixConditioning;
using Microsoft.ML.PrefixConditioning.Benchmarks;

var openClip = new Option<DirectoryInfo>("--open-clip")
{
    Description = "Folder of an open_clip checkout to compare with; without it, " +
    "the plain way of this package."
};
var python = new Option<string>("--python") { Description = "Python with torch.", DefaultValueFactory = _ => "/usr/bin/python3" };
var captions = new Option<FileInfo>("--captions")
{
    Description = "File with one caption a line; without it, captions of the program's " +
    "own."
};
var only = new Option<string?>("--only") { Description = "Part of the names of the measures to take." };
openClip.AcceptExistingOnly();
captions.AcceptExistingOnly();
var pairs = new Option<int>("--pairs") { Description = "Pairs of runs per measure.", DefaultValueFactory = _ => 7 };
var sideBySide = new Command("side-by-side", "Compares with open_clip, or with the plain way, one line a measure.") { openClip, python,
    captions, only, pairs };
sideBySide.SetAction(result => SideBySideRunner.Run(result.GetValue(pairs), result.GetValue(openClip)?.FullName, result.GetValue(python)!,
    result.GetValue(captions)?.FullName, result.GetValue(only)));

var sources = new Command("sources", "Rows and decoded images per second of each data source.");
sources.SetAction(_ => SourceRates.Print());

var rest = new Argument<string[]>("arguments") { Description = "Arguments of BenchmarkDotNet, such as --filter '*'." };
var micro = new Command("micro", "Times single parts with BenchmarkDotNet.") { rest };
micro.TreatUnmatchedTokensAsErrors = false;
micro.SetAction(result =>
{
    TorchLibrary.EnsureLoaded();
    BenchmarkSwitcher.FromAssembly(typeof(Measure).Assembly).Run([.. result.GetValue(rest) ?? [], .. result.UnmatchedTokens]);
});

// What the comparison starts in processes of their own, and what a profiler looks at.
var values = new Argument<string[]>("values");
var memory = new Command("measure-memory") { values };
memory.Hidden = true;
memory.SetAction(result =>
{
    var v = result.GetValue(values)!;
    int Number(int i) => int.Parse(v[i], CultureInfo.InvariantCulture);
    Print(MemoryMeasures.MeasurePeak(v[0], Number(1), Number(2) == 1, Number(3) == 0 ? null : Number(3)));
});
var start = new Command("measure-start") { values };
start.Hidden = true;
start.SetAction(result => Print(ScoringMeasures.LoadAndScore(result.GetValue(values)![0], result.GetValue(values)![1])));
var steps = new Command("measure-steps") { values };
steps.Hidden = true;
steps.SetAction(result =>
{
    var seconds = TrainingMeasures.MedianStep(int.Parse(result.GetValue(values)![0], CultureInfo.InvariantCulture));
    if (Environment.GetEnvironmentVariable("OMPI_COMM_WORLD_RANK") is null or "0") Print(seconds);
});
var images = new Command("measure-images") { values };
images.Hidden = true;
images.SetAction(result => Print(OnnxMeasures.MedianTime(result.GetValue(values)![0],
    int.Parse(result.GetValue(values)![1], CultureInfo.InvariantCulture))));
var rows = new Command("measure-rows") { values };
rows.Hidden = true;
rows.SetAction(result => Print(RowMeasures.MeasureFit(int.Parse(result.GetValue(values)![0], CultureInfo.InvariantCulture),
    result.GetValue(values)![1])));
var libtorch = new Command("measure-libtorch") { Hidden = true };
libtorch.SetAction(_ =>
{
    TorchLibrary.EnsureLoaded();
    Print(TorchSharp.torch.get_num_threads());
});

return new RootCommand("Benchmarks of Microsoft.ML.PrefixConditioning.")
{
    sideBySide, sources, micro, memory, start, steps, images, rows, libtorch,
}.Parse(args).Invoke();

static void Print(double value) => Console.WriteLine(value.ToString(CultureInfo.InvariantCulture));
