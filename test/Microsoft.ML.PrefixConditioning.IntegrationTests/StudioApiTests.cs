using System.Text;
using System.Text.Json.Nodes;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>samples/Studio: what its API answers, and what it refuses.</summary>
[TestClass]
public sealed class StudioApiTests
{
    private static readonly StudioProcess Studio = StudioProcess.Start(Folder());

    [ClassCleanup]
    public static void Stop() => Studio.Dispose();

    [TestInitialize]
    public async Task Clear() => await Studio.Send(HttpMethod.Delete, "api/images");

    [TestMethod]
    public async Task Health_Started_IsReady()
    {
        var health = await Studio.Get("health");

        Assert.AreEqual("ready", (string?)health["status"]);
        Assert.AreEqual(0, (int?)health["images"]);
        Assert.AreEqual("127.0.0.1", Studio.Client.BaseAddress!.Host);
    }

    [TestMethod]
    public async Task OpenApi_Document_ListsEveryAddress()
    {
        var paths = (await Studio.Get("openapi/v1.json"))["paths"]!.AsObject().Select(path => path.Key).ToArray();

        string[] expected = ["/health", "/api/model", "/api/images", "/api/images/{id}/thumbnail", "/api/folder", "/api/classify",
            "/api/search", "/api/map"];
        CollectionAssert.AreEquivalent(expected, paths);
    }

    [TestMethod]
    public async Task Model_Saved_IsDescribed()
    {
        var model = await Studio.Get("api/model");

        Assert.AreEqual("studio.zip", (string?)model["name"]);
        Assert.AreEqual(Tiny.Architecture.ImageSize, (int?)model["imageSize"]);
        Assert.IsTrue((bool?)model["canBlend"]);
        Assert.IsTrue((bool?)model["hasFolder"]);
    }

    [TestMethod]
    public async Task Images_GoodAndBadFiles_AddsTheReadableOnes()
    {
        var good = await File.ReadAllBytesAsync(Tiny.Data.Image(0));

        var result = await Studio.Upload(("blue.png", good), ("text.png", "no picture"u8.ToArray()), ("empty.png", []));

        Assert.AreEqual("blue.png", (string?)result["added"]!.AsArray().Single()!["name"]);
        CollectionAssert.AreEqual((string[])["text.png", "empty.png"],
            result["refused"]!.AsArray().Select(file => (string?)file!["name"]).ToArray());
        Assert.HasCount(1, (await Studio.Get("api/images")).AsArray());
        using var thumbnail = await Studio.Client.GetAsync($"api/images/{result["added"]![0]!["id"]}/thumbnail");
        Assert.AreEqual("image/jpeg", thumbnail.Content.Headers.ContentType?.MediaType);
        Assert.AreEqual(404, (await Studio.Send(HttpMethod.Get, "api/images/987654/thumbnail")).Status);
    }

    [TestMethod]
    [DataRow("../../etc/passwd", "passwd")]
    [DataRow(@"C:\pictures\cat.png", "cat.png")]
    [DataRow("a\r\nb\u202E.png", "ab.png")]
    [DataRow("..", "..")]
    [DataRow("folder/", "image")]
    public async Task Images_HostileName_IsOnlyShown(string name, string shown)
    {
        var result = await Studio.Upload((name, await File.ReadAllBytesAsync(Tiny.Data.Image(0))));

        Assert.AreEqual(shown, (string?)result["added"]![0]!["name"]);
    }

    [TestMethod]
    public async Task Images_NameOfMarkup_StaysText()
    {
        var result = await Studio.Upload(("<img src=x onerror=alert(1)>.png", await File.ReadAllBytesAsync(Tiny.Data.Image(0))));

        Assert.AreEqual("<img src=x onerror=alert(1)>.png", (string?)result["added"]![0]!["name"]);
    }

    [TestMethod]
    public async Task Images_FileAboveTheLimit_IsRefused()
    {
        var result = await Studio.Upload(("large.png", new byte[(32 << 20) + 1]));

        Assert.AreEqual("The file has 33,554,433 bytes; at most 33,554,432 are accepted.", result["refused"]![0]!["reason"]!.ToString());
    }

    [TestMethod]
    public async Task Images_RequestAboveTheLimit_Is413()
    {
        using var form = new MultipartFormDataContent { { new ByteArrayContent(new byte[65 << 20]), "files", "large.png" } };

        var (status, body) = await Studio.Send(HttpMethod.Post, "api/images", form, ("Expect", "100-continue"));

        Assert.AreEqual(413, status);
        Assert.Contains("larger than 64 MB", body!["detail"]!.ToString());
    }

    [TestMethod]
    public async Task Images_SmallFileThatClaimsManyPixels_IsRefused()
    {
        // 7,000 x 5,000: below the package's own limit, above that of the server.
        byte[] gif = [.. Encoding.ASCII.GetBytes("GIF89a"), 0x58, 0x1B, 0x88, 0x13, 0x80, 0, 0, 0, 0, 0, 255, 255, 255,
            0x2C, 0, 0, 0, 0, 0x58, 0x1B, 0x88, 0x13, 0, 2, 2, 0x44, 1, 0, 0x3B];

        var result = await Studio.Upload(("bomb.gif", gif));

        Assert.IsEmpty(result["added"]!.AsArray());
        Assert.Contains("7000 x 5000", result["refused"]![0]!["reason"]!.ToString());
    }

    [TestMethod]
    public async Task Images_NoFile_Is400()
    {
        using var form = new MultipartFormDataContent { { new StringContent("text"), "field" } };

        var (status, body) = await Studio.Send(HttpMethod.Post, "api/images", form);

        Assert.AreEqual(400, status);
        Assert.AreEqual("The request has 0 files; send 1 to 64 at a time.", body!["detail"]!.ToString());
    }

    [TestMethod]
    public async Task Folder_LinksAndOtherFiles_AreNotLoaded()
    {
        var (status, body) = await Studio.Send(HttpMethod.Post, "api/folder");

        Assert.AreEqual(200, status);
        CollectionAssert.AreEqual((string[])["first.png", "second.png"],
            body!["added"]!.AsArray().Select(image => (string?)image!["name"]).ToArray());
        Assert.IsEmpty(body["refused"]!.AsArray());
    }

    [TestMethod]
    [DataRow("/../Studio.dll")]
    [DataRow("/..%2fStudio.dll")]
    [DataRow("/%2e%2e/%2e%2e/etc/passwd")]
    [DataRow("/..%5cStudio.dll")]
    [DataRow("/api/images/..%2f..%2fx/thumbnail")]
    [DataRow("/Studio.wwwroot.index.html")]
    public async Task Address_OutsideThePage_IsNotFound(string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Studio.Client.BaseAddress!.ToString().TrimEnd('/') + path,
            new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));

        using var response = await Studio.Client.SendAsync(request);

        Assert.IsTrue((int)response.StatusCode is 400 or 404, $"{response.StatusCode}");
    }

    [TestMethod]
    [DataRow("http://example.com")]
    [DataRow("null")]
    [DataRow("http://127.0.0.1:1")]
    public async Task Request_OfAnotherOrigin_Is403(string origin)
    {
        (HttpMethod, string)[] changes =
            [(HttpMethod.Delete, "api/images"), (HttpMethod.Post, "api/folder"), (HttpMethod.Post, "api/classify")];
        foreach (var (method, address) in changes)
        {
            var (status, body) = await Studio.Send(method, address, headers: ("Origin", origin));

            Assert.AreEqual(403, status, address);
            Assert.Contains("page of another site", body!["detail"]!.ToString());
        }
    }

    [TestMethod]
    public async Task Request_OfItsOwnOrigin_IsAnswered()
    {
        var origin = Studio.Client.BaseAddress!.GetLeftPart(UriPartial.Authority);

        Assert.AreEqual(200, (await Studio.Send(HttpMethod.Delete, "api/images", headers: ("Origin", origin))).Status);
    }

    [TestMethod]
    [DataRow("studio.example.com", 400)]
    [DataRow("127.0.0.1.example.com", 400)]
    [DataRow("localhost", 200)]
    [DataRow("[::1]", 200)]
    public async Task Request_ToAnotherHostName_Is400(string host, int expected) =>
        Assert.AreEqual(expected, (await Studio.Send(HttpMethod.Get, "api/model", headers: ("Host", host))).Status);

    [TestMethod]
    public async Task Page_Headers_AllowNoForeignContent()
    {
        using var response = await Studio.Client.GetAsync("");

        Assert.AreEqual("text/html", response.Content.Headers.ContentType?.MediaType);
        Assert.Contains("default-src 'none'; script-src 'self'", response.Headers.GetValues("Content-Security-Policy").Single());
        Assert.AreEqual("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
    }

    [TestMethod]
    [DataRow(0.0, "caption")]
    [DataRow(0.25, "0.75 caption + 0.25 classification")]
    [DataRow(1.0, "classification")]
    public async Task Classify_Weight_ChoosesThePrefix(double weight, string prefix)
    {
        await AddColours();

        var (_, body) = await Studio.Classify(weight, "red", "green", "blue");

        Assert.AreEqual(prefix, (string?)body!["prefix"]);
        Assert.AreEqual(weight, (double)body["classificationWeight"]!, 1e-9);
        int[] best = [.. body["images"]!.AsArray().Select(image => IndexOfLargest(image!["probabilities"]!.AsArray()))];
        CollectionAssert.AreEqual((int[])[0, 1, 2], best);
    }

    [TestMethod]
    public async Task Classify_Auto_ChoosesFromTheImages()
    {
        await AddColours();

        var (status, body) = await Studio.Classify(null, "red", "green");

        Assert.AreEqual(200, status);
        Assert.IsTrue((double)body!["classificationWeight"]! is >= 0 and <= 1);
        Assert.AreEqual(1, body["images"]![0]!["probabilities"]!.AsArray().Sum(p => (double)p!), 1e-4);
    }

    [TestMethod]
    public async Task Classify_FaultyRequest_Is400()
    {
        Assert.AreEqual("There are no images to classify. Add images first.", await Fault(0, "red", "green"));
        await AddColours();

        Assert.AreEqual("There are 1 class names; give 2 to 200.", await Fault(0, "red"));
        Assert.AreEqual("A class name is empty or longer than 300 characters.", await Fault(0, "red", " "));
        Assert.Contains("has the weight 1.5; give 0 to 1", await Fault(1.5, "red", "green"));
    }

    [TestMethod]
    public async Task Search_ByText_NearestFirst()
    {
        await AddColours();

        var found = (await Studio.Get("api/search?text=photo of something green")).AsArray();

        var names = (await Studio.Get("api/images")).AsArray().ToDictionary(i => (int)i!["id"]!, i => (string?)i!["name"]);
        Assert.HasCount(3, found);
        Assert.AreEqual("green.png", names[(int)found[0]!["id"]!]);
        Assert.IsTrue((double)found[0]!["score"]! > (double)found[1]!["score"]!);
    }

    [TestMethod]
    public async Task Map_ThreeImages_HasAPointForEach()
    {
        Assert.IsEmpty((await Studio.Get("api/map")).AsArray());
        await AddColours();

        var points = (await Studio.Get("api/map")).AsArray();

        Assert.HasCount(3, points.Select(point => ((double)point!["x"]!, (double)point["y"]!)).Distinct().ToArray());
    }

    [TestMethod]
    public async Task Main_FolderOfPublishedWeights_IsServed()
    {
        var weights = Path.Combine(Tiny.Data.Folder, "studio-weights");
        Tiny.Model.SaveSafetensors(weights);
        using var studio = StudioProcess.Start(Tiny.Data.Labeled, weights);

        Assert.AreEqual("studio-weights", (string?)(await studio.Get("api/model"))["name"]);
        Assert.HasCount(24, (await studio.Send(HttpMethod.Post, "api/folder")).Body!["added"]!.AsArray());
        Assert.AreEqual(200, (await studio.Classify(0, "red", "green")).Status);
    }

    [TestMethod]
    public void Main_MissingModel_SaysSo()
    {
        using var process = ModelLoadingProcess.Start("Studio", "--model", Path.Combine(Tiny.Data.Folder, "missing"), "--port", "0");
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();

        Assert.AreEqual(1, process.ExitCode);
        Assert.Contains("missing", error);
    }

    private static async Task AddColours() => await Studio.Upload([.. TinyData.ClassNames.Select(name =>
        ($"{name}.png", File.ReadAllBytes(Path.Combine(Tiny.Data.Labeled, name, "0.png"))))]);

    private static async Task<string> Fault(double weight, params string[] classNames)
    {
        var (status, body) = await Studio.Classify(weight, classNames);
        Assert.AreEqual(400, status);
        return body!["detail"]!.ToString();
    }

    private static int IndexOfLargest(JsonArray values)
    {
        double[] numbers = [.. values.Select(value => (double)value!)];
        return Array.IndexOf(numbers, numbers.Max());
    }

    /// <summary>A folder with two images, another file, and links that lead out of it.</summary>
    private static string Folder()
    {
        var folder = Directory.CreateDirectory(Path.Combine(Tiny.Data.Folder, "studio", "inner")).Parent!.FullName;
        File.Copy(Tiny.Data.Image(0), Path.Combine(folder, "first.png"), overwrite: true);
        File.Copy(Tiny.Data.Image(1), Path.Combine(folder, "inner", "second.png"), overwrite: true);
        File.WriteAllText(Path.Combine(folder, "notes.txt"), "no image");
        if (OperatingSystem.IsWindows()) return folder;   // links need rights there
        File.CreateSymbolicLink(Path.Combine(folder, "link.png"), Tiny.Data.Image(2));
        Directory.CreateSymbolicLink(Path.Combine(folder, "outside"), Tiny.Data.Labeled);
        return folder;
    }
}
