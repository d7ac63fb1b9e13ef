using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Creates a zero-shot classifier from a trained model and class names.</summary>
/// <remarks>
/// Created by <c>mlContext.Transforms.ZeroShotClassification</c>.
/// Source: CLIP paper (arXiv 2103.00020), section 3.1; the prefix at test time: arXiv 2206.01125, section 3.3.
/// </remarks>
public sealed class ZeroShotClassificationEstimator : IEstimator<ZeroShotClassificationTransformer>
{
    private readonly IHost _host;
    private readonly PrefixClipTransformer _model;
    private readonly ZeroShotClassificationOptions _options;

    internal ZeroShotClassificationEstimator(
        IHostEnvironment environment, PrefixClipTransformer model, ZeroShotClassificationOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        // An unknown type is an error now, not in Fit.
        if (options.Prefix is { IsAuto: true }) AutoPrefix.Check(model.Model);
        else PrefixResolution.Resolve(options.Prefix, model.DatasetTypes);
        _host = environment.Register(nameof(ZeroShotClassificationEstimator));
        (_model, _options) = (model, options);
    }

    private string ImageColumnName => _options.ImageColumnName ?? _model.Model.Settings.ImageColumnName;

    /// <summary>Encodes the class names. It reads rows only to choose a prefix (<see cref="PrefixSelection.Auto"/>), and then at most
    /// <see cref="ZeroShotClassificationOptions.MaxAutoImages"/> images and no labels.</summary>
    /// <param name="input">A view with the image column.</param>
    /// <exception cref="ArgumentOutOfRangeException">The image column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">A prefix is to be chosen, but there are no images, or one is unreadable and the model's
    /// policy is to fail.</exception>
    /// <exception cref="ArgumentException">The column has embeddings that were computed with another image prefix than the requested
    /// one.</exception>
    /// <returns>The classifier. It shares the model; do not dispose the model first.</returns>
    public ZeroShotClassificationTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var model = _model.Model;
        var column = ZeroShotColumns.RequireImage(input.Schema, ImageColumnName, model.Settings);   // an error now, not at the first row
        var prefix = _options.Prefix is { IsAuto: true } ? AutoPrefix.Choose(_host, model, input, _options) : _options.Prefix;
        if (ZeroShotColumns.IsEmbedding(column)) ZeroShotColumns.RequireSameImagePrefix(ImageColumnName, prefix, model.Settings);
        var keys = new ClassKeys(_options.ClassNames);
        keys.WarnOfRepeated(_host);
        var classifier = new ZeroShotClassifier
        {
            ClassNames = keys.Names,
            Embeddings = model.EncodeClasses(
                _options.Texts, _options.PromptTemplates ?? PromptTemplates.Of([.. model.Settings.Templates]), prefix),
            LogitScale = (float)(_options.LogitScale ?? model.LogitScale),
            Prefix = prefix ?? PrefixResolution.Default(model.Settings.DatasetTypes),
            ImageColumnName = ImageColumnName,
            LabelColumnName = _options.LabelColumnName,
            ScoreColumnName = _options.ScoreColumnName,
            PredictedLabelColumnName = _options.PredictedLabelColumnName,
        };
        return new ZeroShotClassificationTransformer(_host, _model, classifier, ownsModel: false);
    }

    /// <summary>Returns the columns of the classifier's output, given those of the input.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The image column is missing or has the wrong type.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        EmbeddingColumns.RequireImage(inputSchema, ImageColumnName, nameof(ZeroShotClassificationOptions.ImageColumnName),
            embeddingsFit: true);
        return ZeroShotColumns.AddTo(inputSchema, _options.LabelColumnName, _options.ScoreColumnName, _options.PredictedLabelColumnName);
    }
}
