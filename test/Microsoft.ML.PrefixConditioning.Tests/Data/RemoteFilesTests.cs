using System.Net;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class RemoteFilesTests : IDisposable
{
    private readonly DataTestFolder _folder = new();
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly RemoteFolder _remote;

    public RemoteFilesTests()
    {
        _folder.Write("bucket/a.bin", Bytes(1, 1000));
        _folder.Write("bucket/b.bin", Bytes(2, 1000));
        _folder.Write("bucket/c.bin", Bytes(3, 1000));
        _remote = new RemoteFolder(_folder["bucket"], _folder["cache"]);
    }

    public void Dispose()
    {
        _remote.Dispose();
        _folder.Dispose();
    }

    [TestMethod]
    public void Read_TwiceAndByAnotherProcess_DownloadsOnce()
    {
        DataTestRows.Equal<byte>(Bytes(1, 1000), Read("a.bin"));
        var requests = _remote.Requests.Count;
        DataTestRows.Equal<byte>(Bytes(1, 1000), Read("a.bin"));
        DataTestRows.Equal<byte>(Bytes(1, 1000), _remote.Cache().Read(_remote.Address + "a.bin", File.ReadAllBytes, null, default));
        Assert.HasCount(requests, _remote.Requests);
    }

    [TestMethod]
    public void Read_ByManyAtOnce_DownloadsEachFileOnce()
    {
        var other = _remote.Cache();
        Parallel.For(0, 24, i => DataTestRows.Equal<byte>(Bytes(1 + (i % 3), 1000), i % 2 == 0 ? Read($"{"abc"[i % 3]}.bin")
            : other.Read($"{_remote.Address}{"abc"[i % 3]}.bin", File.ReadAllBytes, null, default)));
        Assert.HasCount(3, _remote.Requests.Where(r => r.Offset == 0));
    }

    [TestMethod]
    public void Read_StreamsThatFailOrEndEarly_GoOnWhereTheyEnded()
    {
        _remote.Instead = (number, _, offset) => number switch
        {
            1 => new FaultyStream(Bytes(1, 1000)[..100], new IOException("cut")),
            2 => throw new HttpRequestException("busy", null, HttpStatusCode.ServiceUnavailable),
            3 => new MemoryStream(Bytes(1, 1000)[(int)offset..700]),   // without a word
            _ => null,
        };
        DataTestRows.Equal<byte>(Bytes(1, 1000), Read("a.bin"));
        DataTestRows.Equal([0L, 100, 100, 700, 1000], _remote.Requests.Select(r => r.Offset));
    }

    [TestMethod]
    public void Read_AfterAKilledProcess_GoesOnWithWhatHasArrived()
    {
        _remote.Instead = (number, _, _) =>
            number == 1 ? new FaultyStream(Bytes(1, 1000)[..300], new IOException("cut")) : throw new IOException("down");
        Assert.ThrowsExactly<TimeoutException>(() => Read("a.bin"));
        _remote.Instead = (_, _, _) => null;
        _remote.Requests.Clear();
        DataTestRows.Equal<byte>(Bytes(1, 1000), _remote.Cache().Read(_remote.Address + "a.bin", File.ReadAllBytes, null, default));
        Assert.AreEqual(300, _remote.Requests.First().Offset);
    }

    [TestMethod]
    public void Read_StatusCodes_MeanWhatHttpSays()
    {
        _remote.Instead = (_, name, _) => throw new HttpRequestException("no", null,
            name == "a.bin" ? HttpStatusCode.NotFound : HttpStatusCode.Forbidden);
        StringAssert.Contains(DataTestRows.Fails<FileNotFoundException>(() => Read("a.bin")).Message, "a.bin");
        Assert.HasCount(1, _remote.Requests);
        Assert.IsEmpty(Directory.GetFiles(_remote.CacheFolder, "*.incomplete"));
        StringAssert.Contains(DataTestRows.Fails<InvalidOperationException>(() => Read("b.bin")).Message, "b.bin");
        Assert.HasCount(2, _remote.Requests);
        _remote.Instead = (_, _, offset) => offset < 1000 ? null
            : throw new HttpRequestException("end", null, HttpStatusCode.RequestedRangeNotSatisfiable);
        DataTestRows.Equal<byte>(Bytes(3, 1000), Read("c.bin"));
    }

    [TestMethod]
    public void Read_DelegateThatGivesMoreThanAsked_IsExplained()
    {
        _remote.Instead = (_, _, _) => new EndlessStream();
        var fault = DataTestRows.Fails<InvalidOperationException>(() => Read("a.bin"));
        StringAssert.Contains(fault.Message, "gives more");
    }

    [TestMethod]
    public void Read_FullCache_DeletesTheFileNotUsedForLongest()
    {
        _remote.Dispose();
        using var mount = _remote.Mount(2500);
        long most = 0;
        _remote.Instead = (_, _, _) =>
        {
            most = Math.Max(most, Directory.GetFiles(_remote.CacheFolder).Sum(f => new FileInfo(f).Length));
            return null;
        };
        Read("a.bin");
        Read("b.bin");
        foreach (var file in Directory.GetFiles(_remote.CacheFolder, "*-a.bin"))
            File.SetLastAccessTimeUtc(file, DateTime.UtcNow.AddDays(1));
        Read("c.bin");
        DataTestRows.Equal(["a.bin", "c.bin"], _remote.Cached);
        DataTestRows.Equal<byte>(Bytes(2, 1000), Read("b.bin"));
        DataTestRows.Equal(["a.bin", "b.bin"], _remote.Cached);
        Assert.IsLessThanOrEqualTo(2500L, most);
    }

    [TestMethod]
    public void State_ByManyAtOnce_IsTheSameForAll()
    {
        for (var round = 0; round < 20; round++)
        {
            foreach (var file in Directory.GetFiles(_remote.CacheFolder)) File.Delete(file);
            var states = new string?[24];
            Parallel.For(0, states.Length, i => states[i] = RemoteFiles.State(_remote.Address + "a.bin"));
            StringAssert.StartsWith(states[0], "1000 ");
            Assert.HasCount(1, states.Distinct());
        }
        Assert.IsEmpty(Directory.GetFiles(_remote.CacheFolder, "*.tmp-*"));
    }

    [TestMethod]
    public void Read_FullCache_LeavesStatesThatAreBeingWritten()
    {
        _remote.Dispose();
        using var mount = _remote.Mount(1500);
        Read("a.bin");
        var half = Path.Join(_remote.CacheFolder, "f-a.bin.state.tmp-1-1");
        File.WriteAllBytes(half, Bytes(1, 1000));
        File.SetLastAccessTimeUtc(half, DateTime.UtcNow.AddDays(-1));
        Read("b.bin");
        Assert.IsTrue(File.Exists(half));
        Assert.IsEmpty(Directory.GetFiles(_remote.CacheFolder, "*-a.bin"));
    }

    [TestMethod]
    public void Read_FileLargerThanTheCache_SaysWhatToRaise()
    {
        _remote.Dispose();
        using var mount = _remote.Mount(999);
        StringAssert.Contains(DataTestRows.Fails<InvalidOperationException>(() => Read("a.bin")).Message, "maxCacheBytes");
    }

    [TestMethod]
    public void Read_FileThatChangedSinceItsStateWasAsked_IsRefused()
    {
        var state = RemoteFiles.State(_remote.Address + "a.bin");
        StringAssert.StartsWith(state, "1000 ");
        foreach (var file in Directory.GetFiles(_remote.CacheFolder, "*-a.bin")) File.Delete(file);
        Assert.AreEqual(state, RemoteFiles.State(_remote.Address + "a.bin"));   // without a download
        Assert.IsEmpty(_remote.Cached);
        _folder.Write("bucket/a.bin", Bytes(4, 1000));
        StringAssert.Contains(DataTestRows.Fails<InvalidOperationException>(() => Read("a.bin")).Message, "has changed");
        _folder.Write("bucket/a.bin", Bytes(1, 1000));
        DataTestRows.Equal<byte>(Bytes(1, 1000), Read("a.bin"));
    }

    [TestMethod]
    public void Read_DelegateThatHangs_IsCanceled()
    {
        using var cancellation = new CancellationTokenSource();
        using var release = new ManualResetEventSlim();
        _remote.Instead = (_, _, _) =>
        {
            cancellation.Cancel();
            release.Wait();
            return null;
        };
        Assert.ThrowsExactly<OperationCanceledException>(
            () => RemoteFiles.Read(_remote.Address + "a.bin", File.ReadAllBytes, cancellation: cancellation.Token));
        release.Set();
    }

    [TestMethod]
    public void Fit_Outage_EndsTheRunAlsoWhereBadRowsAreSkipped()
    {
        using var drawn = new DrawnData(labeled: 0, captioned: 12);
        using var remote = new RemoteFolder(drawn[""], _folder["cache"]);
        foreach (var row in drawn.Rows) row.Image = remote.Address + Path.GetFileName(row.Image);
        var options = DrawnData.Options with { BatchSize = 6, Epochs = 1, BadRows = BadRowPolicy.Skip };
        remote.Instead = (_, name, _) => name == "captioned3.png" ? throw new FileNotFoundException("gone") : null;
        using (var model = drawn.Fit(options)) Assert.AreEqual(1, model.History.SkippedRows);
        foreach (var file in Directory.GetFiles(remote.CacheFolder, "*-captioned5.png")) File.Delete(file);
        remote.Instead = (_, name, _) => name == "captioned5.png" ? throw new IOException("down") : null;
        StringAssert.Contains(DataTestRows.Fails<TimeoutException>(() => drawn.Fit(options)).Message, "captioned5.png");
    }

    [TestMethod]
    public void LoadImageCaptions_RowsOutsideOfTheirRoot_AreRefused()
    {
        var image = $"{_remote.Address}a.bin";
        var table = _folder.Write("x.tsv", $"image\tcaption\n{image}\tone\n");
        StringAssert.Contains(
            DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageCaptions(table)).Message, "outside of the image root");
        DataTestRows.Equal([image], _mlContext.Data.LoadImageCaptions(table, _remote.Address).Texts("Image"));
        DataTestRows.Equal([image], _mlContext.Data.LoadImageCaptions(table, allowOutsideRoot: true).Texts("Image"));
        DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageCaptions(table, _remote.Address + "inner"));
        foreach (var way in new[] { "../a.bin", "inner/%2e%2e/a.bin", "inner\\..\\a.bin" })
            DataTestRows.Fails<InvalidDataException>(() => Read(way));
        Assert.IsEmpty(_remote.Requests);
    }

    [TestMethod]
    public void LoadWebDataset_WhatCannotBeMounted_IsRefusedWithAdvice()
    {
        foreach (var (shards, advice) in new[]
        {
            (_remote.Address + "*.tar", "range"), (_remote.Address + "x.tar.gz", "compressed"), ("https://elsewhere/x.tar", "mount"),
            ($"pipe:cat {_remote.Address}x.tar", "shell"),
        })
            StringAssert.Contains(DataTestRows.Fails<ArgumentException>(() => _mlContext.Data.LoadWebDataset(shards)).Message, advice);
        StringAssert.Contains(
            DataTestRows.Fails<FileNotFoundException>(() => _mlContext.Data.LoadWebDataset(_remote.Address + "x.tar")).Message, "x.tar");
        StringAssert.Contains(DataTestRows.Fails<InvalidDataException>(
            () => _mlContext.Data.LoadImageFolder(_remote.Address + "folder")).Message, "cannot be listed");
    }

    [TestMethod]
    public void Mount_BadOrOverlappingAddresses_AreRefused()
    {
        foreach (var address in new[]
        {
            "https://host", "https://host/x", "file:///x/", "/x/", "https:///", "https://host/../", "https://host/a!/", _remote.Address,
            _remote.Address + "inner/", "test://",
        })
            DataTestRows.Fails<ArgumentException>(() => RemoteFiles.Mount(address, _remote.Cache()));
        _remote.Dispose();
        Assert.IsNotNull(ImageLocator.RemoteReason(_remote.Address + "a.bin"));
    }

    private byte[] Read(string name) => RemoteFiles.Read(_remote.Address + name, File.ReadAllBytes);

    private static byte[] Bytes(int seed, int count)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Fails at its end.</summary>
    private sealed class FaultyStream(byte[] bytes, Exception fault) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            Position < Length ? base.ReadAsync(buffer, cancellationToken) : throw fault;
    }

    private sealed class EndlessStream : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(buffer.Length);
    }
}
