using System.Net;

namespace RemoteShards;

/// <summary>Opens ranges of files in three kinds of stores with nothing but an <see cref="HttpClient"/>.</summary>
/// <param name="server">Where the stores are. In an application, that is the store's own address.</param>
internal sealed class RemoteStores(Uri server) : IDisposable
{
    // One client for all requests, which keeps connections open. It takes no proxy: the server is in this process.
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false });

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>A plain request with a range.</summary>
    public ValueTask<Stream> OpenWeb(string address, long offset, long length, CancellationToken cancellation)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server, $"web/{NameOf(address)}"));
        request.Headers.Range = new(offset, offset + length - 1);
        return Send(request, offset, cancellation);
    }

    /// <summary>A request that is signed with the keys of an account (AWS Signature Version 4).</summary>
    public ValueTask<Stream> OpenS3(string address, long offset, long length, CancellationToken cancellation)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server, $"s3/shards/{NameOf(address)}"));
        request.Headers.Range = new(offset, offset + length - 1);
        // Keys come from the environment or a vault, never from the source code.
        S3Signature.Sign(request, "AccessKeyOfTheSample", "secret key of the sample", "eu-central-1", DateTime.UtcNow);
        return Send(request, offset, cancellation);
    }

    /// <summary>A request with a shared access signature, which an administrator makes for a container and some days.</summary>
    public ValueTask<Stream> OpenAzureBlob(string address, long offset, long length, CancellationToken cancellation)
    {
        var request = new HttpRequestMessage(
            HttpMethod.Get, new Uri(server, $"azure/account/shards/{NameOf(address)}?sp=r&sv=2022-11-02&sig=signature-of-the-sample"));
        request.Headers.Add("x-ms-version", "2022-11-02");
        request.Headers.Add("x-ms-range", $"bytes={offset}-{offset + length - 1}");
        return Send(request, offset, cancellation);
    }

    private static string NameOf(string address) => address[(address.LastIndexOf('/') + 1)..];

    private async ValueTask<Stream> Send(HttpRequestMessage request, long offset, CancellationToken cancellation)
    {
        var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        response.EnsureSuccessStatusCode();
        // A server without ranges would send the file from its beginning each time.
        if (response.StatusCode != HttpStatusCode.PartialContent && offset > 0)
            throw new NotSupportedException($"{request.RequestUri} does not answer range requests.");
        return await response.Content.ReadAsStreamAsync(cancellation);
    }
}
