using Microsoft.AspNetCore.Http;

namespace Studio;

/// <summary>Keeps other web sites out: their pages can send requests to this machine, too.</summary>
internal static class SameOrigin
{
    /// <summary>Host names that the server answers to. Any other name that resolves to this machine is refused.</summary>
    public const string Hosts = "localhost;127.0.0.1;[::1]";

    private const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    /// <summary>Adds headers to every answer, and refuses requests from the pages of other sites, except to navigate to this one.</summary>
    public static async Task Apply(HttpContext context, RequestDelegate next)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.CacheControl = "no-store";
        if (IsSafe(context.Request)) await next(context);
        else
            await Results.Problem("The request comes from a page of another site. Open this server's own page.", statusCode: 403)
                .ExecuteAsync(context);
    }

    // Browsers send Origin with every request that changes something; programs such as curl send none.
    private static bool IsSafe(HttpRequest request) => HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method)
        || request.Headers.Origin is not [var origin, ..] || origin == $"{request.Scheme}://{request.Host}";
}
