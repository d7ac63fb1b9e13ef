using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>samples/PhotoSearch as a process.</summary>
[TestClass]
public sealed class PhotoSearchSampleTests
{
    [TestMethod]
    public async Task Main_StoredPhotos_AreFoundInTheOrderOfTheModelsScores()
    {
        var (model, mlContext) = (Path.Combine(Tiny.Data.Folder, "photos.zip"), new MLContext());
        mlContext.Model.Save(Tiny.Model, Tiny.Data.Test(mlContext).Schema, model);
        using var process = ModelLoadingProcess.Start("PhotoSearch", "--model", model, "--urls", "http://127.0.0.1:0");
        try
        {
            const string Listening = "Now listening on: ";
            string? line;
            do line = await process.StandardOutput.ReadLineAsync();
            while (line?.Contains(Listening, StringComparison.Ordinal) == false);
            if (line is null) Assert.Fail(await process.StandardError.ReadToEndAsync());
            using var http = new HttpClient
            {
                BaseAddress = new(line[(line.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..]),
            };

            var images = Tiny.Data.Images.Select(i => i.Path).Where((_, i) => i % 4 == 0).ToArray();
            foreach (var (i, image) in images.Index())
                Assert.AreEqual(HttpStatusCode.NoContent, await Put(http, $"{i}", await File.ReadAllBytesAsync(image)));
            Assert.AreEqual(HttpStatusCode.NoContent, await Put(http, "0", await File.ReadAllBytesAsync(images[0])));   // replaces it
            Assert.AreEqual(HttpStatusCode.BadRequest, await Put(http, "text", "no picture"u8.ToArray()));
            Assert.AreEqual(HttpStatusCode.RequestEntityTooLarge, await Put(http, "large", new byte[(16 << 20) + 1]));

            foreach (var prefix in new[] { "caption", "classification" })
            {
                var query = Tiny.Model.EncodeTexts(["red"], PrefixSelection.For(prefix))[0];
                var scores = Tiny.Model.EncodeImages(images).Select(e => e.Zip(query, (x, y) => x * y).Sum()).ToArray();
                var found = await http.GetFromJsonAsync<JsonElement[]>($"/search?text=red&top=99&prefix={prefix}");
                Assert.HasCount(images.Length, found!);
                var foundScores = found!.Select(f => f.GetProperty("score").GetDouble()).ToArray();
                foreach (var (name, score) in found!.Select(f => f.GetProperty("name").GetString()!).Zip(foundScores))
                    Assert.AreEqual(scores[int.Parse(name, CultureInfo.InvariantCulture)], score, 1e-4);
                CollectionAssert.AreEqual(foundScores.OrderDescending().ToArray(), foundScores);
            }
            Assert.AreEqual(HttpStatusCode.BadRequest, (await http.GetAsync("/search?text=red&prefix=unknown")).StatusCode);
        }
        finally
        {
            process.Kill();
        }
    }

    [TestMethod]
    public void Main_WithoutAModel_SaysWhatToGive()
    {
        using var process = ModelLoadingProcess.Start("PhotoSearch");
        StringAssert.Contains(process.StandardError.ReadToEnd(), "--model");
        process.WaitForExit();
        Assert.AreEqual(1, process.ExitCode);
    }

    private static async Task<HttpStatusCode> Put(HttpClient http, string name, byte[] bytes)
    {
        using var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = new("image/png");
        using var request = new HttpRequestMessage(HttpMethod.Put, $"/photos/{name}") { Content = content };
        request.Headers.ExpectContinue = true;   // an answer before the bytes are sent
        using var response = await http.SendAsync(request);
        return response.StatusCode;
    }
}
