using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;

namespace Microsoft.ML;

/// <summary>Comparing a model's prefixes in <c>mlContext.MulticlassClassification</c>, beside ML.NET's <c>Evaluate</c>.</summary>
public static class PrefixEvaluationCatalog
{
    private const int DefaultTopK = 5;   // as is usual for ImageNet

    /// <summary>Zero-shot metrics of one labeled view with every prefix of a model, with none, and with given blends.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.MulticlassClassification</c>.</param>
    /// <param name="data">Rows with an image, or an embedding of this model, and a label: text, or key with text key values.</param>
    /// <param name="model">The trained model.</param>
    /// <param name="classNames">The classes to choose from: at least two; every label must be among them.</param>
    /// <param name="blends">Further prefixes to compare; null for none.</param>
    /// <param name="topK">How many of the most probable classes count for the top-k accuracy. Default 5; at most the number of classes is
    /// used.</param>
    /// <returns>ML.NET's metrics per prefix, all from the same rows.</returns>
    /// <remarks>
    /// Every image is decoded and encoded once, whatever the number of prefixes; only with image prefixes (ImagePrefixLength) once for each
    /// of these. Rows without a label, and rows whose image cannot be read, are counted and not scored, whatever the model's policy.
    /// </remarks>
    /// <exception cref="ArgumentException">A class name is empty, a blend names an unknown type or is
    /// <see cref="PrefixSelection.Auto"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type, or <paramref name="topK"/> is below
    /// 1.</exception>
    /// <exception cref="InvalidDataException">A label is not among the class names, or no row can be scored.</exception>
    /// <example>
    /// <code>
    /// var half = PrefixSelection.Blend(("caption", 1), ("classification", 1));
    /// PrefixComparison comparison = mlContext.MulticlassClassification.ComparePrefixes(test, model, classNames, [half]);
    /// Console.WriteLine(comparison);
    /// </code>
    /// </example>
    public static PrefixComparison ComparePrefixes(
        this MulticlassClassificationCatalog catalog, IDataView data, PrefixClipTransformer model, IReadOnlyList<string> classNames,
        IEnumerable<PrefixSelection>? blends = null, int topK = DefaultTopK) =>
        ComparePrefixes(catalog, data, model, new ZeroShotClassificationOptions { ClassNames = classNames }, blends, topK);

    /// <summary>Zero-shot metrics of one labeled view with every prefix of a model, with none, and with given blends; with all
    /// settings.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.MulticlassClassification</c>.</param>
    /// <param name="data">Rows with an image, or an embedding of this model, and a label.</param>
    /// <param name="model">The trained model.</param>
    /// <param name="options">The settings; the prefix among them is not used.</param>
    /// <param name="blends">Further prefixes to compare; null for none.</param>
    /// <param name="topK">How many of the most probable classes count for the top-k accuracy.</param>
    /// <returns>ML.NET's metrics per prefix, all from the same rows.</returns>
    /// <exception cref="ArgumentException">A setting is out of its range; the message lists all that are.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type, or <paramref name="topK"/> is below
    /// 1.</exception>
    /// <exception cref="InvalidDataException">A label is not among the class names, or no row can be scored.</exception>
    public static PrefixComparison ComparePrefixes(
        this MulticlassClassificationCatalog catalog, IDataView data, PrefixClipTransformer model, ZeroShotClassificationOptions options,
        IEnumerable<PrefixSelection>? blends = null, int topK = DefaultTopK)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(topK, 1);
        options.Validate();
        PrefixSelection[] further = [.. blends ?? []];
        if (Array.IndexOf(further, null) is >= 0 and var at)
            throw new ArgumentException($"The blend at index {at} is null; pass selections of prefixes.", nameof(blends));
        return PrefixEvaluation.Run(CatalogUtils.GetEnvironment(catalog), catalog, data, model, options, further, topK);
    }
}
