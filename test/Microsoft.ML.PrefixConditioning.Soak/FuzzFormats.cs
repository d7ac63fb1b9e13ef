using System.IO.Compression;
using System.Reflection;
using SkiaSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Every format that the package reads.</summary>
internal static class FuzzFormats
{
    private static DataOperationsCatalog Data { get; } = new MLContext(seed: 1).Data;

    /// <summary>By name: makes a format, with its files in a folder.</summary>
    public static IReadOnlyDictionary<string, Func<DataTestFolder, FuzzFormat>> All { get; } =
        new SortedDictionary<string, Func<DataTestFolder, FuzzFormat>>(StringComparer.Ordinal)
        {
            ["image PNG"] = f => Image(f, HandMadeImages.Encode(SKEncodedImageFormat.Png, 40, 30, Colored)),
            ["image PNG interlaced"] = f => Image(f, HandMadeImages.Png(
                40, 30, 8, 2, (x, y) => [x * 6, y * 8, x * y % 256], HandMadeImages.PngLayout.Interlaced)),
            ["image JPEG"] = f => Image(f, HandMadeImages.JpegWithExif(
                HandMadeImages.Encode(SKEncodedImageFormat.Jpeg, 40, 30, Colored), HandMadeImages.Exif(6))),
            ["image GIF"] = f => Image(f, HandMadeImages.Gif(40, 30, (200, 0, 0), (0, 200, 0))),
            ["image WebP"] = f => Image(f, HandMadeImages.Encode(SKEncodedImageFormat.Webp, 40, 30, Colored)),
            ["image BMP"] = f => Image(f, HandMadeImages.Bmp(40, 30, (x, y) => ((byte)(x * 6), (byte)(y * 8), 7))),
            ["table CSV"] = f => Source(f, "a.csv", "image,caption\n1.png,one\n2.png,\"two, and\nmore\"\n"u8.ToArray(),
                path => Data.LoadImageCaptions(path)),
            ["table TSV"] = f => Source(f, "a.tsv", "image\tcaption\n1.png\tone\n2.png\ttwo\n"u8.ToArray(),
                path => Data.LoadImageCaptions(path)),
            ["table JSON Lines"] = f => Source(f, "a.jsonl",
                "{\"image\":\"1.png\",\"caption\":\"one\"}\n{\"image\":\"2.png\",\"caption\":[\"two\",\"three\"]}\n"u8.ToArray(),
                path => Data.LoadImageCaptions(path)),
            ["table COCO"] = f => Source(f, "a.json",
                "{\"images\":[{\"id\":1,\"file_name\":\"1.png\"}],\"annotations\":[{\"image_id\":1,\"caption\":\"one\"}]}"u8.ToArray(),
                path => Data.LoadCocoCaptions(path, badRows: BadRowPolicy.Skip)),
            ["archive ZIP"] = f => Source(f, "a.zip",
                File.ReadAllBytes(f.Zip("valid.zip", ("cat/1.png", "one"), ("dog/2.png", new string('2', 300)))),
                path => Data.LoadImageFolder(path), readsImages: true),
            ["archive TAR"] = f => Source(f, "a.tar",
                File.ReadAllBytes(f.Tar("valid.tar", ("cat/1.png", "one"), (new string('n', 120) + "/2.png", "two"))),
                path => Data.LoadImageFolder(path), readsImages: true),
            ["WebDataset shard"] = f => Source(f, "a.tar", Shard(f), Samples, readsImages: true),
            ["WebDataset index"] = ShardIndex,
            ["pixels IDX"] = Idx,
            ["pixels CIFAR"] = f => Source(f, "a.bin", new byte[3073 * 2], path => Data.LoadCifar(path), readsImages: true),
            ["Parquet"] = Parquet,
            ["weights safetensors"] = f => Weights(f, Tensors(), stream => Safetensors.Open(stream)),
            ["weights PyTorch"] = f => Weights(f, Pretrained("state_dict.pt"), stream => TorchCheckpoint.Open(stream)),
            ["weights PyTorch training"] = f => Weights(f, Pretrained("training.pt"), stream => TorchCheckpoint.Open(stream)),
            ["weights pickle"] = f => new(f["a.pkl"], Pickle(), path => TorchPickle.Read(File.ReadAllBytes(path))),
            ["weights index"] = WeightIndex,
            ["model file"] = ModelFormat,
            ["checkpoint"] = CheckpointFormat,
            ["search index"] = SearchIndex,
            ["vocabulary"] = f => new(f["merges.txt"], "#version: 0.2\na b\nab c</w>\ni n\n"u8.ToArray(),
                path => ClipTokenizer.FromFile(path)),
        };

    private static SKColor Colored(int x, int y) => new((byte)(x * 6), (byte)(y * 8), (byte)(x * y), 255);

    private static FuzzFormat Image(DataTestFolder folder, byte[] valid) => new(folder["a.image"], valid, path =>
    {
        var image = ImageDecoder.Decode(ImageReference.FromLocator(path), ImageDecoding.Upright);
        Assert.AreEqual(image.Width * image.Height * 3, image.Pixels.Length);
    });

    private static FuzzFormat Source(
        DataTestFolder folder, string file, byte[] valid, Func<string, IDataView> load, bool readsImages = false) =>
        new(folder[file], valid, path =>
        {
            var view = load(path);
            foreach (var image in view.Texts("Image").Where(_ => readsImages)) ImageLocator.ReadAllBytes(image);
            Assert.HasCount((int)view.GetRowCount()!, view.Texts("Text"));
        });

    private static FuzzFormat Idx(DataTestFolder folder)
    {
        var labels = folder.Write("labels", [0, 0, 8, 1, 0, 0, 0, 2, 1, 0]);
        return Source(folder, "images", [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6],
            path => Data.LoadIdx(path, labels), readsImages: true);
    }

    private static FuzzFormat Parquet(DataTestFolder folder)
    {
        ParquetShard.LongestOpening = TimeSpan.FromSeconds(3);   // Parquet.Net loops over some damaged footers
        return Source(folder, "a.parquet",
            File.ReadAllBytes(ParquetFile.Write(folder["valid.parquet"], 2, ([1, 2, 3], "one"), (null, "two"), ([4], "three"))),
            path => Data.LoadParquet(path, "image", "caption", badRows: BadRowPolicy.Skip), readsImages: true);
    }

    private static IDataView Samples(string path) => Data.LoadWebDataset(path, text: "json:caption", badRows: BadRowPolicy.Skip);

    private static byte[] Shard(DataTestFolder folder) => File.ReadAllBytes(folder.Tar("valid.tar",
        ("1.jpg", "one"), ("1.json", "{\"caption\":\"first\"}"),
        (new string('n', 120) + ".json", "{\"caption\":\"second\"}"), (new string('n', 120) + ".jpg", "two")));

    /// <summary>A damaged index is replaced, never believed.</summary>
    private static FuzzFormat ShardIndex(DataTestFolder folder)
    {
        Shard(folder);
        var shard = folder["valid.tar"];
        Samples(shard);
        return new(shard + WebDatasetIndex.Extension, File.ReadAllBytes(shard + WebDatasetIndex.Extension),
            _ => DataTestRows.Equal(["first", "second"], Samples(shard).Texts("Text")));
    }

    private static FuzzFormat Weights(DataTestFolder folder, byte[] valid, Func<Stream, WeightFile> open) =>
        new(folder["a.weights"], valid, path =>
        {
            using var stream = File.OpenRead(path);
            using var weights = open(stream);
            ReadAll(weights, stream.Length);
        });

    private static FuzzFormat WeightIndex(DataTestFolder folder)
    {
        var tensors = Tensors();
        return new(folder["a.index.json"], "{\"weight_map\":{\"a\":\"x\",\"b.c\":\"x\",\"e\":\"x\"}}"u8.ToArray(), path =>
        {
            using var weights = WeightFile.Join(File.ReadAllBytes(path), _ => Safetensors.Open(new MemoryStream(tensors)));
            ReadAll(weights, tensors.Length);
        });
    }

    /// <summary>Reads all tensors, which must not have more bytes than the file.</summary>
    private static void ReadAll(WeightFile weights, long most)
    {
        using var scope = NewDisposeScope();
        Assert.IsLessThanOrEqualTo(most, weights.Entries.Values.Sum(e => e.Shape.Aggregate(1L, (a, b) =>
            checked(a * b)) * WeightValues.BytesOf(e.Type)));
        foreach (var entry in weights.Entries.Values)
            if (entry.Type is ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float64) entry.Read(
                empty(entry.Shape));
    }

    private static byte[] Pretrained(string file) => File.ReadAllBytes(Golden.Path("pretrained", file));

    private static byte[] Tensors()
    {
        using var scope = NewDisposeScope();
        using var stream = new MemoryStream();
        Safetensors.Write(stream, [new("a", zeros(2, 3)), new("b.c", zeros([2], ScalarType.Float16)),
            new("e", zeros([0], ScalarType.BFloat16))]);
        return stream.ToArray();
    }

    private static byte[] Pickle()
    {
        using var zip = new ZipArchive(new MemoryStream(Pretrained("state_dict.pt")));
        using var bytes = new MemoryStream();
        using (var pickle = zip.Entries.Single(e => e.Name == "data.pkl").Open()) pickle.CopyTo(bytes);
        return bytes.ToArray();
    }

    private static FuzzFormat ModelFormat(DataTestFolder folder)
    {
        using var data = new DrawnData();
        using var model = data.Fit(DrawnData.Options with { Epochs = 1 });
        data.Context.Model.Save(model, data.View.Schema, folder["valid.zip"]);
        var context = data.Context;
        return new(folder["a.zip"], File.ReadAllBytes(folder["valid.zip"]), path =>
        {
            using var loaded = (PrefixClipTransformer)context.Model.Load(path, out _);
        })
        {
            IsRefusal = IsRefusedModel,
        };
    }

    /// <summary>Damage of the package's parts, which ML.NET wraps, or of ML.NET's own frame around them.</summary>
    private static bool IsRefusedModel(Exception e)
    {
        while (e is TargetInvocationException { InnerException: { } inner }) e = inner;
        return e is InvalidDataException or FormatException or InvalidOperationException or FileNotFoundException;
    }

    private static FuzzFormat SearchIndex(DataTestFolder folder)
    {
        var rows = new EmbeddingRows(2);
        rows.TryAdd([1, 0]);
        rows.TryAdd([0, 1]);
        SearchIndexFile.Write(folder["valid.index"], new byte[32], rows, ["a", "bc"]);
        return new(folder["a.index"], File.ReadAllBytes(folder["valid.index"]),
            path => SearchIndexFile.Read(path, 2, () => new byte[32]));
    }

    private static FuzzFormat CheckpointFormat(DataTestFolder folder)
    {
        using var data = new DrawnData();
        using var model = data.Fit(DrawnData.Options with { Epochs = 1, Checkpoints = new() { Folder = folder["run"] } });
        var valid = File.ReadAllBytes(Directory.GetFiles(folder["run"]).Single());
        return new(folder["a.safetensors"], valid, path => Checkpoint.Read(path, 4, CancellationToken.None).Dispose());
    }
}
