using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;
using Microsoft.ML.Runtime;

[assembly: LoadableClass(ClipPixelsTransformer.Summary, typeof(ClipPixelsTransformer), null, typeof(SignatureLoadModel),
    "CLIP pixels transformer", ClipPixelsTransformer.LoaderSignature)]

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Adds the pixels that a model's vision tower reads: images decoded, resized and cropped as the model itself does it.</summary>
/// <remarks>
/// <para>Adds a vector of float of dimensions 3, S and S, with S the model's image size: planes of red, green and blue.</para>
/// <para>An unreadable image throws <see cref="InvalidDataException"/>, or becomes a vector of NaN if the model's policy is to skip. ML.NET
/// reads the view on several threads and wraps the exception in one of its own.</para>
/// <para>Safe for use from many threads. It saves and loads with <c>mlContext.Model</c> like ML.NET's own transformers, and requires
/// neither the model nor TorchSharp's native library.</para>
/// </remarks>
public sealed class ClipPixelsTransformer : ITransformer
{
    internal const string LoaderSignature = "ClipPixels";
    private const string Signature = "CLPIXELS";
    internal const string Summary = "Adds the pixels that a CLIP model's vision tower sees.";

    private readonly IHostEnvironment _environment;
    private readonly ClipPixelsSettings _settings;

    internal ClipPixelsTransformer(IHostEnvironment environment, ClipPixelsSettings settings) =>
        (_environment, _settings) = (environment, settings);

    /// <summary>Height and width in pixels.</summary>
    public int ImageSize => _settings.ImageSize;

    /// <summary>Meaning of the pixel values.</summary>
    public PixelValues Pixels => _settings.Pixels;

    /// <inheritdoc/>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return Over(input);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The image column is missing or has the wrong type.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return Over(new EmptyDataView(_environment, inputSchema)).OutputSchema;
    }

    /// <inheritdoc/>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return Over(new EmptyDataView(_environment, inputSchema));
    }

    bool ITransformer.IsRowToRowMapper => true;

    // ClipPixelsSettings' layout.
    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        SavedComponent.WriteHeader(ctx, Signature, LoaderSignature);
        _settings.Write(ctx.Writer);
    }

    // Called by ML.NET's loader, which finds it by its name and parameters.
    private static ClipPixelsTransformer Create(IHostEnvironment env, ModelLoadContext ctx) => SavedComponent.Load(
        env, ctx, Signature, LoaderSignature, () => new ClipPixelsTransformer(env, ClipPixelsSettings.Read(ctx.Reader)));

    private RowToRowMapperTransform Over(IDataView input) =>
        new(_environment, input, CreateMapper(input.Schema), CreateMapper);

    private ClipPixelsMapper CreateMapper(DataViewSchema input) => new(_settings, this, input);
}
