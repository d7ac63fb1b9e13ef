using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;

namespace Microsoft.ML;

/// <summary>Comparison of a model's prefixes in <c>mlContext.MulticlassClassification</c> and <c>mlContext.Ranking</c>, next to ML.NET's
/// <c>Evaluate</c>.</summary>
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
        return PrefixEvaluation.Run(CatalogUtils.GetEnvironment(catalog), catalog, data, model, options, Selections(blends), topK);
    }

    /// <summary>Retrieves texts by images and images by texts of a captioned view, for every prefix of a model, for no prefix, and for
    /// additional blends.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.Ranking</c>.</param>
    /// <param name="data">Rows with an image and a text, in the same order in every pass. Rows with the same path, or the same bytes, are
    /// captions of one image.</param>
    /// <param name="model">The trained model.</param>
    /// <param name="blends">Additional prefixes to compare; null for none.</param>
    /// <param name="imageColumnName">Column of images; null means the model's image column.</param>
    /// <param name="textColumnName">Column of texts, or key with text key values; null means the model's text column.</param>
    /// <returns>Recall and mean average precision for each prefix, in both directions, on the same images and texts.</returns>
    /// <remarks>
    /// Every image is compared with every text, in blocks: memory grows with their embeddings, not with the number of pairs. Images are
    /// decoded and encoded once, or once per image prefix; texts once per prefix. Rows without a text and unreadable images are counted but
    /// not compared, regardless of the model's policy. ML.NET's <c>CancelExecution</c> stops it.
    /// </remarks>
    /// <exception cref="ArgumentException">A blend names an unknown type or is <see cref="PrefixSelection.Auto"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">No row has a text and a readable image.</exception>
    /// <exception cref="OperationCanceledException">The environment was canceled.</exception>
    /// <example>
    /// <code>
    /// IDataView test = mlContext.Data.LoadCocoCaptions("captions_val2017.json", "val2017/");
    /// RetrievalComparison retrieval = mlContext.Ranking.ComparePrefixes(test, model);
    /// double recall = retrieval[PrefixSelection.Caption].TextToImage.RecallAt5;
    /// </code>
    /// </example>
    public static RetrievalComparison ComparePrefixes(
        this RankingCatalog catalog, IDataView data, PrefixClipTransformer model, IEnumerable<PrefixSelection>? blends = null,
        string? imageColumnName = null, string? textColumnName = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(model);
        var settings = model.Trained.Settings;
        var image = ColumnReader.RequireImage(data.Schema, imageColumnName ?? settings.ImageColumnName, nameof(imageColumnName));
        var text = ColumnReader.RequireTextOrKey(data.Schema, textColumnName ?? settings.TextColumnName, nameof(textColumnName));
        return RetrievalEvaluation.Run(CatalogUtils.GetEnvironment(catalog), data, model, image, text, Selections(blends));
    }

    private static PrefixSelection[] Selections(IEnumerable<PrefixSelection>? blends)
    {
        PrefixSelection[] further = [.. blends ?? []];
        return Array.IndexOf(further, null) is >= 0 and var at
            ? throw new ArgumentException($"The blend at index {at} is null; pass selections of prefixes.", nameof(blends)) : further;
    }
}
