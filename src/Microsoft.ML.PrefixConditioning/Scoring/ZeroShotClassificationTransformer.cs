using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;
using Microsoft.ML.Runtime;

[assembly: LoadableClass(ZeroShotClassificationTransformer.Summary, typeof(ZeroShotClassificationTransformer), null,
    typeof(SignatureLoadModel), "Zero-shot classification transformer", ZeroShotClassificationTransformer.LoaderSignature)]

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Classifies images by class names: adds the probability of every class and the most probable one.</summary>
/// <remarks>
/// <para>Adds <c>Score</c> (vector of float, one probability per class, with the class names as slot names), <c>PredictedLabel</c>
/// (key with the class names as key values) and, where the input has a text <c>Label</c>, a <c>Label</c> of the same key type, so that
/// ML.NET's <c>Evaluate</c> works on the result.</para>
/// <para>Labels are compared with the class names in Unicode normalization form C. A label that is no class name becomes missing; a
/// warning in ML.NET's log gives their number, an example and the nearest name, once for a view. A pass over all rows that finds labels
/// but no class name among them ends with an <see cref="InvalidDataException"/>. Keys must have text key values. Labels
/// that are numbers stay as they are, and <c>Evaluate</c> takes them for the places of the classes, counted from 0.</para>
/// <para>Safe for use from many threads. After <c>Fit</c> it shares the model; loaded from a file it owns one. It saves and loads
/// with <c>mlContext.Model</c> like ML.NET's own transformers.</para>
/// <para>In a pipeline behind <c>PrefixClip</c> it reads that step's image embeddings and leaves the model to it, in memory and in the
/// file: score with the whole pipeline. Only where its prefix needs another image prefix than the embeddings have
/// (<see cref="PrefixClipOptions.ImagePrefixLength"/>), it encodes the images itself and is saved with a model of its own.</para>
/// </remarks>
public sealed class ZeroShotClassificationTransformer : ITransformer, IDisposable
{
    internal const string LoaderSignature = "ZeroShotClassification";   // ML.NET keeps 24 bytes
    private const string Signature = "ZEROSHOT";
    internal const string Summary = "Classifies images by class names with a CLIP model.";
    private const string ModelName = "Model";

    private readonly PrefixClipTransformer? _model;
    private readonly ZeroShotClassifier _classifier;
    private readonly bool _ownsModel;

    internal ZeroShotClassificationTransformer(
        IHostEnvironment environment, PrefixClipTransformer? model, ZeroShotClassifier classifier, bool ownsModel)
    {
        Environment = environment;
        (_model, _classifier, _ownsModel) = (model, classifier, ownsModel);
    }

    internal IHostEnvironment Environment { get; }

    /// <summary>Whether another step of the pipeline gives the embeddings and saves the model.</summary>
    internal bool LeavesModelToPipeline { get; init; }

    /// <summary>The classes to choose from, in the order of the scores. Where a name repeats, its second class is named
    /// "name (2)".</summary>
    public IReadOnlyList<string> ClassNames => _classifier.ClassNames;

    /// <summary>The test-time prefix that the class names were encoded with.</summary>
    public PrefixSelection Prefix => _classifier.Prefix;

    /// <summary>The factor between cosine similarity and logit.</summary>
    public double LogitScale => _classifier.LogitScale;

    /// <summary>The model that encodes the images.</summary>
    /// <exception cref="InvalidOperationException">The classifier was loaded as a part of a pipeline that has the model in its
    /// <c>PrefixClip</c> step.</exception>
    public PrefixClipTransformer Model => _model ?? throw new InvalidOperationException(
        "This classifier was saved behind a PrefixClip step, which has the model. Score with the whole pipeline; for all else take the " +
        "PrefixClipTransformer of the pipeline, and make a classifier of it with ZeroShotClassification(model, classNames).");

    /// <summary>Writes the class embeddings, with the prefix already in them, for programs that know no prefixes.</summary>
    /// <param name="path">
    /// With the extension .npy: NumPy's format, [classes, embedding size] of fp32 in the order of <see cref="ClassNames"/>, rows of length
    /// 1. With .safetensors: the same as "class_embeddings", the factor between cosine and logit as "logit_scale_exp", and class names and
    /// prefix as metadata.
    /// </param>
    /// <exception cref="ArgumentException">The path has another extension.</exception>
    /// <exception cref="IOException">The file cannot be written; an older one is still whole.</exception>
    public void SaveClassEmbeddings(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        TorchLibrary.EnsureLoaded();
        ClassEmbeddingFile.Write(path, _classifier);
    }

    /// <summary>Writes the whole classifier as an ONNX model: pixels to probabilities and the name of the most probable class.</summary>
    /// <param name="path">The file; an older one is replaced. Above 2 GB the weights go to a second file beside it, with ".data" behind the
    /// name.</param>
    /// <param name="pixels">What the input holds. It is called <c>Pixels</c> or, if normalized, <c>NormalizedPixels</c>.</param>
    /// <remarks>
    /// <para>Input: [N, 3, S, S] float, with S the architecture's image size. Outputs: <c>Score</c>, [N, C] float, and
    /// <c>PredictedLabel</c>, [N] text. Opset 17. The class names stand in the metadata, as JSON under <c>class_names</c>.</para>
    /// <para>It runs in ML.NET's <c>ApplyOnnxModel</c>. Images that <see cref="PrefixClipCatalog.ClipPixels"/> prepared get the labels of
    /// this transformer; ML.NET's own <c>ResizeImages</c> shrinks differently, so that near decisions may fall otherwise. See
    /// docs/onnx.md.</para>
    /// </remarks>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="IOException">The file cannot be written; an older one is still whole.</exception>
    /// <exception cref="InvalidOperationException">The classifier has no <see cref="Model"/>.</exception>
    public void SaveAsOnnx(string path, PixelValues pixels = PixelValues.Rgb255)
    {
        var model = Model.Model;
        var classes = new OnnxClasses(_classifier.ClassNames, _classifier.Embeddings, _classifier.LogitScale, _classifier.Prefix);
        model.Lend(network => OnnxExport.Classifier(model, network, classes, pixels).Write(path));
    }

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

    private ZeroShotColumns.Mapper CreateMapper(DataViewSchema input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new ZeroShotColumns.Mapper(Environment, () => Model.Model, _classifier, input);
    }

    // ZeroShotClassifier's layout, and the model as a sub-model of its own, unless another step saves it.
    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        SavedTransformer.WriteHeader(ctx, Signature, LoaderSignature);
        _classifier.Write(ctx.Writer);
        if (!LeavesModelToPipeline) ctx.SaveModel(Model, ModelName);
    }

    // Called by ML.NET's loader, which finds it by its name and parameters.
    private static ZeroShotClassificationTransformer Create(IHostEnvironment env, ModelLoadContext ctx) => SavedTransformer.Load(
        env, ctx, Signature, LoaderSignature, () =>
    {
        var hasModel = ctx.LoadModelOrNull<PrefixClipTransformer, SignatureLoadModel>(env, out var model, ModelName);
        try
        {
            var classifier = ZeroShotClassifier.Read(ctx.Reader, hasModel ? model.Architecture.EmbeddingSize : null);
            return new ZeroShotClassificationTransformer(env, model, classifier, ownsModel: true) { LeavesModelToPipeline = !hasModel };
        }
        catch
        {
            model?.Dispose();
            throw;
        }
    });

    /// <summary>Frees the model's memory if the classifier owns it: if it was loaded from a file.</summary>
    public void Dispose()
    {
        if (_ownsModel) _model?.Dispose();
    }
}
