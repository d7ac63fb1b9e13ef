using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;
using Microsoft.ML.Runtime;

[assembly: LoadableClass(PrefixClipTransformer.Summary, typeof(PrefixClipTransformer), null, typeof(SignatureLoadModel),
    "Prefix CLIP transformer", PrefixClipTransformer.LoaderSignature)]

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A trained CLIP-style model: adds image and text embeddings to a view.</summary>
/// <remarks>
/// <para>Adds <c>ImageEmbedding</c> (vector of float, unit length, of the architecture's embedding size) and, if the input has the text
/// column, <c>TextEmbedding</c> (the same, with the caption prefix). Rows are read ahead and encoded in batches; columns that are not
/// requested cost nothing. Every pass over the view encodes again: for several passes, add <c>mlContext.Data.Cache</c> or
/// <c>AppendCacheCheckpoint</c>. ML.NET's log warns at the third pass.</para>
/// <para>With <see cref="BadRowPolicy.Fail"/>, reading the embedding of an unreadable image throws <see cref="InvalidDataException"/>;
/// other columns and rows can still be read.</para>
/// <para>Safe for use from many threads. It owns native memory; dispose it after use. As everywhere in ML.NET, a prediction engine disposes
/// its transformer; to keep a model that is used elsewhere, set <see cref="PredictionEngineOptions.OwnsTransformer"/> to false.</para>
/// <para>It saves and loads with <c>mlContext.Model</c> like ML.NET's own transformers. If a file cannot be loaded, the reason is in the
/// inner exception of the one that ML.NET throws, and in <c>MLContext.Log</c>.</para>
/// <para>ML.NET's <c>ConvertToOnnx</c> exports <c>ImageEmbedding</c>, computed from an input of pixels. With <c>TextEmbedding</c> it throws
/// <see cref="NotSupportedException"/>: pass it rows without the text column. See docs/onnx.md.</para>
/// </remarks>
public sealed class PrefixClipTransformer : ITransformer, IDisposable
{
    internal const string LoaderSignature = "PrefixClipTransformer";
    private const string Signature = "PRFXCLIP";
    internal const string Summary = "Adds the embeddings of a CLIP model that was trained with prefix conditioning.";

    private readonly TrainedModel _model;

    internal PrefixClipTransformer(IHostEnvironment environment, TrainedModel model)
    {
        Environment = environment;
        _model = model;
    }

    internal IHostEnvironment Environment { get; }

    /// <summary>The trained model.</summary>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    internal TrainedModel Trained
    {
        get
        {
            _model.ThrowIfDisposed();
            return _model;
        }
    }

    /// <summary>Sizes of the towers.</summary>
    public ClipArchitecture Architecture => _model.Settings.Architecture;

    /// <summary>The dataset types that the model was trained on. A <see cref="PrefixSelection"/> can name these.</summary>
    public IReadOnlyList<DatasetType> DatasetTypes => _model.Settings.DatasetTypes;

    /// <summary>How the model was trained.</summary>
    public TrainingHistory History => _model.History;

    /// <summary>The learned factor from cosine similarity to logit, 1 to 100.</summary>
    public double LogitScale => _model.LogitScale;

    /// <summary>Number of parameters.</summary>
    public long ParameterCount => _model.ParameterCount;

    /// <summary>Number of token ids, including start and end token.</summary>
    public int VocabularySize => _model.Settings.VocabularySize;

    /// <summary>The same model with another precision of matrix products.</summary>
    /// <param name="precision">With <see cref="Precision.BFloat16"/>, its weights take half the memory.</param>
    /// <returns>A model of its own with a copy of the weights, on the same device. It saves its precision, and weights in single precision:
    /// those of a model in bfloat16 are rounded.</returns>
    /// <exception cref="ArgumentException">The precision is no member of <see cref="Precision"/>.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public PrefixClipTransformer WithPrecision(Precision precision) => Enum.IsDefined(precision)
        ? new(Environment, Trained.WithPrecision(precision, Environment))
        : throw new ArgumentException(
            $"The precision is {(int)precision}; use a member of {nameof(Precision)}.", nameof(precision));

    /// <summary>Computes embeddings of texts as they are; class names are not put into templates.</summary>
    /// <param name="texts">U texts, truncated to the architecture's context length.</param>
    /// <param name="prefix">The prefix of all texts; null means the caption prefix.</param>
    /// <returns>U vectors of unit length.</returns>
    /// <exception cref="ArgumentException">A text is null, or the prefix names a type that the model was not trained on.</exception>
    public float[][] EncodeTexts(IReadOnlyList<string> texts, PrefixSelection? prefix = null)
    {
        RequireTexts(texts);
        return Rows(Trained.EncodeTexts(texts, prefix));
    }

    /// <summary>Computes embeddings of image files.</summary>
    /// <param name="images">N paths or locators inside archives.</param>
    /// <returns>N vectors of unit length; NaN for unreadable images if the model's policy is to skip.</returns>
    /// <exception cref="InvalidDataException">An image is unreadable and the model's policy is to fail.</exception>
    public float[][] EncodeImages(IReadOnlyList<string> images)
    {
        ArgumentNullException.ThrowIfNull(images);
        return EncodeImages(images.Select(ImageReference.FromLocator));
    }

    /// <summary>Computes embeddings of encoded images in memory.</summary>
    /// <param name="images">N encoded files: PNG, JPEG, WebP, BMP or GIF.</param>
    /// <inheritdoc cref="EncodeImages(IReadOnlyList{string})" path="/returns|/exception"/>
    public float[][] EncodeImages(IReadOnlyList<byte[]> images)
    {
        ArgumentNullException.ThrowIfNull(images);
        return EncodeImages(images.Select(ImageReference.FromEncoded));
    }

    /// <summary>Computes embeddings of ML.NET images.</summary>
    /// <param name="images">N images.</param>
    /// <inheritdoc cref="EncodeImages(IReadOnlyList{string})" path="/returns|/exception"/>
    public float[][] EncodeImages(IReadOnlyList<MLImage> images)
    {
        ArgumentNullException.ThrowIfNull(images);
        return EncodeImages(images.Select(ImageReference.FromImage));
    }

    private float[][] EncodeImages(IEnumerable<ImageReference> images)
    {
        var encoder = new EmbeddingEncoder(Trained, prefix: null);
        var all = new List<float[]>();
        foreach (var pass in images.Chunk(encoder.ImagesPerPass))
        {
            var prepared = encoder.Prepare(pass, i => string.Create(CultureInfo.InvariantCulture, $"The image at index {all.Count + i}"));
            for (var i = 0; i < pass.Length; i++) all.Add(prepared.Embedding(i).ToArray());
        }
        return [.. all];
    }

    private static void RequireTexts(IReadOnlyList<string> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        for (var i = 0; i < texts.Count; i++)
            if (texts[i] is null)
                throw new ArgumentException($"The text at index {i} is null; pass an empty text for no words.", nameof(texts));
    }

    private float[][] Rows(float[] values) => [.. values.Chunk(Architecture.EmbeddingSize)];

    /// <summary>Saves weights, configuration and vocabulary as files that open_clip or Hugging Face's transformers can read.</summary>
    /// <param name="folder">The folder; it is created if it does not exist. Files with the same names are replaced, each
    /// atomically.</param>
    /// <param name="layout">Layout of names and files.</param>
    /// <remarks>
    /// Prefixes are saved as additional tensors, <c>prefix_embedding</c> and <c>visual.prefix_embedding</c>, and dataset types as metadata.
    /// <c>LoadClip</c> reads everything back, bit for bit. Programs without prefix support see the model without prefixes
    /// (<see cref="PrefixSelection.None"/>); for them, save class embeddings instead
    /// (<see cref="ZeroShotClassificationTransformer.SaveClassEmbeddings"/>).
    /// </remarks>
    /// <exception cref="ArgumentException">The folder's name is empty, or the layout is not a member of the enumeration.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    /// <exception cref="NotSupportedException">open_clip has no such vision tower, as is the case for Swin transformers.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public void SaveSafetensors(string folder, ClipLayout layout = ClipLayout.OpenClip)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        if (!Enum.IsDefined(layout)) throw new ArgumentException($"The layout is {(int)layout}; use a member of {nameof(ClipLayout)}.",
            nameof(layout));
        if (Architecture.VisionKind is { IsInOpenClip: false } other)
            throw new NotSupportedException(
                $"open_clip's and Hugging Face's layouts do not support {other.Name} vision towers; save this model with " +
                "mlContext.Model.Save.");
        if (layout == ClipLayout.HuggingFace && Architecture.VisionKind is { } kind)
            throw new ArgumentException($"Hugging Face's CLIPModel has no {kind.Name} tower; save this model in open_clip's layout.",
                nameof(layout));
        Trained.Lend(network => ClipExport.Write(folder, layout, network, _model.Tokenizer, _model.Settings));
    }

    /// <summary>Converts texts to token ids, the input of the exported text encoder.</summary>
    /// <param name="texts">U texts, truncated to the architecture's context length.</param>
    /// <returns>U rows of equal length: start token, text, end token, then zeros up to the longest text. Empty if there are no
    /// texts.</returns>
    /// <exception cref="ArgumentException">A text is null.</exception>
    public long[][] Tokenize(IReadOnlyList<string> texts)
    {
        RequireTexts(texts);
        if (texts.Count == 0) return [];
        var batch = TokenBatch.Pad([.. texts.Select(t => Trained.Tokenizer.Encode(t, Architecture.ContextLength))]);
        return [.. batch.Ids.Chunk(batch.Length)];
    }

    /// <summary>Exports the vision tower as an ONNX model: pixels to embeddings of unit length.</summary>
    /// <param name="path">The file, which is replaced if it exists. Above 2 GB, the weights go to a second file with ".data" appended to
    /// the name.</param>
    /// <param name="prefix">The image prefix to build in, for models that have image prefixes; of a blend, the one with the largest weight.
    /// Null means the caption prefix, which this transformer's image embeddings have.</param>
    /// <param name="pixels">Meaning of the input values. The input is named <c>Pixels</c> for values from 0 to 255, and
    /// <c>NormalizedPixels</c> for normalized ones.</param>
    /// <remarks>
    /// Input: [N, 3, S, S] float, with S the architecture's image size. Output: <c>ImageEmbedding</c>, [N, D] float. Opset 17. Prepare
    /// images with <see cref="PrefixClipCatalog.ClipPixels"/>. docs/onnx.md describes inputs, outputs and metadata.
    /// </remarks>
    /// <exception cref="ArgumentException">The path is empty, or the prefix names a type that the model was not trained on.</exception>
    /// <exception cref="IOException">The file cannot be written; an existing file is unchanged.</exception>
    public void SaveImageEncoderAsOnnx(string path, PrefixSelection? prefix = null, PixelValues pixels = PixelValues.Rgb255) =>
        Trained.Lend(network => OnnxExport.ImageEncoder(_model, network, prefix, pixels).Write(path));

    /// <summary>Exports the text tower as an ONNX model: token ids to embeddings of unit length, with a built-in prefix.</summary>
    /// <param name="path"><inheritdoc cref="SaveImageEncoderAsOnnx" path="/param[@name='path']"/></param>
    /// <param name="prefix">The prefix of all texts; null means the caption prefix.</param>
    /// <remarks>
    /// Input: <c>TokenIds</c>, [N, L] int64, as <see cref="Tokenize"/> returns them, with L at most the context length. Output:
    /// <c>TextEmbedding</c>, [N, D] float. Opset 17. A blend of K prefixes runs the tower on K N rows and takes K times as long; the file
    /// grows only by the prefixes.
    /// </remarks>
    /// <exception cref="ArgumentException">The path is empty, or the prefix names a type that the model was not trained on.</exception>
    /// <exception cref="IOException">The file cannot be written; an existing file is unchanged.</exception>
    public void SaveTextEncoderAsOnnx(string path, PrefixSelection? prefix = null) =>
        Trained.Lend(network => OnnxExport.TextEncoder(_model, network, prefix).Write(path));

    /// <inheritdoc/>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new ScoringView(Environment, input, CreateMapper(input.Schema), this);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The image column is missing or has the wrong type.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => CreateMapper(inputSchema).OutputSchema;

    /// <inheritdoc/>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => CreateMapper(inputSchema);

    bool ITransformer.IsRowToRowMapper => true;

    private EmbeddingMapper CreateMapper(DataViewSchema input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var settings = Trained.Settings;
        List<EmbeddedColumn> columns = [new(EmbeddedContent.Image, settings.ImageColumnName, settings.ImageEmbeddingColumnName)];
        if (input.GetColumnOrNull(settings.TextColumnName)?.Type is TextDataViewType)
            columns.Add(new(EmbeddedContent.Text, settings.TextColumnName, settings.TextEmbeddingColumnName));
        return new EmbeddingMapper(this, input, [.. columns], "Columns.Image");
    }

    // The stream layout is ModelFile's.
    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        SavedComponent.WriteHeader(ctx, Signature, LoaderSignature);
        ModelFile.Write(ctx, Trained);
    }

    // Called by ML.NET's loader, which finds it by its name and parameters.
    private static PrefixClipTransformer Create(IHostEnvironment env, ModelLoadContext ctx) => SavedComponent.Load(
        env, ctx, Signature, LoaderSignature, () =>
    {
        HashingStream.LoadLibrary();   // reading the model needs it while libtorch is loaded
        TorchLibrary.BeginLoading(then: ImageDecoder.LoadLibrary);
        return new PrefixClipTransformer(env, ModelFile.Read(ctx, env));
    });

    /// <summary>Frees the model's memory.</summary>
    public void Dispose() => _model.Dispose();
}
