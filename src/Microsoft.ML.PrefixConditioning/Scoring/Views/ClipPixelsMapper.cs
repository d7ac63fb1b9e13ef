using Microsoft.ML.Data;
using Microsoft.ML.Model.OnnxConverter;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Adds the pixels to the rows of one schema. ML.NET's own view runs it on several threads.</summary>
internal sealed class ClipPixelsMapper : IRowMapper, ICanSaveOnnx
{
    private readonly ClipPixelsSettings _settings;
    private readonly ITransformer _transformer;
    private readonly DataViewSchema.Column _image;
    private readonly ImagePreprocessor _preprocessor;

    /// <exception cref="ArgumentOutOfRangeException">The image column is missing or has the wrong type.</exception>
    public ClipPixelsMapper(ClipPixelsSettings settings, ITransformer transformer, DataViewSchema input)
    {
        (_settings, _transformer) = (settings, transformer);
        _image = ColumnReader.RequireImage(input, settings.ImageColumnName, "inputColumnName");
        _preprocessor = ImagePreprocessor.For(settings.ImageSize, settings.Normalization);
    }

    public DataViewSchema.DetachedColumn[] GetOutputColumns()
    {
        var type = new VectorDataViewType(NumberDataViewType.Single, RgbImage.Channels, _settings.ImageSize, _settings.ImageSize);
        return [new(_settings.OutputColumnName, type)];
    }

    public Func<int, bool> GetDependencies(Func<int, bool> activeOutput) => column => activeOutput(0) && column == _image.Index;

    public Delegate[] CreateGetters(DataViewRow input, Func<int, bool> activeOutput, out Action? disposer)
    {
        disposer = null;
        if (!activeOutput(0)) return [null!];
        var getter = ColumnReader.ImageGetter(input, _image);
        ImageReference image = default;
        return
        [
            (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
            {
                getter(ref image);
                var editor = VBufferEditor.Create(ref value, _preprocessor.Length);
                Fill(image, editor.Values);
                value = editor.Commit();
            }),
        ];
    }

    public ITransformer GetTransformer() => _transformer;

    public void Save(ModelSaveContext ctx) => ((ICanSaveModel)_transformer).Save(ctx);

    // Without the exception ML.NET writes the rest of the chain.
    bool ICanSaveOnnx.CanSaveOnnx(OnnxContext ctx) => throw new NotSupportedException(
        "mlContext.Model.ConvertToOnnx cannot export a ClipPixelsTransformer, which decodes image files. Export a chain without it: " +
        "the exported model begins with the pixels. Keep ClipPixels for the pipeline that runs it with ApplyOnnxModel.");

    private void Fill(ImageReference image, Span<float> pixels)
    {
        try
        {
            using var memory = new MemoryShare();
            var decoded = ImageDecoder.Decode(image, _settings.ImageDecoding, _settings.ImageSize, memory);
            if (_settings.Pixels == PixelValues.Normalized) _preprocessor.ApplyTest(decoded, pixels);
            else FillRgb(decoded, pixels);
        }
        catch (Exception e) when (_settings.BadRows == BadRowPolicy.Skip && ImageDecoder.IsUnreadable(e))
        {
            // Missing then, as everywhere in the package
            pixels.Fill(float.NaN);
        }
    }

    private void FillRgb(RgbImage image, Span<float> pixels)
    {
        var cropped = new byte[_preprocessor.Length];
        _preprocessor.CropTest(image, cropped);   // [S, S, 3]
        var plane = pixels.Length / RgbImage.Channels;
        for (var i = 0; i < cropped.Length; i++)
            pixels[(i % RgbImage.Channels * plane) + (i / RgbImage.Channels)] = cropped[i];   // [3, S, S]
    }
}
