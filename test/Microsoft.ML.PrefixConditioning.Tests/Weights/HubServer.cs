using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A hub on the loopback interface, which can misbehave.</summary>
internal sealed class HubServer : IDisposable
{
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public HubServer()
    {
        _listener.Start();
        Address = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");
        _ = Task.Run(Accept);
    }

    public Uri Address { get; }

    /// <summary>Files of the model "some/model".</summary>
    public Dictionary<string, byte[]> Files { get; } = [];

    /// <summary>Every request in order: method, path, range and authorization.</summary>
    public ConcurrentQueue<Request> Requests { get; } = [];

    /// <summary>Gives another answer than a good server; null for that one.</summary>
    public Func<Request, Response?> Instead { get; set; } = _ => null;

    public void Dispose() => _listener.Stop();

    public static string Sha256(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    /// <summary>What a good server answers.</summary>
    public Response Answer(Request request)
    {
        if (request.Path == "/api/models/some/model/revision/main")
            return new(200, Encoding.UTF8.GetBytes($$"""
                {"sha": "{{Commit}}", "siblings": [{{string.Join(", ", Files.Keys.Select(f => $"{{\"rfilename\": \"{f}\"}}"))}}]}
                """));
        const string Start = $"/some/model/resolve/{Commit}/";
        if (!request.Path.StartsWith(Start, StringComparison.Ordinal) || !Files.TryGetValue(request.Path[Start.Length..], out var content))
            return new(404, []);
        return Content(request, content, $"\"{Sha256(content)}\"");
    }

    /// <summary>A file, or what is missing of it.</summary>
    public static Response Content(Request request, byte[] content, string etag)
    {
        if (request.From >= content.Length && request.From > 0) return new(416, []);
        return new(request.From > 0 ? 206 : 200, content[request.From..]) { Headers = $"ETag: {etag}\r\n" };
    }

    private async Task Accept()
    {
        while (true)
        {
            TcpClient client;
            try
            {
                client = await _listener.AcceptTcpClientAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
            _ = Task.Run(() => Serve(client));
        }
    }

    private async Task Serve(TcpClient client)
    {
        using (client)
        {
            var stream = client.GetStream();
            using var reader = new StreamReader(stream, Encoding.ASCII, false, 1, leaveOpen: true);
            while (await reader.ReadLineAsync() is { Length: > 0 } first)
            {
                var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
                while (await reader.ReadLineAsync() is { Length: > 0 } line)
                    headers[line.Split(':')[0]] = line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
                var range = headers.GetValueOrDefault("Range");
                var request = new Request(first.Split(' ')[0], first.Split(' ')[1],
                    range is null ? 0 : int.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture),
                    headers.GetValueOrDefault("Authorization"));
                Requests.Enqueue(request);
                var response = Instead(request) ?? Answer(request);
                if (response.Wait is { } wait) await wait;
                var length = response.Length ?? response.Body.Length;
                await stream.WriteAsync(Encoding.ASCII.GetBytes(
                    $"HTTP/1.1 {response.Status} Some\r\n{response.Headers}Content-Length: {length}\r\n\r\n"));
                if (request.Method == "HEAD") continue;
                await stream.WriteAsync(response.Body.AsMemory(0, Math.Min(response.Body.Length, response.CutAfter)));
                if (response.CutAfter < length) return;
            }
        }
    }

    public sealed record Request(string Method, string Path, int From, string? Authorization);

    public sealed record Response(int Status, byte[] Body)
    {
        public string Headers { get; init; } = "";

        /// <summary>The promised length, if it is not that of the body.</summary>
        public int? Length { get; init; }

        /// <summary>Bytes after which the connection is cut.</summary>
        public int CutAfter { get; init; } = int.MaxValue;

        /// <summary>What is waited for before the answer.</summary>
        public Task? Wait { get; init; }
    }
}
