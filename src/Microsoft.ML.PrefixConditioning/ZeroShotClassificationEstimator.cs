using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Creates a zero-shot classifier from class names and a trained model, which is passed or comes from the <c>PrefixClip</c> step
/// before it in the pipeline.</summary>
/// <remarks>
/// Created by <c>mlContext.Transforms.ZeroShotClassification</c>.
/// Source: CLIP paper (arXiv 2103.00020), section 3.1; the prefix at test time: arXiv 2206.01125, section 3.3.
/// </remarks>
public sealed class ZeroShotClassificationEstimator : IEstimator<ZeroShotClassificationTransformer>
{
    private static readonly ModelConsumer Consumer = new("ZeroShotClassification", "classNames",
        $"Set {nameof(ZeroShotClassificationOptions.ImageColumnName)} to the one whose model is to classify.");

    private readonly IHost _host;
    private readonly PrefixClipTransformer? _model;   // null: that of the step before
    private readonly ZeroShotClassificationOptions _options;

    internal ZeroShotClassificationEstimator(
        IHostEnvironment environment, PrefixClipTransformer? model, ZeroShotClassificationOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        // An unknown type is an error now, not in Fit.
        if (model is not null)
        {
            if (options.Prefix is { IsAuto: true }) AutoPrefix.Check(model.Trained);
            else PrefixResolution.Resolve(options.Prefix, model.DatasetTypes);
        }
        _host = environment.Register(nameof(ZeroShotClassificationEstimator));
        (_model, _options) = (model, options);
    }

    /// <summary>Encodes the class names. It reads rows only to choose a prefix (<see cref="PrefixSelection.Auto"/>), and then at most
    /// <see cref="ZeroShotClassificationOptions.MaxAutoImages"/> images and no labels.</summary>
    /// <param name="input">A view with the image column, or with the image embeddings of the <c>PrefixClip</c> step before.</param>
    /// <exception cref="ArgumentOutOfRangeException">The image column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidOperationException">No model was passed, and the input has the embeddings of no <c>PrefixClip</c> step or of
    /// several.</exception>
    /// <exception cref="InvalidDataException">A prefix is to be chosen, but there are no images, or one is unreadable and the model's
    /// policy is to fail.</exception>
    /// <exception cref="ArgumentException">The column has embeddings that were computed with another image prefix than the requested
    /// one.</exception>
    /// <exception cref="OperationCanceledException">ML.NET's environment was canceled.</exception>
    /// <returns>The classifier. It shares the model; do not dispose the model first.</returns>
    public ZeroShotClassificationTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var (embeddings, source) = _model is null
            ? ModelAnnotation.Find(input.Schema, Consumer, _options.ImageColumnName) : (null, _model);
        var model = source.Trained;
        string ImageColumn(PrefixSelection? prefix) => _options.ImageColumnName
            ?? (ZeroShotColumns.EmbeddingsFit(prefix, model.Settings) ? embeddings : null) ?? model.Settings.ImageColumnName;
        var prefix = _options.Prefix is not { IsAuto: true } ? _options.Prefix
            : AutoPrefix.Choose(_host, model, input, _options with { ImageColumnName = ImageColumn(PrefixSelection.Auto) });
        var image = ImageColumn(prefix);
        var column = ZeroShotColumns.RequireImage(input.Schema, image, model.Settings.Architecture.EmbeddingSize);   // an error now
        if (ZeroShotColumns.IsEmbedding(column)) ZeroShotColumns.RequireSameImagePrefix(image, prefix, model.Settings);
        var keys = new ClassKeys(_options.ClassNames);
        keys.WarnOfRepeated(_host);
        var classifier = new ZeroShotClassifier
        {
            ClassNames = keys.Names,
            Embeddings = EncodeClasses(model, prefix),
            LogitScale = (float)(_options.LogitScale ?? model.LogitScale),
            Prefix = prefix ?? PrefixResolution.Default(model.Settings.DatasetTypes),
            ImageColumnName = image,
            LabelColumnName = _options.LabelColumnName,
            ScoreColumnName = _options.ScoreColumnName,
            PredictedLabelColumnName = _options.PredictedLabelColumnName,
            PredictedClassColumnName = _options.PredictedClassColumnName,
        };
        return new ZeroShotClassificationTransformer(_host, source, classifier, ownsModel: false)
        {
            LeavesModelToPipeline = _model is null && ZeroShotColumns.IsEmbedding(column),
        };
    }

    private float[] EncodeClasses(TrainedModel model, PrefixSelection? prefix)
    {
        var templates = _options.PromptTemplates ?? PromptTemplates.Of([.. model.Settings.Templates]);
        var (done, total) = (0, _options.Texts.Count * templates.Count);
        using var progress = _host.StartProgressChannel("Encoding class names");
        progress.SetHeader(new ProgressHeader(["texts"]), entry => entry.SetProgress(0, done, total));
        return model.EncodeClasses(_options.Texts, templates, prefix, encoded =>
        {
            _host.CheckAlive();
            done = encoded;
        });
    }

    /// <summary>Returns the columns of the classifier's output, given those of the input.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The image column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidOperationException">No model was passed, and the input has the embeddings of no <c>PrefixClip</c> step or of
    /// several.</exception>
    /// <exception cref="ArgumentException">The prefix names a type that the step before does not train.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        var image = _model is null ? FindBeforeTraining(inputSchema) : _model.Trained.Settings.ImageColumnName;
        EmbeddingColumns.RequireImage(inputSchema, _options.ImageColumnName ?? image,
            nameof(ZeroShotClassificationOptions.ImageColumnName), embeddingsFit: true);
        return ZeroShotColumns.AddTo(inputSchema, _options);
    }

    /// <summary>The column of embeddings that the step before will add. Faults are found here, before hours of training.</summary>
    private string FindBeforeTraining(SchemaShape inputSchema)
    {
        var (column, types) = ModelAnnotation.Find(inputSchema, Consumer, _options.ImageColumnName);
        if (_options.Prefix is { IsAuto: false }) PrefixResolution.Resolve(_options.Prefix, types);
        return column;
    }
}
