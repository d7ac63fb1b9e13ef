using System.Text.RegularExpressions;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Where models are downloaded from, and where they are kept. The variables are those of Hugging Face's own tools, which share the
/// cache.</summary>
/// <remarks>Source: "Environment variables" and "Understand caching" in the documentation of huggingface_hub.</remarks>
/// <param name="Endpoint">Address of the hub (<c>HF_ENDPOINT</c>).</param>
/// <param name="Cache">Folder of the cache (<c>HF_HUB_CACHE</c>, or "hub" in <c>HF_HOME</c>).</param>
/// <param name="Token">Access token (<c>HF_TOKEN</c>, or the file "token" in <c>HF_HOME</c>); null for none.</param>
/// <param name="IsOffline">Whether only the cache is used (<c>HF_HUB_OFFLINE</c>).</param>
internal sealed record HubSettings(Uri Endpoint, string Cache, string? Token, bool IsOffline)
{
    /// <summary>Pause before a request is repeated for the first time.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>What the environment says.</summary>
    /// <exception cref="ArgumentException"><c>HF_ENDPOINT</c> is no address.</exception>
    public static HubSettings FromEnvironment() => From(Environment.GetEnvironmentVariable);

    /// <summary>What variables say, by name.</summary>
    internal static HubSettings From(Func<string, string?> variable)
    {
        string? Value(string name) => variable(name) is { } value && !string.IsNullOrWhiteSpace(value) ? value.Trim() : null;
        var home = Value("HF_HOME") ?? Path.Combine(Value("XDG_CACHE_HOME") ?? Path.Combine(
            Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"), "huggingface");
        var address = Value("HF_ENDPOINT") ?? "https://huggingface.co";
        if (!Uri.TryCreate(address.TrimEnd('/') + '/', UriKind.Absolute, out var endpoint) || endpoint.Scheme is not ("http" or "https"))
            throw new ArgumentException(
                $"The environment variable HF_ENDPOINT is '{address}'; an address such as https://hub.example.com is expected.");
        var tokenFile = Value("HF_TOKEN_PATH") ?? Path.Combine(home, "token");
        var token = Value("HF_TOKEN") ?? (File.Exists(tokenFile) ? File.ReadAllText(tokenFile).Trim() : null);
        return new(endpoint, Value("HF_HUB_CACHE") ?? Path.Combine(home, "hub"), token is { Length: > 0 } ? token : null,
            Value("HF_HUB_OFFLINE")?.ToUpperInvariant() is "1" or "TRUE" or "YES" or "ON");
    }
}

/// <summary>A model on the hub.</summary>
/// <param name="Owner">A user or an organization.</param>
/// <param name="Name">Name of the model.</param>
/// <param name="Revision">Branch, tag or commit.</param>
internal sealed record HubModel(string Owner, string Name, string Revision)
{
    private const string Scheme = "hf://";

    private static readonly Regex Form = new(
        @"^([A-Za-z0-9][\w.-]*)/([A-Za-z0-9][\w.-]*)(?:@([A-Za-z0-9][\w.-]*))?$", RegexOptions.CultureInvariant);

    /// <summary>The model that a path names: <c>hf://owner/name</c>, <c>hf://owner/name@revision</c>, or <c>owner/name</c> where no such
    /// file or folder exists. Null for other paths.</summary>
    /// <exception cref="ArgumentException">The path begins with hf:// and names no model.</exception>
    public static HubModel? Parse(string path)
    {
        var isAddress = path.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase);
        if (!isAddress && (File.Exists(path) || Directory.Exists(path))) return null;
        if (Form.Match(isAddress ? path[Scheme.Length..] : path) is { Success: true } match)
            return new(match.Groups[1].Value, match.Groups[2].Value, match.Groups[3] is { Success: true, Value: var own } ? own : "main");
        return !isAddress ? null : throw new ArgumentException(
            $"{NearName.Quoted(path)} names no model; write hf://owner/name or hf://owner/name@revision.");
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Owner}/{Name}";
}
