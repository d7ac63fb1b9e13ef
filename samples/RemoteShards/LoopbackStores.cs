using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace RemoteShards;

/// <summary>A folder served as a web server, as S3 and as Azure Blob Storage would, on the loopback interface. It refuses requests without
/// the right signature and cuts some connections.</summary>
internal sealed class LoopbackStores : IDisposable
{
    private const int CutEvery = 5;   // requests

    private readonly string _folder;
    private readonly HttpListener _listener = new();

    /// <param name="folder">The files; folders in it are not served.</param>
    public LoopbackStores(string folder)
    {
        using (var port = new TcpListener(IPAddress.Loopback, 0))
        {
            port.Start();
            Address = new Uri($"http://localhost:{((IPEndPoint)port.LocalEndpoint).Port}/");
        }
        _folder = folder;
        _listener.Prefixes.Add(Address.ToString());
        _listener.Start();
        _ = Task.Run(Serve);
    }

    /// <summary>Where the server is.</summary>
    public Uri Address { get; }

    /// <summary>Number of requests.</summary>
    public int Requests { get; private set; }

    /// <summary>Number of requests without the right signature.</summary>
    public int Refused { get; private set; }

    /// <inheritdoc/>
    public void Dispose() => _listener.Close();

    private async Task Serve()
    {
        while (_listener.IsListening)
        {
            var context = await _listener.GetContextAsync();
            Requests++;
            Answer(context.Request, context.Response);
        }
    }

    private void Answer(HttpListenerRequest request, HttpListenerResponse response)
    {
        var path = Path.Combine(_folder, Path.GetFileName(request.Url!.AbsolutePath));
        var range = Regex.Match(request.Headers["x-ms-range"] ?? request.Headers["Range"] ?? "", "^bytes=([0-9]+)-([0-9]+)$");
        if (!IsAllowed(request))
        {
            Refused++;
            response.StatusCode = (int)HttpStatusCode.Forbidden;
        }
        else if (!File.Exists(path)) response.StatusCode = (int)HttpStatusCode.NotFound;
        else if (!range.Success) response.StatusCode = (int)HttpStatusCode.BadRequest;
        else
        {
            using var file = File.OpenRead(path);
            var first = long.Parse(range.Groups[1].Value, CultureInfo.InvariantCulture);
            var end = Math.Min(file.Length, long.Parse(range.Groups[2].Value, CultureInfo.InvariantCulture) + 1);
            if (first >= file.Length) response.StatusCode = (int)HttpStatusCode.RequestedRangeNotSatisfiable;
            else
            {
                response.StatusCode = (int)HttpStatusCode.PartialContent;
                response.ContentLength64 = end - first;
                var bytes = new byte[end - first];
                file.Position = first;
                file.ReadExactly(bytes);
                if (Requests % CutEvery == 0)
                {
                    response.OutputStream.Write(bytes.AsSpan(0, bytes.Length / 2));
                    response.Abort();
                    return;
                }
                response.OutputStream.Write(bytes);
            }
        }
        response.Close();
    }

    private static bool IsAllowed(HttpListenerRequest request) => request.Url!.Segments[1] switch
    {
        "web/" => true,
        "azure/" => request.QueryString["sig"] == "signature-of-the-sample" && request.Headers["x-ms-version"] is not null,
        "s3/" => request.Headers["Authorization"] == S3Signature.Authorization(request.Url.AbsolutePath,
            name => request.Headers[name] ?? "", "AccessKeyOfTheSample", "secret key of the sample", "eu-central-1"),
        _ => false,
    };
}
