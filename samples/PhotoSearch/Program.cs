using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;
using Microsoft.ML.PrefixConditioning;
using PhotoSearch;

// A web service that stores photos by their embeddings and finds them by texts:
//   dotnet run -c Release --project samples/PhotoSearch -- --model openai/clip-vit-base-patch32
//   curl -X PUT --data-binary @cat.jpg -H "Content-Type: image/jpeg" http://127.0.0.1:5080/photos/cat.jpg
//   curl "http://127.0.0.1:5080/search?text=a+cat"
const int MaxPhotoBytes = 16 << 20, MostFound = 100;
var builder = WebApplication.CreateBuilder(args);
if (builder.Configuration["model"] is not { } model)
{
    Console.Error.WriteLine("Give a model: --model clip.zip, a folder with a published model, or its name on the hub.");
    return 1;
}
if (builder.Configuration["urls"] is null) builder.WebHost.UseUrls("http://127.0.0.1:5080");
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = MaxPhotoBytes);
builder.Services.AddProblemDetails();
try
{
    builder.Services.AddPrefixClip(model);
}
catch (Exception e) when (e is IOException or ArgumentException)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}
builder.Services.AddSingleton<VectorStoreCollection<string, Photo>, PhotoCollection>();
var app = builder.Build();
app.UseExceptionHandler();

app.MapPut("/photos/{name}", async (string name, HttpRequest request, VectorStoreCollection<string, Photo> photos,
    IEmbeddingGenerator<DataContent, Embedding<float>> generator, CancellationToken cancellation) =>
{
    if (request.ContentLength > MaxPhotoBytes) return Results.StatusCode(StatusCodes.Status413PayloadTooLarge);
    using var bytes = new MemoryStream();
    await request.Body.CopyToAsync(bytes, cancellation);
    try
    {
        var content = new DataContent(bytes.ToArray(), request.ContentType ?? "application/octet-stream");
        var embedding = await generator.GenerateAsync(content, cancellationToken: cancellation);
        await photos.UpsertAsync(new Photo { Name = name, Embedding = embedding.Vector }, cancellation);
        return Results.NoContent();
    }
    catch (Exception e) when (e is InvalidDataException or ArgumentException)
    {
        return Results.Problem(e.Message, statusCode: StatusCodes.Status400BadRequest);   // no image, or a damaged one
    }
});

app.MapGet("/search", async (string text, VectorStoreCollection<string, Photo> photos,
    IEmbeddingGenerator<string, Embedding<float>> generator, CancellationToken cancellation, int top = 10, string prefix = "caption") =>
{
    try
    {
        var options = new EmbeddingGenerationOptions().WithPrefix(PrefixSelection.For(prefix));
        ReadOnlyMemory<float> query = await generator.GenerateVectorAsync(text, options, cancellation);
        var found = photos.SearchAsync(query, Math.Clamp(top, 1, MostFound), cancellationToken: cancellation);
        return Results.Ok(await found.Select(result => new { result.Record.Name, result.Score }).ToListAsync(cancellation));
    }
    catch (ArgumentException e)
    {
        return Results.Problem(e.Message, statusCode: StatusCodes.Status400BadRequest);   // an unknown prefix
    }
});

app.Services.GetRequiredService<PrefixClipTransformer>();   // errors of the model are told before the first request
app.Run();
return 0;
