using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;

namespace Microsoft.ML;

/// <summary>Comparison of a model's prefixes in <c>mlContext.MulticlassClassification</c>, next to ML.NET's <c>Evaluate</c>.</summary>
public static class PrefixEvaluationCatalog
{
    private const int DefaultTopK = 5;   // as is usual for ImageNet

    /// <summary>Computes the zero-shot metrics of a labeled view for every prefix of a model, for no prefix, and for additional
    /// blends.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.MulticlassClassification</c>.</param>
    /// <param name="data">Rows with an image, or an embedding from this model, and a label (text, or key with text key values).</param>
    /// <param name="model">The trained model.</param>
    /// <param name="classNames">The names of the classes to choose from: at least two, and all that occur as labels.</param>
    /// <param name="blends">Additional prefixes to compare; null for none.</param>
    /// <param name="topK">Number of most probable classes that count for top-k accuracy, at most the number of classes. Default 5.</param>
    /// <returns>ML.NET's metrics for each prefix, all on the same rows.</returns>
    /// <remarks>
    /// Every image is decoded and encoded once, for any number of prefixes; a model with image prefixes (ImagePrefixLength) encodes it once
    /// per image prefix. Rows without a label and rows with an unreadable image are counted but not scored, regardless of the model's
    /// policy.
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

    /// <summary>Computes the zero-shot metrics of a labeled view for every prefix of a model, for no prefix, and for additional blends,
    /// with all settings.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.MulticlassClassification</c>.</param>
    /// <param name="data">Rows with an image, or an embedding from this model, and a label.</param>
    /// <param name="model">The trained model.</param>
    /// <param name="options">The settings, of which the prefix is ignored.</param>
    /// <param name="blends">Additional prefixes to compare; null for none.</param>
    /// <param name="topK">Number of most probable classes that count for top-k accuracy, at most the number of classes. Default 5.</param>
    /// <returns>ML.NET's metrics for each prefix, all on the same rows.</returns>
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
