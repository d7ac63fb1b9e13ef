using System.Globalization;
using System.IO.Compression;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;
using Microsoft.ML.Runtime;
using PackageConsumer;

// Given the packed files: what is in them, and nothing else, such as a publicized copy or a native library.
foreach (var packed in args)
{
    using var package = ZipFile.OpenRead(packed);
    string[] ours = [.. package.Entries.Select(e => e.FullName).Where(n =>
        !n.StartsWith('_') && !n.StartsWith('[') && !n.StartsWith("package/", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
    var id = ours.Single(n => n.EndsWith(".nuspec", StringComparison.Ordinal))[..^".nuspec".Length];
    string[] assemblies = Path.GetExtension(id) is ".AI" or ".Parquet" ? [id] : [$"{id}.TextRepair", id];
    string[] expected = ["LICENSE", $"{id}.nuspec", "NOTICE", "README.md",
        .. assemblies.Length == 1 ? [] : new[] { $"buildTransitive/{id}.targets" }, "icon.png",
        .. assemblies.SelectMany(a => new[] { $"lib/net10.0/{a}.dll", $"lib/net10.0/{a}.xml" })];
    Check(ours.SequenceEqual(expected), $"the files {string.Join(", ", expected)}, found {string.Join(", ", ours)}");
    if (assemblies.Length == 1) continue;
    var settings = await TrimmedBuild.Settings(version: Path.GetFileNameWithoutExtension(packed)[(id.Length + 1)..]);
    foreach (var kept in new[] { id, "Microsoft.ML.Core", "Microsoft.ML.Data", "Microsoft.ML.Transforms", nameof(PackageConsumer) })
        Check(settings.Contains($"\"{kept}\"", StringComparison.Ordinal), $"{kept} whole in a trimmed application, found {settings}");
    Check(settings.Contains("\"JsonSerializerIsReflectionEnabledByDefault\": \"true\"", StringComparison.Ordinal),
        $"JSON by reflection in a trimmed application, found {settings}");
}

// Two steps of training through the package, then what README shows: score, evaluate, save, load, predict.
var folder = Directory.CreateTempSubdirectory("package-consumer-").FullName;
try
{
    TinyData.Write(folder);
    var mlContext = new MLContext(seed: 1);
    var labeled = mlContext.Data.LoadImageFolder(Path.Combine(folder, "labeled"));
    var captioned = mlContext.Data.LoadImageCaptions(Path.Combine(folder, "captions.tsv"));
    var train = mlContext.Data.UnifyDatasets(labeled, captioned);

    var clip = mlContext.Transforms.PrefixClip(new PrefixClipOptions
    {
        Architecture = ClipArchitecture.Tiny with { ImageSize = 16, VisionWidth = 16, VisionLayers = 1, TextWidth = 16, TextLayers = 1,
            EmbeddingSize = 8 },
        BatchSize = 4,
        Epochs = 1,
        Device = ComputeDevice.Cpu,
    });
    using var model = clip.Fit(train);
    Check(model.History.Steps.Count == 2, $"two steps of training, found {model.History.Steps.Count}");

    using var classifier = mlContext.Transforms.ZeroShotClassification(model, TinyData.ClassNames).Fit(labeled);
    var metrics = mlContext.MulticlassClassification.Evaluate(classifier.Transform(labeled));
    Check(metrics.ConfusionMatrix.NumberOfClasses == 2, "two classes in the evaluation");

    var file = Path.Combine(folder, "classifier.zip");
    mlContext.Model.Save(classifier, labeled.Schema, file);
    var loaded = new MLContext().Model.Load(file, out _);
    var photo = new Photo { Image = Directory.EnumerateFiles(folder, "*.bmp",
        SearchOption.AllDirectories).Order(StringComparer.Ordinal).First() };
    var before = mlContext.Model.CreatePredictionEngine<Photo, Prediction>(classifier).Predict(photo).Score;
    var after = mlContext.Model.CreatePredictionEngine<Photo, Prediction>(loaded).Predict(photo).Score;
    Check(before.Length == 2 && before.SequenceEqual(after), "the same probabilities after saving and loading");
    (loaded as IDisposable)?.Dispose();

    // The package for Parquet works through internals of the first.
    var table = Path.Combine(folder, "table.parquet");
    await TinyData.WriteParquet(table, photo.Image);
    var rows = classifier.Transform(mlContext.Data.LoadParquet(table, "image", "caption"));
    Check(rows.GetColumn<float[]>("Score").Single().SequenceEqual(before), "the same probabilities for an image in a Parquet file");

    // README's examples as they stand there, on data of that form.
    var readme = Path.Combine(folder, "readme");
    TinyData.WriteForReadme(readme);
    Environment.CurrentDirectory = readme;
    ReadmeExamples.QuickStart();
    Check(File.Exists("clip.zip"), "a saved model of README's quick start");
    var name = ReadmeExamples.OneImage(mlContext, mlContext.Data.LoadImageFolder("labeled/"));
    Check(TinyData.ReadmeNames.Contains(name), $"one of README's classes, found '{name}'");
    Environment.CurrentDirectory = Path.GetTempPath();

    // The package for Microsoft.Extensions.AI, too.
    using (var services = new ServiceCollection().AddPrefixClip(model).BuildServiceProvider())
    {
        var generated = await services.GetRequiredService<IEmbeddingGenerator<DataContent, Embedding<float>>>().GenerateAsync(
            [await DataContent.LoadFromAsync(photo.Image, "image/bmp")]);
        Check(generated.Single().Vector.Span.SequenceEqual(model.EncodeImages([photo.Image])[0]), "the same embedding from a generator");
    }

    // The second assembly of the package comes with its tables.
    Check(TextRepair.Repair("schÃ¶n &amp; gut") == "schön & gut", "repaired text");

    // The copies that the library was compiled against have public members; what runs must be the ordinary ones.
    Check(typeof(IHostEnvironment).Assembly.GetType("Microsoft.ML.Runtime.Contracts", throwOnError: true)!.IsNotPublic,
        "the ordinary Microsoft.ML.Core");
    Check(typeof(MLContext).Assembly.GetType("Microsoft.ML.Data.IRowMapper", throwOnError: true)!.IsNotPublic,
        "the ordinary Microsoft.ML.Data");
    var version = typeof(PrefixClipOptions).Assembly.GetName().Version;
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"Package {version}: trained, evaluated, saved, loaded and scored; probabilities {before[0]:0.000}, {before[1]:0.000}."));
}
finally
{
    Directory.Delete(folder, recursive: true);
}

static void Check(bool holds, string expected)
{
    if (!holds) throw new InvalidOperationException($"The package does not behave as expected: {expected}.");
}
