namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>10,000 changed files of each source's format: read or refused with the documented exception, in bounded memory.</summary>
[TestClass]
public sealed class SourceFuzzTests : IDisposable
{
    private const int Files = 10_000;

    private readonly DataTestFolder _folder = new();
    private readonly MLContext _mlContext = new(seed: 1);

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void LoadWebDataset_MutatedShards_AreReadOrRefused()
    {
        var valid = File.ReadAllBytes(_folder.Tar("valid.tar", ("1.jpg", "one"), ("1.json", "{\"caption\":\"first\"}"),
            (new string('n', 120) + ".json", "{\"caption\":\"second\"}"), (new string('n', 120) + ".jpg", "two")));
        Fuzz(valid, path => _mlContext.Data.LoadWebDataset(path, text: "json:caption", badRows: BadRowPolicy.Skip), fewestRead: 100);
    }

    [TestMethod]
    public void LoadIdx_MutatedFiles_AreReadOrRefused()
    {
        var labels = _folder.Write("labels", PixelFileSourceTests.Idx([2], 1, 0));
        Fuzz(PixelFileSourceTests.Idx([2, 1, 3], 1, 2, 3, 4, 5, 6), path => _mlContext.Data.LoadIdx(path, labels), fewestRead: 100);
    }

    [TestMethod]
    public void LoadCifar_MutatedFiles_AreReadOrRefused() =>
        Fuzz(new byte[3073 * 2], path => _mlContext.Data.LoadCifar(path), fewestRead: 100);

    [TestMethod]
    public void LoadCocoCaptions_MutatedFiles_AreReadOrRefused() =>
        Fuzz("{\"images\":[{\"id\":1,\"file_name\":\"mutated.bin\"}],\"annotations\":[{\"image_id\":1,\"caption\":\"one\"}]}"u8.ToArray(),
            path => _mlContext.Data.LoadCocoCaptions(path, badRows: BadRowPolicy.Skip), fewestRead: 0, readImages: false);

    [TestMethod]
    public void LoadImageCaptions_MutatedJsonLines_AreReadOrRefused() =>
        Fuzz("{\"image\":\"1.png\",\"caption\":\"one\"}\n{\"image\":\"2.png\",\"caption\":[\"two\",\"three\"]}\n"u8.ToArray(),
            path => _mlContext.Data.LoadImageCaptions(path), fewestRead: 0, readImages: false, extension: ".jsonl");

    // Fewer files: later ones have footers over which Parquet.Net loops, which take the time limit of a minute each.
    [TestMethod]
    public void LoadParquet_MutatedFiles_AreReadOrRefused() =>
        Fuzz(File.ReadAllBytes(ParquetFile.Write(_folder["valid.parquet"], 2, ([1, 2, 3], "one"), (null, "two"), ([4], "three"))),
            path => _mlContext.Data.LoadParquet(path, "image", "caption", badRows: BadRowPolicy.Skip), fewestRead: 10,
            extension: ".parquet", files: 2000);

    private void Fuzz(byte[] valid, Func<string, IDataView> load, int fewestRead, bool readImages = true, string extension = ".bin",
        int files = Files)
    {
        var (read, path) = (0, _folder[$"mutated{extension}"]);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var seed = 0UL; seed < (ulong)files; seed++)
        {
            var random = SeededRandom.Derive(seed, 79);
            var file = valid.ToList();
            for (var change = random.NextInt32(3); change >= 0; change--)
            {
                var at = random.NextInt32(file.Count);
                switch (random.NextInt32(5))
                {
                    case 0: file.RemoveRange(at, Math.Min(file.Count - at - 1, random.NextInt32(600))); break;
                    case 1: file.InsertRange(at, file.GetRange(at, Math.Min(file.Count - at, random.NextInt32(600)))); break;
                    default: file[at] = (byte)random.NextInt32(256); break;
                }
            }
            File.WriteAllBytes(path, [.. file]);
            try
            {
                var view = load(path);
                foreach (var image in view.Texts("Image").Where(_ => readImages)) ImageLocator.ReadAllBytes(image);
                Assert.HasCount((int)view.GetRowCount()!, view.Texts("Text"));
                read++;
            }
            catch (InvalidDataException)
            {
                // refused
            }
            catch (Exception e) when (e is not UnitTestAssertException)
            {
                Assert.Fail($"seed {seed}: {e}");
            }
        }
        Assert.IsGreaterThan(fewestRead, read);
        Assert.IsLessThan(files * (1L << 20), GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
