using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;

namespace Microsoft.ML;

/// <summary>Training and zero-shot classification in <c>mlContext.Transforms</c>, and pretrained models in
/// <c>mlContext.Model</c>.</summary>
public static class PrefixClipCatalog
{
    /// <summary>Trains a CLIP-style image-text model on captions and labels together, with a learned prefix per dataset type.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.Transforms</c>.</param>
    /// <param name="architecture">Sizes of the two towers; null means <see cref="ClipArchitecture.Tiny"/>.</param>
    /// <param name="epochs">Passes over the data.</param>
    /// <param name="batchSize">Rows per step; null means 128, or fewer if there are fewer rows.</param>
    /// <param name="learningRate">Peak learning rate, reached after warm-up.</param>
    /// <returns>An estimator; its <c>Fit</c> trains.</returns>
    /// <exception cref="ArgumentException">A setting is out of its range; the message lists all that are.</exception>
    /// <example>
    /// <code>
    /// PrefixClipTransformer model = mlContext.Transforms.PrefixClip(epochs: 20).Fit(train);
    /// </code>
    /// </example>
    public static PrefixClipEstimator PrefixClip(this TransformsCatalog catalog, ClipArchitecture? architecture = null, int epochs = 20,
        int? batchSize = null, double learningRate = 5e-4) => PrefixClip(catalog, new PrefixClipOptions
        {
            Architecture = architecture, Epochs = epochs, BatchSize = batchSize, LearningRate = learningRate,
        });

    /// <summary>Trains a CLIP-style image-text model with all settings.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.Transforms</c>.</param>
    /// <param name="options">The settings.</param>
    /// <returns>An estimator; its <c>Fit</c> trains.</returns>
    /// <exception cref="ArgumentException">A setting is out of its range; the message lists all that are.</exception>
    /// <example>
    /// <code>
    /// var clip = mlContext.Transforms.PrefixClip(new PrefixClipOptions { Architecture = ClipArchitecture.Tiny, Epochs = 20 });
    /// PrefixClipTransformer model = clip.Fit(train);
    /// </code>
    /// </example>
    public static PrefixClipEstimator PrefixClip(this TransformsCatalog catalog, PrefixClipOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new PrefixClipEstimator(CatalogUtils.GetEnvironment(catalog), options);
    }

    /// <summary>Trains a CLIP-style model and makes it a classifier of the classes in the label column.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.MulticlassClassification.Trainers</c>.</param>
    /// <param name="labelColumnName">Column with the class name: text, or key with text values. Rows without one, such as captioned images,
    /// are trained on as well.</param>
    /// <param name="imageColumnName">Column with the image.</param>
    /// <param name="predictedClassColumnName">Output column with the name of the most probable class as text; null for none, because
    /// "PredictedLabel" has it as a key.</param>
    /// <param name="prefix">Prefix of the class names at test time; null means the caption prefix, or the only one.</param>
    /// <param name="options">The settings of training, except the two column names; null means the defaults.</param>
    /// <returns>An estimator. Its <c>Fit</c> trains a model, takes the class names from the label column, and encodes them.</returns>
    /// <exception cref="ArgumentException">A setting is out of its range; the message lists all that are.</exception>
    /// <example>
    /// <code>
    /// var trainer = mlContext.MulticlassClassification.Trainers.PrefixClip("Label", predictedClassColumnName: "Class");
    /// using ZeroShotClassificationTransformer classifier = trainer.Fit(train);
    /// </code>
    /// </example>
    public static PrefixClipTrainer PrefixClip(this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog,
        string labelColumnName = "Label", string imageColumnName = "Image", string? predictedClassColumnName = null,
        PrefixSelection? prefix = null, PrefixClipOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        options ??= new PrefixClipOptions();
        var columns = options.Columns with { Label = labelColumnName, Image = imageColumnName };
        return new PrefixClipTrainer(CatalogUtils.GetEnvironment(catalog), options with { Columns = columns },
            new ZeroShotClassificationOptions
            {
                LabelColumnName = labelColumnName, ImageColumnName = imageColumnName, Prefix = prefix,
                PredictedClassColumnName = predictedClassColumnName,
            });
    }

    /// <summary>Loads a pretrained CLIP model in open_clip's, OpenAI's or Hugging Face's layout, or one saved with
    /// <c>SaveSafetensors</c>.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.Model</c>.</param>
    /// <param name="path">A folder with weights, configuration and vocabulary, or the weight file in such a folder; or the name of a model
    /// on Hugging Face's hub, such as "openai/clip-vit-base-patch32" or "hf://openai/clip-vit-base-patch32@main".</param>
    /// <param name="options">Settings that the files do not contain; null if they contain all.</param>
    /// <returns>The model. It has no prefixes unless this package saved it. Dispose it after use.</returns>
    /// <remarks>
    /// Reads safetensors files, also sharded ones, and PyTorch checkpoints of state dictionaries, without executing anything in them.
    /// Half-precision weights become fp32. A model on the hub is downloaded once, into the cache that other tools share; the environment
    /// variables <c>HF_HOME</c>, <c>HF_ENDPOINT</c>, <c>HF_TOKEN</c> and <c>HF_HUB_OFFLINE</c> are those of Hugging Face's own tools. To
    /// train the model further, pass its path or name as <see cref="PrefixClipOptions.InitialWeights"/>.
    /// </remarks>
    /// <exception cref="ArgumentException">A setting is out of its range, contradicts the files, or is required because the files do not
    /// contain it.</exception>
    /// <exception cref="IOException">A file is missing (the message says which, and where it belongs) or cannot be read, or the hub cannot
    /// be reached or refuses access.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or the model is not supported.</exception>
    /// <exception cref="OperationCanceledException">The download was canceled.</exception>
    /// <exception cref="InvalidOperationException">A GPU is requested, but there is none.</exception>
    /// <example>
    /// <code>
    /// using PrefixClipTransformer clip = mlContext.Model.LoadClip("openai/clip-vit-base-patch32");
    /// var zeroShot = mlContext.Transforms.ZeroShotClassification(clip, ["red apple", "grinning face"]);
    /// </code>
    /// </example>
    public static PrefixClipTransformer LoadClip(this ModelOperationsCatalog catalog, string path, ClipLoadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        var environment = CatalogUtils.GetEnvironment(catalog);
        return new PrefixClipTransformer(environment, PretrainedClip.Load(environment, path, options ?? new ClipLoadOptions()));
    }

    /// <summary>Classifies images by class names alone, with a trained model.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.Transforms</c>.</param>
    /// <param name="model">The trained model; do not dispose it while it is used for scoring.</param>
    /// <param name="classNames">The names of the classes to choose from; at least two. A repeated name becomes "name (2)".</param>
    /// <param name="prefix">The prefix at test time; null means the caption prefix. With <see cref="PrefixSelection.Auto"/>, <c>Fit</c>
    /// chooses it from its images, which need no labels.</param>
    /// <returns>An estimator. Its <c>Fit</c> encodes the class names, and reads data only to choose a prefix.</returns>
    /// <exception cref="ArgumentException">There are fewer than two class names, one is empty, or the prefix names a dataset type that the
    /// model was not trained on.</exception>
    /// <example>
    /// <code>
    /// var zeroShot = mlContext.Transforms.ZeroShotClassification(model, ["red apple", "grinning face"]);
    /// IDataView scored = zeroShot.Fit(test).Transform(test);
    /// var metrics = mlContext.MulticlassClassification.Evaluate(scored, labelColumnName: "Label");
    /// </code>
    /// </example>
    public static ZeroShotClassificationEstimator ZeroShotClassification(
        this TransformsCatalog catalog, PrefixClipTransformer model, IReadOnlyList<string> classNames, PrefixSelection? prefix = null) =>
        ZeroShotClassification(catalog, model, new ZeroShotClassificationOptions { ClassNames = classNames, Prefix = prefix });

    /// <summary>Classifies images by class names alone, with a trained model and all settings.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.Transforms</c>.</param>
    /// <param name="model">The trained model; do not dispose it while it is used for scoring.</param>
    /// <param name="options">The settings.</param>
    /// <returns>An estimator. Its <c>Fit</c> encodes the class names, and reads data only to choose a prefix.</returns>
    /// <exception cref="ArgumentException">A setting is out of its range; the message lists all that are.</exception>
    public static ZeroShotClassificationEstimator ZeroShotClassification(
        this TransformsCatalog catalog, PrefixClipTransformer model, ZeroShotClassificationOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(model);
        return new ZeroShotClassificationEstimator(CatalogUtils.GetEnvironment(catalog), model, options);
    }

    /// <summary>Classifies images by class names alone, with the model of the <c>PrefixClip</c> step before it in the pipeline.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.Transforms</c>.</param>
    /// <param name="classNames">The classes to choose from: at least two. Where a name repeats, its second class is named
    /// "name (2)".</param>
    /// <param name="prefix">The test-time prefix; null for the caption prefix. <see cref="PrefixSelection.Auto"/> chooses it from the
    /// images that the pipeline is fitted to; to choose it from others, train first and pass the model.</param>
    /// <returns>An estimator to append to <c>PrefixClip</c>. Training and classification are then one estimator, to be fitted,
    /// cross-validated and saved as a whole.</returns>
    /// <remarks>The classifier reads the image embeddings of the step before. Other steps may stand in between if they keep this column.
    /// The model belongs to the fitted pipeline: dispose that when it is no longer used.</remarks>
    /// <exception cref="ArgumentException">There are fewer than two class names, or one is empty.</exception>
    /// <example>
    /// <code>
    /// var pipeline = mlContext.Transforms.PrefixClip(options)
    ///     .Append(mlContext.Transforms.ZeroShotClassification(["red apple", "grinning face"]));
    /// var folds = mlContext.MulticlassClassification.CrossValidate(train, pipeline, numberOfFolds: 3);
    /// </code>
    /// </example>
    public static ZeroShotClassificationEstimator ZeroShotClassification(
        this TransformsCatalog catalog, IReadOnlyList<string> classNames, PrefixSelection? prefix = null) =>
        ZeroShotClassification(catalog, new ZeroShotClassificationOptions { ClassNames = classNames, Prefix = prefix });

    /// <summary>Classifies images by class names alone, with the model of the <c>PrefixClip</c> step before it in the pipeline and all
    /// settings.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.Transforms</c>.</param>
    /// <param name="options">The settings. With several <c>PrefixClip</c> steps before it,
    /// <see cref="ZeroShotClassificationOptions.ImageColumnName"/> is the column of embeddings of the one to use.</param>
    /// <exception cref="ArgumentException">A setting is out of its range; the message lists all that are.</exception>
    /// <inheritdoc cref="ZeroShotClassification(TransformsCatalog, IReadOnlyList{string}, PrefixSelection?)" path="/returns|/remarks"/>
    public static ZeroShotClassificationEstimator ZeroShotClassification(
        this TransformsCatalog catalog, ZeroShotClassificationOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new ZeroShotClassificationEstimator(CatalogUtils.GetEnvironment(catalog), model: null, options);
    }

    /// <summary>Adds the pixels that the vision tower reads, as input for an exported ONNX model.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.Transforms</c>.</param>
    /// <param name="model">The trained model, which supplies image size, normalization and policy for bad images. It is not needed
    /// afterwards.</param>
    /// <param name="outputColumnName">The added column; null means the name of the exported model's input, "Pixels" or
    /// "NormalizedPixels".</param>
    /// <param name="inputColumnName">Column with the image; null means the model's image column.</param>
    /// <param name="pixels">Meaning of the pixel values; the same as in the exported model.</param>
    /// <returns>An estimator. Its <c>Fit</c> reads no data, and its transformer runs without TorchSharp's native library.</returns>
    /// <exception cref="ArgumentException">The pixel values are not a member of the enumeration, or a column name is empty.</exception>
    /// <example>
    /// <code>
    /// classifier.SaveAsOnnx("classifier.onnx");
    /// var pipeline = mlContext.Transforms.ClipPixels(model)
    ///     .Append(mlContext.Transforms.ApplyOnnxModel(["Score", "PredictedLabel"], ["Pixels"], "classifier.onnx"));
    /// </code>
    /// </example>
    public static ClipPixelsEstimator ClipPixels(this TransformsCatalog catalog, PrefixClipTransformer model,
        string? outputColumnName = null, string? inputColumnName = null, PixelValues pixels = PixelValues.Rgb255)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(model);
        var settings = ClipPixelsSettings.Of(model.Trained.Settings, pixels);
        if (outputColumnName is not null) settings = settings with { OutputColumnName = outputColumnName };
        if (inputColumnName is not null) settings = settings with { ImageColumnName = inputColumnName };
        ArgumentException.ThrowIfNullOrWhiteSpace(settings.OutputColumnName, nameof(outputColumnName));
        ArgumentException.ThrowIfNullOrWhiteSpace(settings.ImageColumnName, nameof(inputColumnName));
        return new ClipPixelsEstimator(CatalogUtils.GetEnvironment(catalog), settings);
    }
}
