using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Logging;

namespace Studio;

/// <summary>The page and its API on the loopback address.</summary>
internal static class StudioServer
{
    private const int MaxRequestBytes = 1 << 20, MaxUploadBytes = 64 << 20, MaxFilesPerUpload = 64, MaxConnections = 32;

    /// <summary>Sets up a server that is not yet started.</summary>
    /// <param name="model">The model; the caller disposes it after the server.</param>
    /// <param name="folder">The folder that can be loaded; null for none.</param>
    /// <param name="port">Port on 127.0.0.1; 0 for a free one.</param>
    public static WebApplication Create(StudioModel model, ImageFolder? folder, int port)
    {
        // The content root is where the program lies: settings in the current folder are not read.
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Configuration["AllowedHosts"] = SameOrigin.Hosts;
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, port);
            kestrel.AddServerHeader = false;
            (kestrel.Limits.MaxRequestBodySize, kestrel.Limits.MaxConcurrentConnections) = (MaxRequestBytes, MaxConnections);
        });
        builder.Services.Configure<FormOptions>(form => form.MultipartBodyLengthLimit = MaxUploadBytes);
        builder.Services.AddProblemDetails(problems => problems.CustomizeProblemDetails = Explain);
        builder.Services.AddOpenApi();

        var app = builder.Build();
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.Use(SameOrigin.Apply);
        var files = new EmbeddedFileProvider(typeof(StudioServer).Assembly, "Studio.wwwroot");
        app.UseDefaultFiles(new DefaultFilesOptions { FileProvider = files });
        app.UseStaticFiles(new StaticFileOptions { FileProvider = files });
        app.MapOpenApi();
        MapApi(app, model, folder);
        return app;
    }

    private static void MapApi(WebApplication app, StudioModel model, ImageFolder? folder)
    {
        var gallery = new Gallery(model);
        app.MapGet("/health", () => new Health("ready", gallery.Images.Count)).WithSummary("Says that the server is ready.");

        var api = app.MapGroup("/api").AddEndpointFilter(ReportUserErrors);
        api.MapGet("/model", () => model.Describe(folder is not null)).WithSummary("Describes the model.");
        api.MapGet("/images", () => gallery.Images.Select(image => image.Info)).WithSummary("Lists the images.");
        api.MapGet("/images/{id:int}/thumbnail", (int id) => gallery.Images.FirstOrDefault(image => image.Info.Id == id) is { } image
            ? Results.File(image.Thumbnail, "image/jpeg") : Results.Problem($"There is no image {id}.", statusCode: 404))
            .WithSummary("What the model sees of an image.").Produces(200, contentType: "image/jpeg").ProducesProblem(404);
        // Requests of other sites are refused by SameOrigin: there is no session whose cookie they could use.
        api.MapPost("/images", (IFormFileCollection uploads, CancellationToken cancelled) => gallery.Add(Uploaded(uploads), cancelled))
            .DisableAntiforgery().WithMetadata(new RequestSizeLimitAttribute(MaxUploadBytes))
            .WithSummary("Adds image files.").ProducesProblem(400).ProducesProblem(413);
        api.MapDelete("/images", gallery.Clear).WithSummary("Removes all images.");
        api.MapPost("/folder", (CancellationToken cancelled) => gallery.Add(OnDisk(folder), cancelled))
            .WithSummary("Adds the images of the folder that the server was started with.").ProducesProblem(400);
        api.MapPost("/classify", (ClassifyRequest request) => model.Classify(request, gallery.Images))
            .WithSummary("Classifies all images from class names.").ProducesProblem(400);
        api.MapGet("/search", (string text) => gallery.Search(text)).WithSummary("Sorts all images by how near they are to a text.");
        api.MapGet("/map", () => model.Map(gallery.Images)).WithSummary("Places all images on a plane.");
    }

    private static IEnumerable<(string, long, Func<byte[]>)> Uploaded(IFormFileCollection files)
    {
        if (files.Count is 0 or > MaxFilesPerUpload)
            throw new ArgumentException($"The request has {files.Count} files; send 1 to {MaxFilesPerUpload} at a time.");
        return files.Select(file => (file.FileName, file.Length, (Func<byte[]>)(() =>
        {
            var bytes = new byte[file.Length];
            using var stream = file.OpenReadStream();
            stream.ReadExactly(bytes);
            return bytes;
        })));
    }

    private static IEnumerable<(string, long, Func<byte[]>)> OnDisk(ImageFolder? folder) => folder is not null
        ? folder.Files().Select(file => (file.Name, new FileInfo(file.Path).Length, (Func<byte[]>)(() => File.ReadAllBytes(file.Path))))
        : throw new ArgumentException("The server was started without a folder. Start it with --images FOLDER.");

    private static async ValueTask<object?> ReportUserErrors(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        try
        {
            return await next(context);
        }
        catch (Exception e) when (e is ArgumentException or InvalidDataException)
        {
            return Results.Problem(e.Message, statusCode: 400);
        }
    }

    private static void Explain(ProblemDetailsContext context) => context.ProblemDetails.Detail ??= context.ProblemDetails.Status switch
    {
        400 => "The request is incomplete or malformed. /openapi/v1.json describes what is expected.",
        404 => "There is nothing at this address. /openapi/v1.json lists all addresses.",
        413 => $"The request is larger than {MaxUploadBytes >> 20} MB, or {MaxRequestBytes >> 20} MB without files. Send fewer files " +
            "at a time.",
        _ => null,
    };
}
