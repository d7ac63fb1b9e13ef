using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Downloads a model from Hugging Face's hub, or a server like it, into the cache that other tools share.</summary>
/// <remarks>
/// A cut connection is resumed where it ended, an overloaded server is asked again later. Content is checked against its hash before it
/// gets its name. The token goes to the hub alone, not to where it redirects. If the hub cannot be reached, the cache is used.
/// </remarks>
internal sealed class HubDownload : IDisposable
{
    private const int Attempts = 5, MaxRedirects = 5;
    private const long MaxSmallBytes = 64L << 20;

    private readonly HubSettings _settings;
    private readonly HubModel _model;
    private readonly HubCache _cache;
    private readonly IHostEnvironment _environment;
    private readonly CancellationToken _cancellation;
    private readonly HttpClient _client = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(30),
    })
    { Timeout = Timeout.InfiniteTimeSpan };

    private long _received;

    private HubDownload(IHostEnvironment environment, HubSettings settings, HubModel model, CancellationToken cancellation)
    {
        (_environment, _settings, _model, _cancellation) = (environment, settings, model, cancellation);
        _cache = new HubCache(settings, model);
        _client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("Microsoft.ML.PrefixConditioning", null));
    }

    /// <summary>The local path of a model: of one on the hub, the folder of its files, which are downloaded if they are not in the cache.
    /// Other paths are returned as they are.</summary>
    /// <param name="environment">For messages and progress.</param>
    /// <param name="path">A local path, <c>owner/name</c>, or <c>hf://owner/name</c>.</param>
    /// <param name="cancellation">Stops the download; what has arrived is kept.</param>
    /// <param name="settings">Null for those of the environment variables.</param>
    /// <exception cref="ArgumentException">The path begins with hf:// and names no model.</exception>
    /// <exception cref="FileNotFoundException">The hub has no such model, or the model has no weights.</exception>
    /// <exception cref="IOException">The hub cannot be reached, refuses access, or the cache cannot be written.</exception>
    /// <exception cref="InvalidDataException">The content does not have its hash.</exception>
    public static string Resolve(IHostEnvironment environment, string path, CancellationToken cancellation, HubSettings? settings = null)
    {
        if (HubModel.Parse(path) is not { } model) return path;
        using var download = new HubDownload(environment, settings ?? HubSettings.FromEnvironment(), model, cancellation);
        try
        {
            return Task.Run(download.Fetch, cancellation).GetAwaiter().GetResult();
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException(
                $"The cache '{download._settings.Cache}' cannot be written: {e.Message} Set HF_HOME to another folder.", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private async Task<string> Fetch()
    {
        using var channel = _environment.Start("Downloading");
        if (_settings.IsOffline)
            return _cache.Known() ?? throw new FileNotFoundException($"There is no file or folder '{_model}', and the model is not in " +
                $"the cache '{_settings.Cache}'. Downloads are off: unset HF_HUB_OFFLINE, or give the path of a model.");
        string commit;
        string[] names;
        try
        {
            (commit, names) = await Describe().ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            if (_cache.Known() is { } known)
            {
                channel.Warning(MessageSensitivity.None, "{0}",
                    $"{_settings.Endpoint} cannot be reached ({e.Message}); the model '{_model}' is used as it is in the cache.");
                return known;
            }
            throw new IOException($"There is no file or folder '{_model}', and '{_settings.Endpoint}' cannot be reached to look for such " +
                $"a model: {e.Message} Give the path of a model, or connect this machine.", e);
        }
        using var progress = _environment.StartProgressChannel("Downloading");
        progress.SetHeader(new ProgressHeader(["bytes"]), entry => entry.SetProgress(0, Interlocked.Read(ref _received)));
        try
        {
            var weights = PretrainedFiles.KnownNames.FirstOrDefault(names.Contains) ?? throw new FileNotFoundException(
                $"The model '{_model}' at '{_settings.Endpoint}' has no weights. Expected {NearName.List(PretrainedFiles.KnownNames)}.");
            foreach (var name in PretrainedFiles.SideNames.Where(names.Contains)) await Fetch(commit, name).ConfigureAwait(false);
            var path = await Fetch(commit, weights).ConfigureAwait(false);
            if (PretrainedFiles.IsIndexName(weights))
                foreach (var part in WeightFile.PartNames(SmallFile.Read(path)))
                    await Fetch(commit, RegularFile.IsName(part) ? part : throw new InvalidDataException(
                        $"The index '{path}' names {NearName.Quoted(part)}; a file beside it is expected.")).ConfigureAwait(false);
            using (await _cache.Lock($"{_model.Revision}.ref", _cancellation).ConfigureAwait(false)) _cache.SetCommit(commit);
            return _cache.Snapshot(commit);
        }
        catch (HttpRequestException e)
        {
            throw new IOException($"The download of '{_model}' from '{_settings.Endpoint}' was interrupted: {e.Message} What has arrived " +
                "is kept: load the model again to go on.", e);
        }
    }

    /// <summary>The commit of the revision, and the names of its files.</summary>
    private async Task<(string Commit, string[] Names)> Describe()
    {
        var address = new Uri(_settings.Endpoint, $"api/models/{_model.Owner}/{_model.Name}/revision/{_model.Revision}");
        var attempts = _cache.Known() is null ? Attempts : 1;   // with a copy in the cache, nobody needs to wait for a network
        var bytes = await Repeatedly(async () =>
        {
            using var response = await Send(HttpMethod.Get, address).ConfigureAwait(false);
            using var content = new MemoryStream();
            await Receive(response, content, MaxSmallBytes).ConfigureAwait(false);
            return content.ToArray();
        }, attempts: attempts).ConfigureAwait(false);
        try
        {
            using var json = JsonDocument.Parse(bytes);
            var commit = json.RootElement.GetProperty("sha").GetString();
            return RegularFile.IsName(commit) ? (commit!, [.. json.RootElement.GetProperty("siblings").EnumerateArray()
                .Select(f => f.GetProperty("rfilename").GetString()).OfType<string>()]) : throw new JsonException("The commit is no hash.");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new InvalidDataException($"'{address}' does not describe a model as a hub does: {e.Message} Check HF_ENDPOINT.", e);
        }
    }

    /// <summary>Downloads one file of a commit, unless the cache has it.</summary>
    /// <returns>Its path.</returns>
    private async Task<string> Fetch(string commit, string name)
    {
        var path = Path.Combine(_cache.Snapshot(commit), name);
        if (File.Exists(path)) return path;
        var address = new Uri(_settings.Endpoint, $"{_model.Owner}/{_model.Name}/resolve/{commit}/{name}");
        var etag = await Repeatedly(async () =>
        {
            using var head = await Send(HttpMethod.Head, address, stopAtTag: true).ConfigureAwait(false);
            return Tag(head) ?? throw new InvalidDataException(
                $"'{address}' has no entity tag, which names a file of the cache. Check HF_ENDPOINT.");
        }).ConfigureAwait(false);
        using (await _cache.Lock(etag, _cancellation).ConfigureAwait(false))
        {
            if (!File.Exists(_cache.Blob(etag))) await FetchBlob(address, etag).ConfigureAwait(false);
            _cache.Link(commit, name, etag);
        }
        return path;
    }

    private async Task FetchBlob(Uri address, string etag)
    {
        var unfinished = $"{_cache.Blob(etag)}.incomplete";
        for (var isSecond = false; ; isSecond = true)
        {
            await Repeatedly(async () =>
            {
                await Resume(address, unfinished).ConfigureAwait(false);
                return true;
            }, () => File.Exists(unfinished) ? new FileInfo(unfinished).Length : 0).ConfigureAwait(false);
            if (HubCache.Fits(unfinished, etag)) break;
            File.Delete(unfinished);
            if (isSecond)
                throw new InvalidDataException($"'{address}' came with another content than its hash {etag} promises, twice. Try again " +
                    "later, or check HF_ENDPOINT.");
        }
        File.Move(unfinished, _cache.Blob(etag), overwrite: true);
    }

    /// <summary>Downloads what is missing of a file.</summary>
    private async Task Resume(Uri address, string path)
    {
        using var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read);
        var range = file.Length > 0 ? new RangeHeaderValue(file.Length, null) : null;
        using var response = await Send(HttpMethod.Get, address, range).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable && range is not null) return;   // all is there
        if (response.StatusCode == HttpStatusCode.PartialContent) file.Position = file.Length;
        else file.SetLength(0);
        await Receive(response, file, long.MaxValue).ConfigureAwait(false);
    }

    private async Task Receive(HttpResponseMessage response, Stream target, long most)
    {
        using var content = await response.Content.ReadAsStreamAsync(_cancellation).ConfigureAwait(false);
        var (buffer, expected, total) = (new byte[1 << 17], response.Content.Headers.ContentLength, 0L);
        while (true)
        {
            if (_environment is ICancelable { IsCanceled: true })
                throw new OperationCanceledException("ML.NET's environment was canceled.");
            int count;
            try
            {
                count = await Transfer.Read(content, buffer, _cancellation).ConfigureAwait(false);
            }
            catch (IOException e)
            {
                throw new HttpRequestException(e.Message, e);
            }
            if (count == 0) break;
            if ((total += count) > most)
                throw new InvalidDataException($"'{response.RequestMessage!.RequestUri}' has more than {most} bytes.");
            await target.WriteAsync(buffer.AsMemory(0, count), _cancellation).ConfigureAwait(false);
            Interlocked.Add(ref _received, count);
        }
        if (expected > total) throw new HttpRequestException($"{total} bytes came instead of {expected}.");
    }

    /// <summary>Sends a request and follows redirections.</summary>
    /// <param name="method">GET or HEAD.</param>
    /// <param name="address">An address of the hub.</param>
    /// <param name="range">What is wanted; null for all.</param>
    /// <param name="stopAtTag">Whether a redirection that has the file's tag is the answer.</param>
    private async Task<HttpResponseMessage> Send(HttpMethod method, Uri address, RangeHeaderValue? range = null, bool stopAtTag = false)
    {
        for (var hops = 0; hops <= MaxRedirects; hops++)
        {
            using var request = new HttpRequestMessage(method, address);
            request.Headers.Range = range;
            var isHub = address.Host == _settings.Endpoint.Host && address.Port == _settings.Endpoint.Port;
            if (isHub && _settings.Token is { } token) request.Headers.Authorization = new("Bearer", token);
            var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, _cancellation).ConfigureAwait(false);
            if (response.IsSuccessStatusCode || response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable) return response;
            if (response.Headers.Location is not { } target || (int)response.StatusCode is < 300 or >= 400)
            {
                using (response) throw Refusal(response);
            }
            if (stopAtTag && response.Headers.Contains("X-Linked-ETag")) return response;
            response.Dispose();
            var next = new Uri(address, target);
            if (next.Scheme != "https" && next.Scheme != address.Scheme)
                throw new IOException($"'{address}' leads to '{next}', which is not encrypted. Check HF_ENDPOINT.");
            address = next;
        }
        throw new IOException($"'{address}' leads to another address, and so do {MaxRedirects} before it. Check HF_ENDPOINT.");
    }

    private Exception Refusal(HttpResponseMessage response) => response.StatusCode switch
    {
        HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new IOException(
            $"'{_settings.Endpoint}' refuses access to '{_model}' ({(int)response.StatusCode}): it does not exist or needs a token. " +
            (_settings.Token is null ? "Set HF_TOKEN to an access token" : "Check the token and that it may read this model") +
            ", and accept the model's terms on its page."),
        HttpStatusCode.NotFound => new FileNotFoundException($"There is no file or folder '{_model}', and no model of that name with the " +
            $"revision '{_model.Revision}' at '{_settings.Endpoint}'. Give the path of a model, or correct the name."),
        HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError => new HttpRequestException(
            $"the server answers {(int)response.StatusCode}.", new RetryLater(response.Headers.RetryAfter?.Delta), response.StatusCode),
        _ => new IOException($"'{response.RequestMessage!.RequestUri}' answers {(int)response.StatusCode}, which no hub does. Check " +
            "HF_ENDPOINT."),
    };

    private static string? Tag(HttpResponseMessage response)
    {
        var tag = response.Headers.TryGetValues("X-Linked-ETag", out var values) ? values.First() : response.Headers.ETag?.Tag;
        tag = tag?.Replace("W/", "", StringComparison.Ordinal).Trim('"');
        return RegularFile.IsName(tag) ? tag : null;
    }

    /// <summary>Repeats what fails by the network or the server's load.</summary>
    private Task<T> Repeatedly<T>(Func<Task<T>> action, Func<long>? progress = null, int attempts = Attempts) => Transfer.Repeatedly(
        action, e => e is HttpRequestException { HttpRequestError: not HttpRequestError.NameResolutionError }, progress, attempts,
        _settings.FirstPause, _cancellation, e => (e.InnerException as RetryLater)?.Pause);

    /// <summary>The pause that an overloaded server asks for.</summary>
    private sealed class RetryLater(TimeSpan? pause) : Exception
    {
        public TimeSpan? Pause { get; } = pause;
    }
}
