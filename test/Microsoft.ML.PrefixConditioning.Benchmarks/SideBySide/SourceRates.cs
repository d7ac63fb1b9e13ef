using System.Buffers.Binary;
using System.Diagnostics;
using System.Formats.Tar;
using System.Globalization;
using System.IO.Compression;
using System.Text;

namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>How fast each source gives rows, and images of 500 x 375 pixels decoded to 224, with one thread and with two.</summary>
internal sealed class SourceRates : IDisposable
{
    private const int Count = 1_000, PerShard = 250, Repetitions = 5, ShortSide = 224;

    private static readonly string[] Classes = ["zero", "one", "two", "three", "four"];

    private readonly string _folder = Directory.CreateTempSubdirectory("prefix-conditioning-benchmarks-").FullName;
    private const string Mounted = "benchmark://shards/";

    private readonly DataOperationsCatalog _data = new MLContext(1).Data;

    /// <summary>Prints a table: source, rows per second, images per second with one thread and with two.</summary>
    public static void Print()
    {
        TorchLibrary.EnsureLoaded();
        Console.Error.WriteLine(Processor.Description);
        Console.Error.WriteLine($"{Count} rows; medians of {Repetitions} runs.");
        Console.WriteLine("source\trows/s\timages/s, 1 thread\timages/s, 2 threads");
        using var rates = new SourceRates();
        rates.WriteFiles();
        using var mount = RemoteFiles.Mount(Mounted, rates.Open, rates.Path("cache"));
        foreach (var (name, open) in rates.Sources())
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{name}\t{Rows(open):0}\t{Images(open(), threads: 1):0}\t{Images(open(), threads: 2):0}"));
    }

    private IEnumerable<(string Name, Func<IDataView> Open)> Sources() =>
    [
        ("class folders", () => _data.LoadImageFolder(Path("classes"))),
        ("class folders in a ZIP archive", () => _data.LoadImageFolder(Path("classes.zip"))),
        ("class folders in a TAR archive", () => _data.LoadImageFolder(Path("classes.tar"))),
        ("one TAR archive per class", () => _data.LoadImageFolder(Path("tars"))),
        ("caption table", () => _data.LoadImageCaptions(Path("captions.tsv"), Path("classes"))),
        ("JSON Lines", () => _data.LoadImageCaptions(Path("captions.jsonl"), Path("classes"))),
        ("COCO captions", () => _data.LoadCocoCaptions(Path("captions.json"), Path("classes"))),
        ("WebDataset", () => _data.LoadWebDataset(Path($"{{0..{(Count / PerShard) - 1}}}.tar"))),
        ("WebDataset through a mount, in the cache", () => _data.LoadWebDataset($"{Mounted}{{0..{(Count / PerShard) - 1}}}.tar")),
        ("Parquet, 100 rows per group", () => _data.LoadParquet(Path("captions.parquet"), "image", "caption")),
        ("IDX, 28 x 28 pixels", () => _data.LoadIdx(Path("images"), Path("labels"), Classes)),
        ("CIFAR-10, 32 x 32 pixels", () => _data.LoadCifar(Path("cifar.bin"), Classes)),
    ];

    /// <summary>All columns of all rows, the view opened anew.</summary>
    private static double Rows(Func<IDataView> open) => Median(() =>
    {
        var view = open();
        using var cursor = view.GetRowCursor(view.Schema);
        var getters = cursor.Schema.Select(cursor.GetGetter<ReadOnlyMemory<char>>).ToArray();
        ReadOnlyMemory<char> value = default;
        while (cursor.MoveNext())
            foreach (var getter in getters) getter(ref value);
    });

    private static double Images(IDataView view, int threads)
    {
        var images = new List<ImageReference>();
        using (var cursor = view.GetRowCursor([view.Schema["Image"]]))
        {
            var getter = ColumnReader.ImageGetter(cursor, view.Schema["Image"]);
            ImageReference image = default;
            while (cursor.MoveNext())
            {
                getter(ref image);
                images.Add(image);
            }
        }
        var preprocessor = ImagePreprocessor.For(ShortSide, ImageNormalization.Clip);
        return Median(() =>
        {
            var workers = Enumerable.Range(0, threads).Select(worker => new Thread(() =>
            {
                var pixels = new float[preprocessor.Length];
                for (var i = worker; i < images.Count; i += threads)
                    preprocessor.ApplyTest(ImageDecoder.Decode(images[i], ImageDecoding.Upright, ShortSide), pixels);
            })).ToArray();
            foreach (var worker in workers) worker.Start();
            foreach (var worker in workers) worker.Join();
        });
    }

    /// <summary>Rows per second.</summary>
    private static double Median(Action run)
    {
        run();   // warms up
        var seconds = Enumerable.Range(0, Repetitions).Select(_ =>
        {
            var watch = Stopwatch.StartNew();
            run();
            return watch.Elapsed.TotalSeconds;
        }).Order().ToArray();
        return Count / seconds[Repetitions / 2];
    }

    private void WriteFiles()
    {
        byte[][] jpegs =
            [.. Enumerable.Range(0, 8).Select(i => File.ReadAllBytes(ScoringMeasures.WriteJpeg(Path($"{i}.jpg"), i, 500, 375)))];
        string Name(int i) => $"{Classes[i % Classes.Length]}/{i:00000}.jpg";
        string Caption(int i) => $"a picture of thing number {i} beside a {Classes[i % Classes.Length]}";
        for (var i = 0; i < Count; i++)
        {
            Directory.CreateDirectory(Path($"classes/{Classes[i % Classes.Length]}"));
            File.WriteAllBytes(Path($"classes/{Name(i)}"), jpegs[i % jpegs.Length]);
        }
        ZipFile.CreateFromDirectory(Path("classes"), Path("classes.zip"), CompressionLevel.NoCompression, includeBaseDirectory: false);
        TarFile.CreateFromDirectory(Path("classes"), Path("classes.tar"), includeBaseDirectory: false);
        Directory.CreateDirectory(Path("tars"));
        foreach (var name in Classes)
            TarFile.CreateFromDirectory(Path($"classes/{name}"), Path($"tars/{name}.tar"), includeBaseDirectory: false);
        var rows = Enumerable.Range(0, Count).ToArray();
        Tests.ParquetFile.Write(Path("captions.parquet"), 100, [.. rows.Select(i => (jpegs[i % jpegs.Length], Caption(i)))]);
        File.WriteAllLines(Path("captions.tsv"), ["image\tcaption", .. rows.Select(i => $"{Name(i)}\t{Caption(i)}")]);
        File.WriteAllLines(Path("captions.jsonl"), rows.Select(i => $$"""{"image":"{{Name(i)}}","caption":"{{Caption(i)}}"}"""));
        File.WriteAllText(Path("captions.json"), $$"""
            {"images":[{{string.Join(',', rows.Select(i => $$"""{"id":{{i}},"file_name":"{{Name(i)}}"}"""))}}],
            "annotations":[{{string.Join(',', rows.Select(i => $$"""{"id":{{i}},"image_id":{{i}},"caption":"{{Caption(i)}}"}"""))}}]}
            """);
        foreach (var shard in rows.GroupBy(i => i / PerShard))
        {
            using var tar = new TarWriter(File.Create(Path($"{shard.Key}.tar")), TarEntryFormat.Ustar);
            foreach (var i in shard)
            {
                Add(tar, $"{i:00000}.jpg", jpegs[i % jpegs.Length]);
                Add(tar, $"{i:00000}.txt", Encoding.UTF8.GetBytes(Caption(i)));
            }
        }
        byte[] Labels() => [.. rows.Select(i => (byte)(i % Classes.Length))];
        File.WriteAllBytes(Path("images"), [.. IdxHeader(Count, 28, 28), .. rows.SelectMany(i => Enumerable.Repeat((byte)i, 28 * 28))]);
        File.WriteAllBytes(Path("labels"), [.. IdxHeader(Count), .. Labels()]);
        File.WriteAllBytes(Path("cifar.bin"), [.. Labels().SelectMany(l => Enumerable.Repeat(l, 1 + (3 * 32 * 32)))]);
    }

    private static byte[] IdxHeader(params int[] sizes)
    {
        var header = new byte[4 + (4 * sizes.Length)];
        (header[2], header[3]) = (8, (byte)sizes.Length);
        for (var i = 0; i < sizes.Length; i++) BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4 + (4 * i)), sizes[i]);
        return header;
    }

    private static void Add(TarWriter tar, string name, byte[] bytes) =>
        tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes) });

    private ValueTask<Stream> Open(string address, long offset, long length, CancellationToken cancellation)
    {
        var file = File.OpenRead(Path(address[Mounted.Length..]));
        var bytes = new byte[Math.Clamp(file.Length - offset, 0, length)];
        using (file)
        {
            file.Position = offset;
            file.ReadExactly(bytes);
        }
        return new(new MemoryStream(bytes));
    }

    private string Path(string name) => System.IO.Path.Combine(_folder, name);

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
