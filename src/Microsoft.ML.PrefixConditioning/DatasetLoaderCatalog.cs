using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;

namespace Microsoft.ML;

/// <summary>Data loaders: sources with their settings but without a path. A model can be saved with one.</summary>
/// <remarks>
/// <para>A loader takes one path, as text or as a <see cref="MultiFileSource"/>. Other sources are an
/// <see cref="ArgumentException"/>.</para>
/// <para><c>mlContext.Model.LoadWithDataLoader</c> finds saved loaders in any process that has this package. If a loader is damaged, it
/// throws an exception of ML.NET, which contains an <see cref="InvalidDataException"/>; <c>MLContext.Log</c> gets the message of the
/// latter.</para>
/// </remarks>
public static class DatasetLoaderCatalog
{
    /// <summary>Creates a loader of labeled images from class-name folders.</summary>
    /// <remarks>Loads as <see cref="DatasetCatalog.LoadImageFolder"/> does, with the same exceptions.</remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="datasetType">Value of the dataset-type column. Default "classification".</param>
    /// <param name="classNames">Class names by folder name, or by name of a .tar file without its extension, for classes that are named
    /// by codes. Those that are not listed keep their own name. A loader from a file compares folder names by case. Default null.</param>
    /// <param name="imageColumnName">Output column with the image's path or locator. Default "Image".</param>
    /// <param name="textColumnName">Output column with the class name. Default "Text".</param>
    /// <param name="datasetTypeColumnName">Output column with the dataset type. Default "DatasetType".</param>
    /// <param name="labelColumnName">Output column with the class name again, as the label. Default "Label".</param>
    /// <returns>A loader of four text columns from the path of a folder, or of a .zip or .tar archive.</returns>
    /// <exception cref="ArgumentException">A name is empty, or two columns have the same name.</exception>
    /// <example>
    /// <code>
    /// var loader = mlContext.Data.CreateImageFolderLoader();
    /// mlContext.Model.Save(model, loader, "model.zip");
    ///
    /// ITransformer loaded = mlContext.Model.LoadWithDataLoader("model.zip", out var savedLoader);
    /// IDataView scored = loaded.Transform(savedLoader.Load("photos/"));
    /// </code>
    /// </example>
    public static IDataLoader<IMultiStreamSource> CreateImageFolderLoader(
        this DataOperationsCatalog catalog, string datasetType = "classification", IReadOnlyDictionary<string, string>? classNames = null,
        string imageColumnName = "Image", string textColumnName = "Text", string datasetTypeColumnName = "DatasetType",
        string labelColumnName = "Label") =>
        Create(catalog, new ImageFolderSource(
            classNames, datasetType, new(imageColumnName, textColumnName, datasetTypeColumnName, labelColumnName)));

    /// <summary>Creates a loader of images and captions from tables.</summary>
    /// <remarks>Loads as <see cref="DatasetCatalog.LoadImageCaptions"/> does, with the same exceptions.</remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="imageRoot">Folder or archive that relative image paths start from; null means the folder of each table. A relative
    /// root starts from the current folder of the process that loads data. Default null.</param>
    /// <param name="imageField">Header name of the image field; null means the recognized names. Default null.</param>
    /// <param name="captionField">Header name of the caption field; null means the recognized names. Default null.</param>
    /// <param name="imageIndex">Zero-based index of the image field, in a table without a header line. Default null.</param>
    /// <param name="captionIndex">Zero-based index of the caption field, in a table without a header line. Default null.</param>
    /// <param name="separator">The character between two fields; null to infer it from the extension. Default null.</param>
    /// <param name="datasetType">Value of the dataset-type column. Default "caption".</param>
    /// <param name="imageColumnName">Output column with the image's path or locator. Default "Image".</param>
    /// <param name="textColumnName">Output column with the caption. Default "Text".</param>
    /// <param name="datasetTypeColumnName">Output column with the dataset type. Default "DatasetType".</param>
    /// <param name="labelColumnName">Output column for labels, all missing. Default "Label".</param>
    /// <param name="allowOutsideRoot">Whether rows may name files outside of the image root. It is saved with the loader: set it for tables
    /// that you trust only. Default false.</param>
    /// <returns>A loader of four text columns from the path of a table.</returns>
    /// <exception cref="ArgumentException">A name is empty, two columns have the same name, or arguments contradict each
    /// other.</exception>
    /// <example>
    /// <code>
    /// var loader = mlContext.Data.CreateImageCaptionsLoader();
    /// var pipeline = loader.Append(mlContext.Transforms.PrefixClip(options));
    /// var trained = pipeline.Fit(new MultiFileSource("captions.tsv"));
    /// IDataView embedded = trained.Load("photos.tsv");
    /// </code>
    /// </example>
    public static IDataLoader<IMultiStreamSource> CreateImageCaptionsLoader(
        this DataOperationsCatalog catalog, string? imageRoot = null, string? imageField = null, string? captionField = null,
        int? imageIndex = null, int? captionIndex = null, char? separator = null, string datasetType = "caption",
        string imageColumnName = "Image", string textColumnName = "Text",
        string datasetTypeColumnName = "DatasetType", string labelColumnName = "Label", bool allowOutsideRoot = false) =>
        Create(catalog, new ImageCaptionSource(
            imageRoot, allowOutsideRoot, new(imageField, captionField, imageIndex, captionIndex), separator, datasetType,
            new(imageColumnName, textColumnName, datasetTypeColumnName, labelColumnName)));

    private static DatasetLoader Create(DataOperationsCatalog catalog, DatasetSource source)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        source.Check();
        return new DatasetLoader(CatalogUtils.GetEnvironment(catalog), source);
    }
}
