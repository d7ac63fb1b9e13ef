using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>Memory and time from a caption table to the first step of training, against its number of rows.</summary>
internal static class RowMeasures
{
    private const int BatchSize = 32, Words = 50_000, WordsPerCaption = 10, Seed = 1, FewRows = 1_000;

    /// <summary>Bytes of memory for each further row, source and sampler included, against the bytes of a row in the table.</summary>
    public static Measure MemoryPerRow(int rows)
    {
        var (few, many) = (Child(FewRows, "memory"), Child(rows, "memory"));
        using var folder = new TableFolder(FewRows);
        var bytes = (double)new FileInfo(folder.Table).Length / FewRows;
        var perRow = (many - few) / (rows - FewRows);
        return new Measure(
            $"peak memory of Fit per row, bytes, {Millions(rows)} million rows", perRow, bytes, perRow, 150, Bound.AtMost);
    }

    /// <summary>Seconds from the table to the end of the first step.</summary>
    public static Measure FirstStep(int rows)
    {
        var (few, many) = (Child(FewRows, "seconds"), Child(rows, "seconds"));
        return new Measure($"seconds to the first step, {Millions(rows)} million rows against {FewRows}", many, few, many / (rows / 1e6), 5,
            Bound.AtMost);
    }

    /// <summary>What the child process prints: seconds, or bytes of peak memory.</summary>
    public static double MeasureFit(int rows, string what)
    {
        TorchLibrary.EnsureLoaded();
        using var folder = new TableFolder(rows);
        using var stop = new CancellationTokenSource();
        var options = new PrefixClipOptions
        {
            Architecture = ClipArchitecture.Tiny, BatchSize = BatchSize, Epochs = 1, Seed = Seed, Progress = new FirstReport(stop),
            CancellationToken = stop.Token,
        };
        var watch = Stopwatch.StartNew();
        try
        {
            var context = new MLContext(Seed);
            context.Transforms.PrefixClip(options).Fit(context.Data.LoadImageCaptions(folder.Table)).Dispose();
        }
        catch (OperationCanceledException)
        {
        }
        return what == "seconds" ? watch.Elapsed.TotalSeconds : ChildProcess.PeakBytes();
    }

    private static string Millions(int rows) => (rows / 1e6).ToString(CultureInfo.InvariantCulture);

    private static double Child(int rows, string what) =>
        ChildProcess.Number("measure-rows", rows.ToString(CultureInfo.InvariantCulture), what);

    /// <summary>Cancels the run after its first step.</summary>
    private sealed class FirstReport(CancellationTokenSource stop) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => stop.Cancel();
    }

    /// <summary>A table of made-up captions, and the images of the first batches: no others are read.</summary>
    private sealed class TableFolder : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("prefix-conditioning-benchmarks-").FullName;

        public TableFolder(int rows)
        {
            var random = new Random(Seed);
            // As in a language, a few words are frequent: the rank's logarithm is uniform.
            string Word() => Name((int)Math.Pow(Words, random.NextDouble()));
            using (var table = new StreamWriter(Table))
            {
                table.WriteLine("image\tcaption");
                for (var row = 0; row < rows; row++)
                    table.WriteLine($"{row:D8}.png\t{string.Join(' ', Enumerable.Range(0, WordsPerCaption).Select(_ => Word()))}");
            }
            using var image = MLImage.CreateFromPixels(2, 2, MLPixelFormat.Rgba32, new byte[16]);
            image.Save(Path.Combine(_folder, "image.png"));
            var sampler = new BatchSampler(new byte[rows], [.. Enumerable.Range(0, rows)], BatchComposition.PerDatasetType, null, BatchSize,
                Seed);
            foreach (var row in sampler.Batches(0).Take(Math.Min(6, rows / BatchSize)).SelectMany(b => b))
                File.Copy(Path.Combine(_folder, "image.png"), Path.Combine(_folder, $"{row:D8}.png"));
        }

        public string Table => Path.Combine(_folder, "captions.tsv");

        public void Dispose() => Directory.Delete(_folder, recursive: true);

        private static string Name(int rank)
        {
            var letters = "";
            for (var rest = rank + 20; rest > 0; rest /= 17) letters += "etaoinshrdlucmfwy"[rest % 17];
            return letters;
        }
    }
}
