using System.IO.Compression;
using static Microsoft.ML.PrefixConditioning.Tests.HandMadeImages;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What the worst images take, measured in a process of its own.</summary>
[TestClass]
public sealed class MemoryTests : IDisposable
{
    private const long MostMegabytes = 500;

    private readonly DataTestFolder _folder = new();

    public TestContext TestContext { get; set; } = null!;

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void Decode_LargestImageOnManyThreads_StaysWithin500Megabytes()
    {
        var row = new byte[1001];
        using (var packed = new MemoryStream())
        {
            using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
                for (var y = 0; y < 8000; y++) zlib.Write(row);
            _folder.Write("a.png", Png(8000, 8000, 1, 0, PngLayout.RowByRow, ("IDAT", packed.ToArray())));
        }
        var (peak, fault) = DecodingProcess.Run(_folder["a.png"]);
        TestContext.Say($"peak of {peak} MB on 4 threads");
        Assert.AreEqual("", fault);
        Assert.IsLessThanOrEqualTo(MostMegabytes, peak);
    }

    [TestMethod]
    public void Decode_EntryThatUnpacksToMuch_StaysWithin500Megabytes()
    {
        Zeros("a.zip", 200);
        var (peak, fault) = DecodingProcess.Run(_folder["a.zip!/a.png"]);
        TestContext.Say($"peak of {peak} MB on 4 threads");
        Assert.Contains("nothing but zero bytes", fault);
        Assert.IsLessThanOrEqualTo(MostMegabytes, peak);
    }

    [TestMethod]
    public void Decode_LittleMemory_IsUnreadable()
    {
        Zeros("a.zip", 200);
        var (_, fault) = DecodingProcess.Run(_folder["a.zip!/a.png"], ("DOTNET_GCHeapHardLimit", "0x6000000"));
        Assert.Contains("takes more memory than there is", fault);
    }

    private void Zeros(string name, int megabytes)
    {
        using var zip = new ZipArchive(File.Create(_folder[name]), ZipArchiveMode.Create);
        using var entry = zip.CreateEntry("a.png", CompressionLevel.Fastest).Open();
        var zeros = new byte[1 << 20];
        for (var i = 0; i < megabytes; i++) entry.Write(zeros);
    }
}
