using System.Security.Cryptography;
using System.Text;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Downloads from a server on the loopback interface, which misbehaves.</summary>
[TestClass]
public sealed class HubDownloadTests : IDisposable
{
    private const string Weights = "open_clip_model.safetensors";

    private readonly HubServer _server = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("prefix-hub-").FullName;
    private readonly MLContext _context = new(1);
    private readonly List<string> _warnings = [];

    public HubDownloadTests()
    {
        _server.Files["config.json"] = "{}"u8.ToArray();
        _server.Files[Weights] = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i * 7))];
        _server.Files["README.md"] = "not needed"u8.ToArray();
        _context.Log += (_, e) => { if (e.Kind == ChannelMessageKind.Warning) _warnings.Add(e.RawMessage); };
    }

    public void Dispose()
    {
        _server.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private HubSettings Settings => new(_server.Address, Path.Combine(_folder, "hub"), Token: null, IsOffline: false)
    {
        FirstPause = TimeSpan.FromMilliseconds(1),
    };

    private string Resolve(string path = "some/model", HubSettings? settings = null, CancellationToken cancellation = default) =>
        HubDownload.Resolve(_context, path, cancellation, settings ?? Settings);

    private void AssertWhole(string folder)
    {
        CollectionAssert.AreEqual(_server.Files[Weights], File.ReadAllBytes(Path.Combine(folder, Weights)));
        CollectionAssert.AreEqual(_server.Files["config.json"], File.ReadAllBytes(Path.Combine(folder, "config.json")));
        Assert.IsEmpty(Directory.GetFiles(Settings.Cache, "*.incomplete", SearchOption.AllDirectories));
    }

    private static bool IsWeights(HubServer.Request request, string method) =>
        request.Method == method && request.Path.EndsWith(Weights, StringComparison.Ordinal);

    [TestMethod]
    [DataRow("some/model")]
    [DataRow("hf://some/model")]
    [DataRow("hf://some/model@main")]
    public void Resolve_Model_IsDownloadedOnceIntoTheSharedLayout(string path)
    {
        var folder = Resolve(path);
        AssertWhole(folder);
        Assert.AreEqual(Path.Combine(Settings.Cache, "models--some--model", "snapshots", HubServer.Commit), folder);
        Assert.AreEqual(HubServer.Commit, File.ReadAllText(Path.Combine(Settings.Cache, "models--some--model", "refs", "main")));
        Assert.AreEqual($"../../blobs/{HubServer.Sha256(_server.Files[Weights])}",
            new FileInfo(Path.Combine(folder, Weights)).LinkTarget?.Replace('\\', '/'));
        Assert.IsFalse(File.Exists(Path.Combine(folder, "README.md")));
        _server.Requests.Clear();
        Assert.AreEqual(folder, Resolve(path));
        Assert.AreEqual("/api/models/some/model/revision/main", _server.Requests.Single().Path);
    }

    [TestMethod]
    public void Resolve_CutConnections_GoOnWhereTheyEnded()
    {
        _server.Instead = request => IsWeights(request, "GET") ? _server.Answer(request) with { CutAfter = 50_000 } : null;
        AssertWhole(Resolve());
        var starts = _server.Requests.Where(r => IsWeights(r, "GET")).Select(r => r.From).ToArray();
        CollectionAssert.AreEqual(starts.Order().ToArray(), starts);
        Assert.IsGreaterThanOrEqualTo(6, starts.Distinct().Count());   // more often than a request is repeated without progress
    }

    [TestMethod]
    public void Resolve_CutBeforeAnyByte_GivesUpAndKeepsWhatCame()
    {
        var first = true;
        _server.Instead = request => !IsWeights(request, "GET") ? null
            : _server.Answer(request) with { CutAfter = first && !(first = false) ? 100_000 : 0 };
        var message = Assert.ThrowsExactly<IOException>(() => Resolve()).Message;
        StringAssert.Contains(message, "What has arrived is kept: load the model again to go on.");
        _server.Instead = _ => null;
        _server.Requests.Clear();
        AssertWhole(Resolve());
        Assert.AreEqual(100_000, _server.Requests.Single(r => IsWeights(r, "GET")).From);
    }

    [TestMethod]
    public void Resolve_ServerWithoutRanges_StartsAgain()
    {
        var requests = 0;
        _server.Instead = request => !IsWeights(request, "GET") ? null
            : _server.Answer(request with { From = 0 }) with { CutAfter = ++requests == 1 ? 100_000 : int.MaxValue };
        AssertWhole(Resolve());
    }

    [TestMethod]
    public void Resolve_WrongContent_IsRefusedAndLeavesNothing()
    {
        _server.Instead = request => !IsWeights(request, "GET") ? null : new(200, new byte[300_000]);
        StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => Resolve()).Message, "promises, twice.");
        Assert.IsEmpty(Directory.GetFiles(Settings.Cache, HubServer.Sha256(_server.Files[Weights]) + "*", SearchOption.AllDirectories)
            .Where(f => !f.EndsWith(".lock", StringComparison.Ordinal)).ToArray());
        _server.Instead = _ => null;
        AssertWhole(Resolve());
    }

    [TestMethod]
    [DataRow(200_000, DisplayName = "too short a promise")]
    [DataRow(400_000, DisplayName = "too long a promise")]
    public void Resolve_WrongLength_IsNoticed(int length)
    {
        var requests = 0;
        _server.Instead = request => IsWeights(request, "GET") && ++requests == 1
            ? _server.Answer(request) with { Length = length, CutAfter = Math.Min(length, 300_000) } : null;
        AssertWhole(Resolve());
    }

    [TestMethod]
    public void Resolve_GitHash_IsCheckedToo()
    {
        var content = _server.Files["config.json"];
        using var git = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        git.AppendData([.. Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content]);
        var sha = Convert.ToHexStringLower(git.GetHashAndReset());
        HubServer.Response? Tagged(HubServer.Request request, byte[] body) =>
            request.Path.EndsWith("config.json", StringComparison.Ordinal) ? HubServer.Content(request, body, $"W/\"{sha}\"") : null;
        _server.Instead = request => Tagged(request, "[]"u8.ToArray());
        Assert.ThrowsExactly<InvalidDataException>(() => Resolve());
        _server.Instead = request => Tagged(request, content);
        AssertWhole(Resolve());
    }

    [TestMethod]
    public void Resolve_Redirection_IsFollowedWithoutTheToken()
    {
        using var store = new HubServer();
        store.Instead = request => HubServer.Content(request, _server.Files[Weights], "\"other\"");
        _server.Instead = request => IsWeights(request, request.Method) ? new(302, [])
        {
            Headers = $"Location: {store.Address}bucket/file\r\nX-Linked-ETag: \"{HubServer.Sha256(_server.Files[Weights])}\"\r\n",
        } : null;
        AssertWhole(Resolve(settings: Settings with { Token = "secret" }));
        Assert.IsTrue(_server.Requests.All(r => r.Authorization == "Bearer secret"));
        Assert.IsNull(store.Requests.Single().Authorization);
    }

    [TestMethod]
    public void Resolve_EndlessRedirection_IsAnError()
    {
        _server.Instead = request => !IsWeights(request, request.Method) ? null
            : new(302, []) { Headers = $"Location: {request.Path}\r\n" };
        var message = Assert.ThrowsExactly<IOException>(() => Resolve()).Message;
        StringAssert.Contains(message, "leads to another address, and so do 5 before it.");
    }

    [TestMethod]
    [DataRow(401, null, "refuses access to 'some/model' (401): it does not exist or needs a token. Set HF_TOKEN")]
    [DataRow(403, "secret", "refuses access to 'some/model' (403): it does not exist or needs a token. Check the token")]
    [DataRow(400, null, "answers 400, which no hub does. Check HF_ENDPOINT.")]
    [DataRow(500, null, "cannot be reached to look for such a model: the server answers 500. Give the path of a model")]
    public void Resolve_Refusal_SaysWhatToDo(int status, string? token, string expected)
    {
        _server.Instead = _ => new(status, "secrets of the server"u8.ToArray());
        var message = Assert.ThrowsExactly<IOException>(() => Resolve(settings: Settings with { Token = token })).Message;
        StringAssert.Contains(message, expected);
        Assert.IsFalse(message.Contains("secret", StringComparison.Ordinal));
    }

    [TestMethod]
    public void Resolve_NoSuchModel_NamesPathAndHub()
    {
        StringAssert.StartsWith(Assert.ThrowsExactly<FileNotFoundException>(() => Resolve("some/other")).Message,
            $"There is no file or folder 'some/other', and no model of that name with the revision 'main' at '{_server.Address}'.");
        _server.Files.Remove(Weights);
        StringAssert.Contains(Assert.ThrowsExactly<FileNotFoundException>(() => Resolve()).Message, "has no weights. Expected");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => Resolve("hf://model")).Message, "names no model; write hf://");
    }

    [TestMethod]
    public void Resolve_OverloadedServer_IsAskedAgain()
    {
        var refusals = 0;
        _server.Instead = _ => ++refusals % 3 != 0 ? new(429, []) { Headers = "Retry-After: 0\r\n" } : null;
        AssertWhole(Resolve());
    }

    [TestMethod]
    public void Resolve_Offline_UsesTheCache()
    {
        var offline = Settings with { IsOffline = true };
        StringAssert.Contains(Assert.ThrowsExactly<FileNotFoundException>(() => Resolve(settings: offline)).Message,
            "Downloads are off: unset HF_HUB_OFFLINE");
        var folder = Resolve();
        _server.Requests.Clear();
        Assert.AreEqual(folder, Resolve(settings: offline));
        Assert.IsEmpty(_server.Requests);
        _server.Dispose();
        Assert.AreEqual(folder, Resolve());   // nobody answers
        StringAssert.Contains(_warnings.Single(), "the model 'some/model' is used as it is in the cache.");
        StringAssert.Contains(Assert.ThrowsExactly<IOException>(() => Resolve("some/other")).Message, "connect this machine.");
    }

    [TestMethod]
    public void Resolve_WithoutANetwork_NamesPathAndHub()
    {
        var nowhere = Settings with { Endpoint = new Uri("http://no-such-host.invalid/") };
        StringAssert.Contains(Assert.ThrowsExactly<IOException>(() => Resolve("models/mistyped", nowhere)).Message,
            "There is no file or folder 'models/mistyped', and 'http://no-such-host.invalid/' cannot be reached");
    }

    [TestMethod]
    public void Resolve_Canceled_StopsAndKeepsWhatCame()
    {
        using var source = new CancellationTokenSource();
        var never = new TaskCompletionSource();
        _server.Instead = request =>
        {
            if (!IsWeights(request, "GET")) return null;
            if (request.From == 0) return _server.Answer(request) with { CutAfter = 100_000 };
            source.Cancel();
            return _server.Answer(request) with { Wait = never.Task };
        };
        Assert.Throws<OperationCanceledException>(() => Resolve(cancellation: source.Token));
        never.SetResult();
        _server.Instead = _ => null;
        _server.Requests.Clear();
        AssertWhole(Resolve());
        Assert.AreEqual(100_000, _server.Requests.Single(r => IsWeights(r, "GET")).From);
    }

    [TestMethod]
    public void Resolve_FromManyThreads_DownloadsOnce()
    {
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, _ => AssertWhole(Resolve()));
        Assert.HasCount(1, _server.Requests.Where(r => IsWeights(r, "GET")).ToArray());
    }

    [TestMethod]
    public void Resolve_IndexOfParts_DownloadsThePartsItNames()
    {
        _server.Files.Remove(Weights);
        _server.Files["model.safetensors.index.json"] =
            """{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"""u8.ToArray();
        foreach (var part in new[] { "model-1.safetensors", "model-2.safetensors" }) _server.Files[part] = Encoding.ASCII.GetBytes(part);
        var folder = Resolve();
        Assert.AreEqual("model-2.safetensors", File.ReadAllText(Path.Combine(folder, "model-2.safetensors")));
        _server.Files["model.safetensors.index.json"] = """{"weight_map": {"a": "../../secret"}}"""u8.ToArray();
        Directory.Delete(Settings.Cache, recursive: true);
        Assert.ThrowsExactly<InvalidDataException>(() => Resolve());
    }

    [TestMethod]
    public void Resolve_AnswerOfNoHub_SaysSo()
    {
        foreach (var answer in new[] { "<html>", "{}", """{"sha": "../..", "siblings": []}""", """{"sha": 5, "siblings": []}""" })
        {
            _server.Instead = request => request.Path.StartsWith("/api", StringComparison.Ordinal)
                ? new(200, Encoding.ASCII.GetBytes(answer)) : null;
            StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => Resolve()).Message, "does not describe a model");
        }
        _server.Instead = request => IsWeights(request, "HEAD") ? new(200, []) { Headers = "ETag: \"../../x\"\r\n" } : null;
        StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => Resolve()).Message, "has no entity tag");
    }

    [TestMethod]
    public void Parse_Paths_KnowsModelsFromFiles()
    {
        Assert.AreEqual(new HubModel("openai", "clip-vit-base-patch32", "main"), HubModel.Parse("openai/clip-vit-base-patch32"));
        Assert.AreEqual(new HubModel("laion", "CLIP", "v1.0"), HubModel.Parse("hf://laion/CLIP@v1.0"));
        string[] others = [_folder, "model.safetensors", "a/b/c", "./model", "../a", "/a/b", "a/..", "~/a", @"a\b", "a/b@", "C:/model"];
        foreach (var path in others)
            Assert.IsNull(HubModel.Parse(path), path);
    }

    [TestMethod]
    public void Settings_Variables_AreThoseOfOtherTools()
    {
        HubSettings Of(params (string Name, string Value)[] variables) =>
            HubSettings.From(name => variables.FirstOrDefault(v => v.Name == name).Value);
        Assert.AreEqual(new Uri("https://huggingface.co/"), Of().Endpoint);
        Assert.AreEqual(Path.Combine("h", "hub"), Of(("HF_HOME", "h")).Cache);
        Assert.AreEqual("c", Of(("HF_HOME", "h"), ("HF_HUB_CACHE", "c")).Cache);
        Assert.AreEqual(Path.Combine("x", "huggingface", "hub"), Of(("XDG_CACHE_HOME", "x")).Cache);
        Assert.AreEqual(new Uri("http://hub.local/base/"), Of(("HF_ENDPOINT", "http://hub.local/base")).Endpoint);
        Assert.AreEqual("t", Of(("HF_HOME", "h"), ("HF_TOKEN", " t ")).Token);
        File.WriteAllText(Path.Combine(_folder, "token"), "from file\n");
        Assert.AreEqual("from file", Of(("HF_HOME", _folder)).Token);
        Assert.IsTrue(Of(("HF_HUB_OFFLINE", "yes")).IsOffline);
        Assert.IsFalse(Of(("HF_HUB_OFFLINE", "0")).IsOffline);
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => Of(("HF_ENDPOINT", "hub"))).Message, "HF_ENDPOINT is 'hub'");
    }

    [TestMethod]
    public void LoadClip_NameOnTheHub_LoadsAndTrainsOn()
    {
        using var data = new DrawnData();
        using (var model = data.Fit(DrawnData.Options with { Epochs = 1 })) model.SaveSafetensors(Path.Combine(_folder, "model"));
        _server.Files.Clear();
        foreach (var file in Directory.GetFiles(Path.Combine(_folder, "model")))
            _server.Files[Path.GetFileName(file)] = File.ReadAllBytes(file);
        var variables = new[] { ("HF_ENDPOINT", _server.Address.ToString()), ("HF_HOME", Path.Combine(_folder, "home")) };
        var before = variables.Select(v => (v.Item1, Environment.GetEnvironmentVariable(v.Item1))).ToArray();
        try
        {
            foreach (var (name, value) in variables) Environment.SetEnvironmentVariable(name, value);
            using var loaded = _context.Model.LoadClip("some/model");
            using var local = _context.Model.LoadClip(Path.Combine(_folder, "model"));
            DrawnData.AreBitEqual(DrawnData.Weights(local), DrawnData.Weights(loaded));
            using var tuned = data.Fit(DrawnData.Options with { Architecture = null, InitialWeights = "hf://some/model", Epochs = 1 });
            Assert.AreEqual(loaded.Architecture, tuned.Architecture);
        }
        finally
        {
            foreach (var (name, value) in before) Environment.SetEnvironmentVariable(name, value);
        }
    }
}
