using System.Formats.Tar;
using SkiaSharp;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What holds for every source: a view that can be reopened, shuffled, split and cached, and a run on it that can be
/// resumed.</summary>
[TestClass]
public sealed class SourceContractTests : IDisposable
{
    private const int Count = 12;

    public static IEnumerable<object[]> Kinds =>
        from kind in (string[])["folder", "zip", "captions", "jsonl", "coco", "tars", "webdataset", "idx", "cifar", "parquet"]
        from isRemote in (bool[])[false, true]
        where !isRemote || kind is not ("folder" or "tars")   // remote folders cannot be listed
        select new object[] { kind, isRemote };

    private readonly DataTestFolder _folder = new();
    private readonly MLContext _mlContext = new(seed: 1);

    private RemoteFolder? _remote;

    public void Dispose()
    {
        _remote?.Dispose();
        _folder.Dispose();
    }

    [TestMethod]
    [DynamicData(nameof(Kinds))]
    public void Source_View_CanBeReadInEveryWay(string kind, bool isRemote)
    {
        var view = Load(kind, isRemote);
        var images = view.Texts("Image");

        Assert.IsTrue(view.CanShuffle);
        Assert.AreEqual(Count, view.GetRowCount());
        Assert.HasCount(Count, images.Distinct());
        Assert.IsTrue(view.Texts("Text").All(t => t.Length > 0));
        Assert.HasCount(1, view.Texts("DatasetType").Distinct());
        foreach (var image in images) ImageDecoder.Decode(ImageReference.FromLocator(image), ImageDecoding.Upright);
        Parallel.For(0, 4, _ => CollectionAssert.AreEqual(images, view.Texts("Image")));
        var shuffled = _mlContext.Data.ShuffleRows(view, seed: 3).Texts("Image");
        CollectionAssert.AreNotEqual(images, shuffled);
        CollectionAssert.AreEquivalent(images, shuffled);
        CollectionAssert.AreEqual(images.AsSpan(..3).ToArray(), _mlContext.Data.TakeRows(view, 3).Texts("Image"));
        CollectionAssert.AreEqual(images, _mlContext.Data.Cache(view).Texts("Image"));
        var split = _mlContext.Data.TrainTestSplit(view, 0.5);
        CollectionAssert.AreEquivalent(images, split.TrainSet.Texts("Image").Concat(split.TestSet.Texts("Image")).ToArray());
        var word = view.Texts("Text")[0];
        Assert.IsNotEmpty(_mlContext.Data.FilterByCustomPredicate<Row>(view, r => r.Text != word).Texts("Text"));
        Assert.AreEqual(images[0], view.Preview(1).RowView[0].Values[0].Value.ToString());
    }

    [TestMethod]
    [DynamicData(nameof(Kinds))]
    public void Fit_SourceInterruptedAndGoneOn_GivesBitEqualWeights(string kind, bool isRemote)
    {
        var options = DrawnData.Options with { BatchSize = 6, Epochs = 2, VocabularySize = 515 };
        var data = Load(kind, isRemote);   // once: files that are written again are other data
        using var whole = _mlContext.Transforms.PrefixClip(options).Fit(data);
        using var cancellation = new CancellationTokenSource();
        options = options with { Checkpoints = new() { Folder = _folder["run"], Steps = 1 } };
        Assert.ThrowsExactly<OperationCanceledException>(() => _mlContext.Transforms.PrefixClip(options with
        {
            Progress = new Reports(r => { if (r.Step == 3) cancellation.Cancel(); }),
            CancellationToken = cancellation.Token,
        }).Fit(data));
        var reports = new Reports();
        using var resumed = _mlContext.Transforms.PrefixClip(options with { Progress = reports }).Fit(data);
        Assert.AreEqual(4, reports.All[0].Step);
        DrawnData.AreBitEqual(DrawnData.Weights(whole), DrawnData.Weights(resumed));
    }

    /// <summary>A path for a source; of a remote file, its address. The cache holds one of the largest files only.</summary>
    private string Place(string name, bool isRemote)
    {
        if (!isRemote) return _folder[name];
        var largest = Directory.GetFiles(_folder[""], "*", SearchOption.AllDirectories).Max(f => new FileInfo(f).Length);
        _remote ??= new RemoteFolder(_folder[""], _folder["cache"], largest * 3 / 2);
        return _remote.Address + name;
    }

    private IDataView Load(string kind, bool isRemote)
    {
        string At(string name) => Place(name, isRemote);
        ImageArchiveCache.Clear();   // the files are written anew
        var numbers = Enumerable.Range(0, Count).ToArray();
        foreach (var i in numbers) _folder.Write($"classes/class {i % 3}/{i}.png", Png(i));
        var classes = _folder["classes"];
        string File(int i) => $"class {i % 3}/{i}.png";
        string Caption(int i) => $"picture {(char)('a' + i)}";
        switch (kind)
        {
            case "folder":
                return _mlContext.Data.LoadImageFolder(classes);
            case "zip":
                System.IO.File.Delete(_folder["x.zip"]);
                System.IO.Compression.ZipFile.CreateFromDirectory(classes, _folder["x.zip"]);
                return _mlContext.Data.LoadImageFolder(At("x.zip"));
            case "captions":
                _folder.Write("x.tsv", "image\tcaption\n" + string.Concat(numbers.Select(i => $"{File(i)}\t{Caption(i)}\n")));
                return _mlContext.Data.LoadImageCaptions(At("x.tsv"), At("classes"));
            case "jsonl":
                _folder.Write("x.jsonl", string.Concat(numbers.Select(i => $"{{\"image\":\"{File(i)}\",\"caption\":\"{Caption(i)}\"}}\n")));
                return _mlContext.Data.LoadImageCaptions(At("x.jsonl"), At("classes"));
            case "coco":
                var pictures = numbers.Select(i => $"{{\"id\":{i},\"file_name\":\"{File(i)}\"}}");
                var captions = numbers.Select(i => $"{{\"id\":{i},\"image_id\":{i},\"caption\":\"{Caption(i)}\"}}");
                _folder.Write("x.json", $"{{\"images\":[{string.Join(',', pictures)}],\"annotations\":[{string.Join(',', captions)}]}}");
                return _mlContext.Data.LoadCocoCaptions(At("x.json"), At("classes"));
            case "tars":
                Directory.CreateDirectory(_folder["tars"]);
                foreach (var folder in Directory.GetDirectories(classes))
                {
                    var tar = _folder[$"tars/{Path.GetFileName(folder)}.tar"];
                    System.IO.File.Delete(tar);
                    TarFile.CreateFromDirectory(folder, tar, includeBaseDirectory: false);
                }
                return _mlContext.Data.LoadImageFolder(_folder["tars"]);
            case "webdataset":
                foreach (var shard in numbers.GroupBy(i => i / 5))
                {
                    using var writer = new TarWriter(System.IO.File.Create(_folder[$"{shard.Key}.tar"]), TarEntryFormat.Ustar);
                    foreach (var i in shard)
                    {
                        Write(writer, $"{i}.png", Png(i));
                        Write(writer, $"{i}.txt", System.Text.Encoding.UTF8.GetBytes(Caption(i)));
                    }
                }
                return _mlContext.Data.LoadWebDataset(At("{0..2}.tar"));
            case "idx":
                var pixels = numbers.SelectMany(i => Enumerable.Repeat((byte)(20 * i), 64)).ToArray();
                _folder.Write("images", PixelFileSourceTests.Idx([Count, 8, 8], pixels));
                _folder.Write("labels", PixelFileSourceTests.Idx([Count], [.. numbers.Select(i => (byte)(i % 3))]));
                return _mlContext.Data.LoadIdx(At("images"), At("labels"), ["zero", "one", "two"]);
            case "parquet":
                ParquetFile.Write(_folder["x.parquet"], 5, [.. numbers.Select(i => (Png(i), Caption(i)))]);
                return _mlContext.Data.LoadParquet(At("x.parquet"), "image", "caption");
            default:
                _folder.Write("x.bin", [.. numbers.SelectMany(i =>
                    Enumerable.Repeat((byte)(20 * i), 3072).Prepend((byte)(i % 3)))]);
                return _mlContext.Data.LoadCifar(At("x.bin"), ["zero", "one", "two"]);
        }
    }

    private static void Write(TarWriter writer, string name, byte[] bytes) =>
        writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes) });

    private static byte[] Png(int i)
    {
        using var bitmap = new SKBitmap(8, 8, SKColorType.Rgba8888, SKAlphaType.Opaque);
        bitmap.Erase(new SKColor((byte)(20 * i), (byte)(255 - (20 * i)), 90));
        using var png = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return png.ToArray();
    }

    private sealed class Row
    {
        public string Text { get; set; } = "";
    }
}
