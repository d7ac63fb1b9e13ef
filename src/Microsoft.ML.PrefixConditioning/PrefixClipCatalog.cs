using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;

namespace Microsoft.ML;

/// <summary>Training and zero-shot scoring in <c>mlContext.Transforms</c>.</summary>
public static class PrefixClipCatalog
{
    /// <summary>Trains a CLIP-style image-text model on captions and labels together, with a learned prefix per dataset type.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.Transforms</c>.</param>
    /// <param name="options">The settings; null for the defaults.</param>
    /// <returns>An estimator; its <c>Fit</c> trains.</returns>
    /// <exception cref="ArgumentException">A setting is out of its range; the message lists all that are.</exception>
    /// <example>
    /// <code>
    /// var clip = mlContext.Transforms.PrefixClip(new PrefixClipOptions { Architecture = ClipArchitecture.Tiny, Epochs = 20 });
    /// PrefixClipTransformer model = clip.Fit(train);
    /// </code>
    /// </example>
    public static PrefixClipEstimator PrefixClip(this TransformsCatalog catalog, PrefixClipOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new PrefixClipEstimator(CatalogUtils.GetEnvironment(catalog), options ?? new PrefixClipOptions());
    }

    /// <summary>Classifies images by class names alone, with a trained model.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.Transforms</c>.</param>
    /// <param name="model">The trained model; it must not be disposed while it is used for scoring.</param>
    /// <param name="classNames">The classes to choose from: at least two, all different.</param>
    /// <param name="prefix">The test-time prefix; null for the caption prefix.</param>
    /// <returns>An estimator; its <c>Fit</c> encodes the class names and needs no data.</returns>
    /// <exception cref="ArgumentException">There are fewer than two class names, one is empty or occurs twice, or the prefix names a type
    /// that the model was not trained on.</exception>
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
    /// <param name="model">The trained model; it must not be disposed while it is used for scoring.</param>
    /// <param name="options">The settings.</param>
    /// <returns>An estimator; its <c>Fit</c> encodes the class names and needs no data.</returns>
    /// <exception cref="ArgumentException">A setting is out of its range; the message lists all that are.</exception>
    public static ZeroShotClassificationEstimator ZeroShotClassification(
        this TransformsCatalog catalog, PrefixClipTransformer model, ZeroShotClassificationOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new ZeroShotClassificationEstimator(CatalogUtils.GetEnvironment(catalog), model, options);
    }
}
