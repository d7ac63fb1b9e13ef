using System.Reflection;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Reading ends with the row, file or piece in which it is canceled: nothing after it is read.</summary>
[TestClass]
public sealed class CanceledReadingTests : IDisposable
{
    private const int Units = 10, Last = 3;

    private readonly DataTestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>As AutoML cancels an experiment; internal there.</summary>
    private static void Cancel(MLContext context) =>
        typeof(MLContext).GetMethod("CancelExecution", BindingFlags.Instance | BindingFlags.NonPublic)!.Invoke(context, null);

    /// <summary>Starts to load a source of ten units, each of which writes a line to the log; the line of the third one
    /// cancels.</summary>
    private Action<LongPhase> LoadOf(string source)
    {
        var columns = new SourceColumns("Image", "Text", "DatasetType", "Label");
        var captions = new ImageCaptionSource(null, false, new(null, null, null, null), null, "caption", columns);
        var numbers = Enumerable.Range(0, Units).ToArray();
        string Lines(string line) => string.Concat(numbers.Select(i => string.Format(null, line, i) + "\n"));
        switch (source)
        {
            case "table":
                var table = _folder.Write("a.tsv", "image\tcaption\n" + Lines("{0}.png\tcaption"));
                return phase => captions.Load(phase, table);
            case "JSON Lines":
                var json = _folder.Write("a.jsonl", Lines("{{\"image\":\"{0}.png\",\"caption\":\"one\"}}"));
                return phase => captions.Load(phase, json);
            case "COCO":
                var images = string.Join(',', numbers.Select(i => $"{{\"id\":{i},\"file_name\":\"{i}.png\"}}"));
                var coco = _folder.Write("a.json", $"{{\"images\":[{images}],\"annotations\":[{{\"image_id\":1,\"caption\":\"one\"}}]}}");
                return phase => CocoCaptionSource.Load(phase, coco, null, false, BadRowPolicy.Fail, "caption", columns);
            case "folders":
                foreach (var i in numbers) _folder.Write($"images/class {i}/1.png");
                return phase => new ImageFolderSource(null, "classification", columns).Load(phase, _folder["images"]);
            default:
                var shard = _folder.Tar("a.tar", [.. numbers.SelectMany(i => new[] { ($"{i}.png", "image"), ($"{i}.txt", "caption") })]);
                return phase => WebDatasetSource.Load(phase, shard, new(["png"], WebDatasetValue.Parse("txt", "text"), null), null,
                    BadRowPolicy.Fail, null, "caption", columns);
        }
    }

    [TestMethod]
    [DataRow("table")]
    [DataRow("JSON Lines")]
    [DataRow("COCO")]
    [DataRow("folders")]
    [DataRow("shard")]
    public void Load_EnvironmentIsCanceled_NothingAfterItIsRead(string source)
    {
        var (context, lines) = (new MLContext(), new List<string>());
        context.Log += (_, e) =>
        {
            if (!e.RawMessage.EndsWith(" so far.", StringComparison.Ordinal)) return;
            lines.Add(e.RawMessage);
            if (lines.Count == Last) Cancel(context);
        };
        using var phase = DatasetFormatCatalog.Start(context.Data, source, "units", TimeSpan.Zero);
        var load = LoadOf(source);
        Assert.ThrowsExactly<OperationCanceledException>(() => load(phase));
        DataTestRows.Equal(["1 units so far.", "2 units so far.", "3 units so far."], lines);
    }

    [TestMethod]
    public void Load_PublicMethods_AreCanceledWithTheContext()
    {
        var context = new MLContext();
        var table = _folder.Write("a.tsv", "image\tcaption\n1.png\tone\n");
        Cancel(context);
        Assert.ThrowsExactly<OperationCanceledException>(() => context.Data.LoadImageCaptions(table));
    }

    [TestMethod]
    public void Read_CanceledAtARow_ReadsNoRowAfterIt()
    {
        using var stop = new CancellationTokenSource();
        var read = 0;
        IEnumerable<DrawnData.Row> Rows()
        {
            for (; read < 100; read++)
            {
                if (read == Last) stop.Cancel();
                yield return new() { Image = "1.png", Text = "one", DatasetType = "caption" };
            }
        }
        var view = new MLContext().Data.LoadFromEnumerable(Rows());
        Assert.ThrowsExactly<OperationCanceledException>(
            () => TaggedRows.Read(view, new PrefixClipOptions { CancellationToken = stop.Token }));
        Assert.AreEqual(Last, read);
    }

    [TestMethod]
    [DataRow("file")]
    [DataRow("archive")]
    [DataRow("slice")]
    public void Decode_Canceled_IsNoUnreadableImage(string form)
    {
        var file = form == "file" ? _folder.Write("a.png") : _folder.Tar("a.tar", ("a.png", "not a picture"));
        var locator = form switch { "file" => file, "archive" => $"{file}!/a.png", _ => $"{file}!/a.png@0+512" };
        using var memory = new MemoryShare(new CancellationToken(canceled: true));
        Assert.ThrowsExactly<OperationCanceledException>(
            () => ImageDecoder.Decode(ImageReference.FromLocator(locator), ImageDecoding.Upright, memory: memory));
    }

    [TestMethod]
    public void ReadPieces_SeveralPieces_ReadsAll()
    {
        var bytes = new byte[(9 << 20) + 1];
        for (var i = 0; i < bytes.Length; i++) bytes[i] = (byte)(i * 31 >> 8);
        using var file = File.OpenHandle(_folder.Write("a", bytes));
        var read = new byte[bytes.Length];
        Assert.AreEqual(read.Length, SmallFile.ReadPieces(file, 0, read, CancellationToken.None));
        Assert.IsTrue(bytes.AsSpan().SequenceEqual(read));
        Assert.AreEqual(10, SmallFile.ReadPieces(file, bytes.Length - 10, read, CancellationToken.None));
    }

    [TestMethod]
    public void Shuffle_Canceled_LeavesTheItems()
    {
        var items = Enumerable.Range(0, (1 << 20) + 1).ToArray();
        DataTestRows.Fails<OperationCanceledException>(() =>
        {
            var random = new SeededRandom(1);
            random.Shuffle(items.AsSpan(), new CancellationToken(canceled: true));
        });
        Assert.AreEqual(1 << 20, items[^1]);
    }
}
