using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace RemoteShards;

/// <summary>Signs requests without a body as Amazon S3 and stores like it expect them.</summary>
/// <remarks>Source: "Signature Calculations for the Authorization Header" in the API reference of Amazon S3.</remarks>
internal static class S3Signature
{
    private const string Algorithm = "AWS4-HMAC-SHA256";

    /// <summary>Adds the headers that prove who asks.</summary>
    public static void Sign(HttpRequestMessage request, string accessKey, string secretKey, string region, DateTime utcNow)
    {
        var emptyHash = Convert.ToHexStringLower(SHA256.HashData([]));
        request.Headers.Host = request.RequestUri!.IsDefaultPort ? request.RequestUri.Host : request.RequestUri.Authority;
        request.Headers.Add("x-amz-content-sha256", emptyHash);
        request.Headers.Add("x-amz-date", utcNow.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture));
        request.Headers.TryAddWithoutValidation("Authorization", Authorization(
            request.RequestUri.AbsolutePath, name => string.Join(',', request.Headers.GetValues(name)), accessKey, secretKey, region));
    }

    /// <summary>The value of the header Authorization.</summary>
    /// <param name="path">Path of the object, encoded.</param>
    /// <param name="header">Values of the headers that are signed.</param>
    /// <param name="accessKey">Name of the key.</param>
    /// <param name="secretKey">The key.</param>
    /// <param name="region">Region of the bucket.</param>
    public static string Authorization(string path, Func<string, string> header, string accessKey, string secretKey, string region)
    {
        string[] signed = ["host", "range", "x-amz-content-sha256", "x-amz-date"];
        var time = header("x-amz-date");
        var scope = $"{time[..8]}/{region}/s3/aws4_request";
        var request = $"GET\n{path}\n\n{string.Concat(signed.Select(name => $"{name}:{header(name)}\n"))}\n{string.Join(';', signed)}\n" +
            header("x-amz-content-sha256");
        var text = $"{Algorithm}\n{time}\n{scope}\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(request)))}";
        var key = scope.Split('/').Aggregate(Encoding.UTF8.GetBytes($"AWS4{secretKey}"), Hash);
        return $"{Algorithm} Credential={accessKey}/{scope},SignedHeaders={string.Join(';', signed)}," +
            $"Signature={Convert.ToHexStringLower(Hash(key, text))}";
    }

    private static byte[] Hash(byte[] key, string text) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text));
}
