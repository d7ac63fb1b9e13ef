using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>samples/Studio as a process on a free port, with a model that knows colours and the folder of labeled images.</summary>
internal sealed class StudioProcess : IDisposable
{
    private const string Listening = "Now listening on: ";

    private readonly Process _process;

    private StudioProcess(Process process, Uri address)
    {
        _process = process;
        Client = new HttpClient { BaseAddress = address };
    }

    public HttpClient Client { get; }

    /// <summary>Starts the server and waits until it listens.</summary>
    /// <param name="folder">The folder that it may load.</param>
    /// <param name="weights">A folder with published weights; null for the saved model.</param>
    public static StudioProcess Start(string folder, string? weights = null)
    {
        var (model, mlContext) = (weights ?? Path.Combine(Tiny.Data.Folder, "studio.zip"), new MLContext());
        if (weights is null && !File.Exists(model)) mlContext.Model.Save(Tiny.Model, Tiny.Data.Test(mlContext).Schema, model);
        var process = ModelLoadingProcess.Start("Studio", "--model", model, "--images", folder, "--port", "0");
        var error = process.StandardError.ReadToEndAsync();
        while (process.StandardOutput.ReadLine() is { } line)
        {
            if (!line.Contains(Listening, StringComparison.Ordinal)) continue;
            process.StandardOutput.ReadToEndAsync();   // so that it never waits for a reader
            return new(process, new Uri(line[(line.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..].Trim()));
        }
        process.WaitForExit();
        throw new AssertFailedException($"The server ended with {process.ExitCode}: {error.Result}");
    }

    /// <summary>Sends a request and reads its answer.</summary>
    public async Task<(int Status, JsonNode? Body)> Send(HttpMethod method, string address, HttpContent? content = null,
        params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, address) { Content = content };
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        using var response = await Client.SendAsync(request);
        var body = response.Content.Headers.ContentType?.MediaType?.EndsWith("json", StringComparison.Ordinal) ?? false
            ? JsonNode.Parse(await response.Content.ReadAsStringAsync()) : null;
        return ((int)response.StatusCode, body);
    }

    /// <summary>Reads JSON.</summary>
    public async Task<JsonNode> Get(string address) => (await Send(HttpMethod.Get, address)).Body!;

    /// <summary>Uploads files.</summary>
    public async Task<JsonNode> Upload(params (string Name, byte[] Bytes)[] files)
    {
        using var form = new MultipartFormDataContent();
        foreach (var (name, bytes) in files)
        {
            var part = new ByteArrayContent(bytes);
            part.Headers.ContentDisposition = new ContentDispositionHeaderValue("form-data") { Name = "files", FileNameStar = name };
            form.Add(part);
        }
        return (await Send(HttpMethod.Post, "api/images", form)).Body!;
    }

    /// <summary>Classifies the gallery.</summary>
    public Task<(int Status, JsonNode? Body)> Classify(double? classificationWeight, params string[] classNames) =>
        Send(HttpMethod.Post, "api/classify", JsonContent.Create(new { classNames, classificationWeight }));

    public void Dispose()
    {
        Client.Dispose();
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
