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
/// <para>Adds <c>ImageEmbedding</c> (vector of float, unit length, of the architecture's embedding size) and, when the input has the
/// text column, <c>TextEmbedding</c> (the same, with the caption prefix). Rows are encoded in batches that are read ahead; columns
/// that nobody asks for cost nothing. Every pass over the view encodes again: put <c>mlContext.Data.Cache</c> or
/// <c>AppendCacheCheckpoint</c> behind it where several passes follow.</para>
/// <para>With <see cref="BadRowPolicy.Fail"/> an image that cannot be read is an <see cref="InvalidDataException"/> for whoever asks
/// for its embedding; other columns and rows can still be read.</para>
/// <para>Safe for use from many threads. It owns native memory: dispose it when it is no longer used. A prediction engine disposes its
/// transformer with itself, as everywhere in ML.NET; set <see cref="PredictionEngineOptions.OwnsTransformer"/> to false for a model that
/// others use too.</para>
/// <para>It saves and loads with <c>mlContext.Model</c> like ML.NET's own transformers. What is wrong with a file that cannot be loaded
/// stands in the inner exception of the one that ML.NET throws, and in <c>MLContext.Log</c>.</para>
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
    internal TrainedModel Model
    {
        get
        {
            _model.ThrowIfDisposed();
            return _model;
        }
    }

    /// <summary>Sizes of the towers.</summary>
    public ClipArchitecture Architecture => _model.Settings.Architecture;

    /// <summary>The dataset types that the model was trained on: those that a <see cref="PrefixSelection"/> can name.</summary>
    public IReadOnlyList<DatasetType> DatasetTypes => _model.Settings.DatasetTypes;

    /// <summary>How the model was trained.</summary>
    public TrainingHistory History => _model.History;

    /// <summary>The learned factor between cosine similarity and logit, 1 to 100.</summary>
    public double LogitScale => _model.LogitScale;

    /// <summary>Number of learned values.</summary>
    public long ParameterCount => _model.ParameterCount;

    /// <summary>Number of token ids, start and end token included.</summary>
    public int VocabularySize => _model.Settings.VocabularySize;

    /// <summary>Embeddings of texts, as they are: class names are not put into templates.</summary>
    /// <param name="texts">U texts; longer ones are cut to the architecture's context length.</param>
    /// <param name="prefix">The prefix that all texts get; null for the caption prefix.</param>
    /// <returns>U vectors of unit length.</returns>
    /// <exception cref="ArgumentException">A text is null, or the prefix names a type that the model was not trained on.</exception>
    public float[][] EncodeTexts(IReadOnlyList<string> texts, PrefixSelection? prefix = null)
    {
        RequireTexts(texts);
        return Rows(Model.EncodeTexts(texts, prefix));
    }

    /// <summary>Embeddings of image files.</summary>
    /// <param name="images">N paths or locators inside archives.</param>
    /// <returns>N vectors of unit length; NaN for unreadable images if the model's policy is to skip them.</returns>
    /// <exception cref="InvalidDataException">An image cannot be read and the model's policy is to fail.</exception>
    public float[][] EncodeImages(IReadOnlyList<string> images)
    {
        ArgumentNullException.ThrowIfNull(images);
        return EncodeImages(images.Select(ImageReference.FromLocator));
    }

    /// <summary>Embeddings of encoded images in memory.</summary>
    /// <param name="images">N encoded files: PNG, JPEG, WebP, BMP or GIF.</param>
    /// <inheritdoc cref="EncodeImages(IReadOnlyList{string})" path="/returns|/exception"/>
    public float[][] EncodeImages(IReadOnlyList<byte[]> images)
    {
        ArgumentNullException.ThrowIfNull(images);
        return EncodeImages(images.Select(ImageReference.FromEncoded));
    }

    /// <summary>Embeddings of ML.NET images.</summary>
    /// <param name="images">N images.</param>
    /// <inheritdoc cref="EncodeImages(IReadOnlyList{string})" path="/returns|/exception"/>
    public float[][] EncodeImages(IReadOnlyList<MLImage> images)
    {
        ArgumentNullException.ThrowIfNull(images);
        return EncodeImages(images.Select(ImageReference.FromImage));
    }

    private float[][] EncodeImages(IEnumerable<ImageReference> images)
    {
        var encoder = new EmbeddingEncoder(Model, prefix: null);
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

    /// <summary>Writes the model as files that open_clip or Hugging Face's transformers read: weights, configuration and
    /// vocabulary.</summary>
    /// <param name="folder">Created if it does not exist. Files of the same names are replaced, each at once.</param>
    /// <param name="layout">Whose names weights and files get.</param>
    /// <remarks>
    /// Prefixes are written as further tensors, <c>prefix_embedding</c> and <c>visual.prefix_embedding</c>, and the dataset types as
    /// metadata; <c>LoadClip</c> reads all of it back, bit for bit. Programs that know no prefixes see the model without them
    /// (<see cref="PrefixSelection.None"/>): give them class embeddings instead
    /// (<see cref="ZeroShotClassificationTransformer.SaveClassEmbeddings"/>).
    /// </remarks>
    /// <exception cref="ArgumentException">The folder's name is empty, or the layout is none.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    /// <exception cref="NotSupportedException">The vision tower is a Swin.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public void SaveSafetensors(string folder, ClipLayout layout = ClipLayout.OpenClip)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        if (!Enum.IsDefined(layout)) throw new ArgumentException($"The layout is {(int)layout}; use a member of {nameof(ClipLayout)}.",
            nameof(layout));
        if (layout == ClipLayout.HuggingFace && Architecture.ResNet is not null)
            throw new ArgumentException("Hugging Face's CLIPModel has no ResNet tower; save this model in open_clip's layout.",
                nameof(layout));
        if (Architecture.Swin is not null)
            throw new NotSupportedException(
                "Models with a Swin vision tower have no place in open_clip's or Hugging Face's layout; save this one with " +
                    "mlContext.Model.Save.");
        Model.Export(folder, layout);
    }

    /// <summary>Token ids of texts, as the exported text encoder takes them.</summary>
    /// <param name="texts">U texts; longer ones are cut to the architecture's context length.</param>
    /// <returns>U rows of equal length: start token, text, end token, then zeros up to the longest text. None for no texts.</returns>
    /// <exception cref="ArgumentException">A text is null.</exception>
    public long[][] Tokenize(IReadOnlyList<string> texts)
    {
        RequireTexts(texts);
        if (texts.Count == 0) return [];
        var batch = TokenBatch.Pad([.. texts.Select(t => Model.Tokenizer.Encode(t, Architecture.ContextLength))]);
        return [.. batch.Ids.Chunk(batch.Length)];
    }

    /// <summary>Writes the vision tower as an ONNX model: pixels to embeddings of length 1.</summary>
    /// <param name="path">The file; an older one is replaced. Above 2 GB the weights go to a second file beside it, with ".data" behind the
    /// name.</param>
    /// <param name="prefix">Matters only for models with image prefixes: the one that is folded in, of a blend the one with the largest
    /// weight; null for the caption prefix, which the image embeddings of this transformer have.</param>
    /// <param name="pixels">What the input holds. It is called <c>NormalizedPixels</c> or, for 0 to 255, <c>Pixels</c>.</param>
    /// <remarks>
    /// Input: [N, 3, S, S] float, with S the architecture's image size. Output: <c>ImageEmbedding</c>, [N, D] float. Opset 17. Images are
    /// best prepared with <see cref="PrefixClipCatalog.ClipPixels"/>. Inputs, outputs and metadata are described in docs/onnx.md.
    /// </remarks>
    /// <exception cref="ArgumentException">The path is empty, or the prefix names a type that the model was not trained on.</exception>
    /// <exception cref="IOException">The file cannot be written; an older one is still whole.</exception>
    public void SaveImageEncoderAsOnnx(string path, PrefixSelection? prefix = null, PixelValues pixels = PixelValues.Rgb255) =>
        Model.Lend(network => OnnxExport.ImageEncoder(_model, network, prefix, pixels).Write(path));

    /// <summary>Writes the text tower as an ONNX model: token ids to embeddings of length 1, with a prefix folded in.</summary>
    /// <param name="path"><inheritdoc cref="SaveImageEncoderAsOnnx" path="/param[@name='path']"/></param>
    /// <param name="prefix">The prefix that all texts get; null for the caption prefix.</param>
    /// <remarks>
    /// Input: <c>TokenIds</c>, [N, L] int64, as <see cref="Tokenize"/> gives them, L at most the context length. Output:
    /// <c>TextEmbedding</c>, [N, D] float. Opset 17. A blend of K prefixes runs the tower on K N rows, so that it takes K times as long;
    /// the file is not larger but for the prefixes themselves.
    /// </remarks>
    /// <exception cref="ArgumentException">The path is empty, or the prefix names a type that the model was not trained on.</exception>
    /// <exception cref="IOException">The file cannot be written; an older one is still whole.</exception>
    public void SaveTextEncoderAsOnnx(string path, PrefixSelection? prefix = null) =>
        Model.Lend(network => OnnxExport.TextEncoder(_model, network, prefix).Write(path));

    /// <inheritdoc/>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new ScoringView(input, CreateMapper(input.Schema), this);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The image column is missing or has the wrong type.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => CreateMapper(inputSchema).OutputSchema;

    /// <inheritdoc/>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => CreateMapper(inputSchema);

    bool ITransformer.IsRowToRowMapper => true;

    private EmbeddingColumns.Mapper CreateMapper(DataViewSchema input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new EmbeddingColumns.Mapper(this, input);
    }

    // The stream layout is ModelFile's.
    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        SavedTransformer.WriteHeader(ctx, Signature, LoaderSignature);
        ModelFile.Write(ctx, Model);
    }

    // Called by ML.NET's loader, which finds it by its name and parameters.
    private static PrefixClipTransformer Create(IHostEnvironment env, ModelLoadContext ctx) => SavedTransformer.Load(
        env, ctx, Signature, LoaderSignature, () =>
    {
        var device = TorchDevice.Resolve(ComputeDevice.Auto, GpuSettings.Of(env));
        return new PrefixClipTransformer(env, ModelFile.Read(ctx, device));
    });

    /// <summary>Frees the model's memory.</summary>
    public void Dispose() => _model.Dispose();
}
