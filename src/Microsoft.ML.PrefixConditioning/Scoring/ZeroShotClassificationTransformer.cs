using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;
using Microsoft.ML.Runtime;

[assembly: LoadableClass(ZeroShotClassificationTransformer.Summary, typeof(ZeroShotClassificationTransformer), null,
    typeof(SignatureLoadModel), "Zero-shot classification transformer", ZeroShotClassificationTransformer.LoaderSignature)]

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Classifies images by class names: adds the probability of every class and the most probable class.</summary>
/// <remarks>
/// <para>Adds <c>Score</c> (vector of float, one probability per class, with the class names as slot names) and <c>PredictedLabel</c> (key
/// with the class names as key values). If the input has a text <c>Label</c>, it is mapped to the same key type, so that ML.NET's
/// <c>Evaluate</c> works on the result.</para>
/// <para>Labels are compared with the class names in Unicode normalization form C. A label that is not a class name becomes missing; a
/// warning in ML.NET's log gives the number of such labels, an example and the nearest name, once per view. If a pass over all rows finds
/// labels but none that is a class name, it throws <see cref="InvalidDataException"/>. Keys must have text key values. Numeric labels stay
/// unchanged; <c>Evaluate</c> reads them as zero-based indexes of the classes.</para>
/// <para>Safe for use from many threads. A fitted classifier shares the model; a loaded one owns its own. It saves and loads with
/// <c>mlContext.Model</c> like ML.NET's own transformers.</para>
/// <para>In a pipeline after <c>PrefixClip</c> it reads the image embeddings of that step and leaves the model to it, in memory and in the
/// file, so score with the whole pipeline. If its prefix needs another image prefix than the embeddings have
/// (<see cref="PrefixClipOptions.ImagePrefixLength"/>), it encodes the images itself and is saved with a model of its own.</para>
/// <para>ML.NET's <c>ConvertToOnnx</c> exports it with the pipeline that it is part of; <see cref="SaveAsOnnx"/> exports it alone. See
/// docs/onnx.md.</para>
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

    /// <summary>The same classifier, which disposes its model.</summary>
    internal ZeroShotClassificationTransformer Owning() => new(Environment, _model, _classifier, ownsModel: true);

    /// <summary>Whether another step of the pipeline provides the embeddings and saves the model.</summary>
    internal bool LeavesModelToPipeline { get; init; }

    /// <summary>The class names, in the order of the scores. A repeated name becomes "name (2)".</summary>
    public IReadOnlyList<string> ClassNames => _classifier.ClassNames;

    /// <summary>The prefix that the class names were encoded with.</summary>
    public PrefixSelection Prefix => _classifier.Prefix;

    /// <summary>The factor from cosine similarity to logit.</summary>
    public double LogitScale => _classifier.LogitScale;

    /// <summary>The model that encodes the images.</summary>
    /// <exception cref="InvalidOperationException">The classifier was loaded as a part of a pipeline that has the model in its
    /// <c>PrefixClip</c> step.</exception>
    public PrefixClipTransformer Model => _model ?? throw new InvalidOperationException(
        "This classifier was saved behind a PrefixClip step, which has the model. Score with the whole pipeline; for all else take the " +
        "PrefixClipTransformer of the pipeline, and make a classifier of it with ZeroShotClassification(model, classNames).");

    /// <summary>Saves the class embeddings, with the prefix applied, for programs without prefix support.</summary>
    /// <param name="path">With the extension .npy: NumPy's format, fp32 [classes, embedding size] in the order of <see cref="ClassNames"/>,
    /// rows of unit length. With .safetensors: the same as "class_embeddings", the factor from cosine similarity to logit as
    /// "logit_scale_exp", and class names and prefix as metadata.</param>
    /// <exception cref="ArgumentException">The path has another extension.</exception>
    /// <exception cref="IOException">The file cannot be written; an existing file is unchanged.</exception>
    public void SaveClassEmbeddings(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        TorchLibrary.EnsureLoaded();
        ClassEmbeddingFile.Write(path, _classifier);
    }

    /// <summary>Exports the whole classifier as an ONNX model: pixels to probabilities and the name of the most probable class.</summary>
    /// <param name="path">The file, which is replaced if it exists. Above 2 GB, the weights go to a second file with ".data" appended to
    /// the name.</param>
    /// <param name="pixels">Meaning of the input values. The input is named <c>Pixels</c> for values from 0 to 255, and
    /// <c>NormalizedPixels</c> for normalized ones.</param>
    /// <remarks>
    /// <para>Input: [N, 3, S, S] float, with S the architecture's image size. Outputs: <c>Score</c>, [N, C] float, and
    /// <c>PredictedLabel</c>, [N] text. Opset 17. The metadata hold the class names, as JSON under <c>class_names</c>.</para>
    /// <para>It runs in ML.NET's <c>ApplyOnnxModel</c>. With images from <see cref="PrefixClipCatalog.ClipPixels"/>, it predicts the same
    /// labels as this transformer. ML.NET's own <c>ResizeImages</c> uses another filter, so the label can change where two classes score
    /// alike. See docs/onnx.md.</para>
    /// </remarks>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="IOException">The file cannot be written; an existing file is unchanged.</exception>
    /// <exception cref="InvalidOperationException">The classifier has no <see cref="Model"/>.</exception>
    public void SaveAsOnnx(string path, PixelValues pixels = PixelValues.Rgb255)
    {
        var model = Model.Trained;
        model.Lend(network => OnnxExport.Classifier(model, network, _classifier.ToOnnx(), pixels).Write(path));
    }

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

    private ZeroShotMapper CreateMapper(DataViewSchema input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new ZeroShotMapper(Environment, () => Model.Trained, _classifier, input);
    }

    // ZeroShotClassifier's layout, and the model as a sub-model of its own, unless another step saves it.
    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        SavedComponent.WriteHeader(ctx, Signature, LoaderSignature);
        _classifier.Write(ctx.Writer);
        if (!LeavesModelToPipeline) ctx.SaveModel(Model, ModelName);
    }

    // Called by ML.NET's loader, which finds it by its name and parameters.
    private static ZeroShotClassificationTransformer Create(IHostEnvironment env, ModelLoadContext ctx) => SavedComponent.Load(
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

    /// <summary>Releases the model if the classifier owns it, that is, if it was loaded from a file or made by
    /// <c>Trainers.PrefixClip</c>.</summary>
    public void Dispose()
    {
        if (_ownsModel) _model?.Dispose();
    }
}
