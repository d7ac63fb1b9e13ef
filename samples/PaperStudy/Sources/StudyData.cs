using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;
using Samples;

namespace PaperStudy;

/// <summary>The training and test data of a study.</summary>
internal sealed class StudyData
{
    private const int SampleSeed = 1;   // the same rows for every cell

    private readonly MLContext _mlContext;
    private readonly StudyConfig _config;
    private readonly string _folder;
    private readonly string _made;
    private readonly DrawnDatasetPaths? _drawn;
    private readonly Dictionary<SourceConfig, (IDataView Rows, long Count)> _sources = [];
    private readonly Dictionary<string, string> _hashes = [];   // of whole files, which may be large

    private StudyData(MLContext mlContext, StudyConfig config, string folder, string made, DrawnDatasetPaths? drawn)
    {
        (_mlContext, _config, _folder, _made, _drawn) = (mlContext, config, folder, made, drawn);
        foreach (var source in config.Sources) _sources.Add(source, Source(source));
        Tests = [.. config.Tests.SelectMany(Splits)];
    }

    /// <summary>Every test set's splits, in the configuration's order.</summary>
    public IReadOnlyList<StudyTest> Tests { get; }

    /// <summary>Reads what the configuration names; draws pictures where it says so.</summary>
    /// <param name="mlContext">The context.</param>
    /// <param name="config">The configuration.</param>
    /// <param name="folder">Folder that its paths are relative to.</param>
    /// <param name="made">Where pictures are drawn, and IDX files unpacked.</param>
    /// <exception cref="IOException">A file or folder is missing.</exception>
    /// <exception cref="InvalidDataException">One has not the expected form.</exception>
    public static StudyData Load(MLContext mlContext, StudyConfig config, string folder, string made)
    {
        var usesFolder = config.Sources.Any(s => s.Drawn is null) || config.Tests.Any(t => t.Drawn is null);
        if (usesFolder && !Directory.Exists(folder))
            throw new DirectoryNotFoundException($"The data folder '{folder}' does not exist. " +
                $"{config.DataHint ?? "Pass its path with --data, or correct \"data\" in the configuration."}");
        DrawnDatasetPaths? drawn = null;
        if (config.Drawn is { } sizes)
        {
            var bar = new ProgressBar("Drawing pictures");
            // A folder for each set of numbers: another study in the same place may still read its own.
            drawn = DrawnDataset.Write(Path.Combine(made, "drawn-" + Short(sizes.ToString())), sizes.Seed,
                new DrawnDatasetSizes(sizes.LabeledPerClass, sizes.Captioned, sizes.TestPerClass, sizes.UnseenPerClass), share =>
                    bar.Show(share));
        }
        return new StudyData(mlContext, config, folder, made, drawn);
    }

    /// <summary>The training rows of one model.</summary>
    /// <returns>The rows, their number, and their dataset types in the order of the sources.</returns>
    public (IDataView Rows, long Count, IReadOnlyList<DatasetType> Types) Training(ModelConfig model)
    {
        var sources = _config.Sources.Where(s => s.IsPartOf(model.Data)).ToArray();
        if (sources.Length == 0)
            throw new InvalidDataException($"Model '{model.Name}' trains on '{model.Data}', but no source is of that kind. Add one, or " +
                "change its data.");
        var types = sources.DistinctBy(s => s.Type).Select(s =>
            new DatasetType(s.Type, s.HasCaptions ? TextKind.Caption : TextKind.ClassName));
        return (_mlContext.Data.UnifyDatasets([.. sources.Select(s => _sources[s].Rows)]), sources.Sum(s => _sources[s].Count), [.. types]);
    }

    /// <summary>A hash over the tables and IDX files, the names and sizes of all other files that are read, and the drawn pictures' numbers
    /// and version.</summary>
    /// <param name="output">Where the study writes: what lies there is no data.</param>
    public string Fingerprint(string output)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var paths = _config.Sources.SelectMany(s =>
            new[] { s.Folder, s.Table, s.Table is null ? null : Images(s), s.IdxImages, s.IdxLabels })
            .Concat(_config.Tests.SelectMany(t => new[] { t.Folder, t.IdxImages, t.IdxLabels }));
        var written = Path.GetFullPath(output) + Path.DirectorySeparatorChar;
        foreach (var path in paths.OfType<string>().Distinct())
        {
            var full = Place(path);
            if (File.Exists(full))
            {
                hash.AppendData(Encoding.UTF8.GetBytes(HashOf(full)));
                continue;
            }
            var files = new DirectoryInfo(full).EnumerateFiles("*", SearchOption.AllDirectories)
                .Where(f => !f.FullName.StartsWith(written, StringComparison.Ordinal)).OrderBy(f => f.FullName, StringComparer.Ordinal);
            foreach (var file in files)
            {
                hash.AppendData(Encoding.UTF8.GetBytes(Path.GetRelativePath(full, file.FullName)));
                var length = new byte[8];
                BinaryPrimitives.WriteInt64LittleEndian(length, file.Length);
                hash.AppendData(length);
            }
        }
        if (_config.Drawn is { } drawn) hash.AppendData(Encoding.UTF8.GetBytes($"{DrawnDataset.Version} {drawn}"));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private (IDataView Rows, long Count) Source(SourceConfig source)
    {
        if (source.Table is not null || source.Drawn == "captions")
        {
            var rows = source.Table is { } table
                ? _mlContext.Data.LoadImageCaptions(Place(table), Place(Images(source)), datasetType: source.Type)
                : _mlContext.Data.LoadImageCaptions(_drawn!.CaptionTable, _drawn.CaptionImages, datasetType: source.Type);
            return (rows, rows.GetRowCount() ?? rows.GetColumn<string>("Text").LongCount());
        }
        if (source.Drawn is not null and not "classification")
            throw new InvalidDataException($"A source is drawn '{source.Drawn}'; there are \"classification\" and \"captions\".");
        var labeled = _mlContext.Data.LoadImageFolder(
            source.IdxImages is { } idx ? Unpacked(idx, source.IdxLabels!, source.ClassNames!, source.PerClass)
            : source.Drawn is null ? Place(source.Folder!) : _drawn!.Classification, source.Type);
        if (source.PerClass is { } perClass && source.IdxImages is null) labeled = _mlContext.Data.TakeRowsPerClass(labeled, perClass,
            seed: SampleSeed);
        return (labeled, labeled.GetColumn<string>("Label").LongCount());
    }

    private string Unpacked(string images, string labels, IReadOnlyList<string> classNames, int? perClass)
    {
        var what = string.Join('\n', [.. new[] { images, labels }.Select(path => HashOf(Place(path))), .. classNames, $"{perClass}"]);
        var folder = Path.Combine(_made, "idx-" + Short(what));
        Directory.CreateDirectory(_made);
        IdxImages.Write(Place(images), Place(labels), classNames, perClass, folder);
        return folder;
    }

    private IEnumerable<StudyTest> Splits(TestConfig test)
    {
        var folder = test.IdxImages is { } idx ? Unpacked(idx, test.IdxLabels!, test.ClassNames!, test.PerClass)
            : test.Drawn is not { } drawn ? Place(test.Folder!)
            : _drawn!.Tests.FirstOrDefault(t => t.Name == drawn)?.Folder
                ?? throw new InvalidDataException($"Test set '{test.Name}' is drawn '{drawn}'; there are " +
                    $"{string.Join(", ", _drawn.Tests.Select(t => t.Name))}.");
        var view = _mlContext.Data.LoadImageFolder(folder);
        var (paths, labels) = (view.GetColumn<string>("Image").ToArray(), view.GetColumn<string>("Label").ToArray());
        LabeledPath[] images = [.. paths.Zip(labels, (path, label) => new LabeledPath { Image = path, Text = label, Label = label })];
        // A class is in the same split of every test set, so that nothing is chosen on classes that are tested elsewhere.
        foreach (var split in new[] { "validation", "test" })
        {
            LabeledPath[] part = [.. images.Where(i => IsValidation(
                test.SplitBy == "classes" ? i.Label : $"{i.Label}/{Path.GetFileName(i.Image)}") == (split == "validation"))];
            string[] classNames = [.. part.Select(i => i.Label).Distinct().Order(StringComparer.Ordinal)];
            if (classNames.Length >= 2) yield return new StudyTest(test, split, _mlContext.Data.LoadFromEnumerable(part), classNames,
                part.Length);
            else if (split == "test")
                throw new InvalidDataException($"Test set '{test.Name}' has {classNames.Length} class(es) left for testing; at least two " +
                    "are needed. Make validationShare smaller.");
        }
    }

    private bool IsValidation(string name) =>
        BinaryPrimitives.ReadUInt32LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(name))) < _config.ValidationShare * uint.MaxValue;

    private string HashOf(string path)
    {
        if (_hashes.TryGetValue(path, out var known)) return known;
        using var file = File.OpenRead(path);
        return _hashes[path] = Convert.ToHexStringLower(SHA256.HashData(file));
    }

    private static string Short(string what) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(what)))[..12];

    private static string Images(SourceConfig source) => source.Images ?? Path.GetDirectoryName(source.Table!) ?? "";

    private string Place(string path) => Path.GetFullPath(Path.Combine(_folder, path));
}
