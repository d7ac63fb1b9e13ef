using Microsoft.ML.PrefixConditioning;

namespace Microsoft.ML;

/// <summary>The source of images and texts in Parquet files.</summary>
public static class ParquetCatalog
{
    /// <summary>Lists the rows of Parquet files with an image and a text each.</summary>
    /// <remarks>
    /// <para>This call reads the files' footers. A cursor reads one row group at a time, and of it only the active columns. Images stay in
    /// the files: the image column names a row group and a row, such as <c>train.parquet!/image.bytes@3+17</c>, and the images of the row
    /// groups read last stay in memory, up to 256 MB. Training reads images in random order, so row groups should be small: about 100
    /// rows, at most 1,000.</para>
    /// <para>The view can be read repeatedly and in parallel, knows its row count and can be shuffled: row groups come in random order, and
    /// so do the rows of each. <c>Fit</c> shuffles all rows by itself.</para>
    /// </remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="files">The .parquet files, with ranges, lists or wildcards as in
    /// <see cref="DatasetFormatCatalog.LoadWebDataset"/>.</param>
    /// <param name="imageField">Column of encoded images, or of paths (text). A column of a structure is named with a dot; of Hugging
    /// Face's image structure, such as "image", <c>image.bytes</c> is read.</param>
    /// <param name="captionField">Column of texts; whole numbers are taken as codes.</param>
    /// <param name="labelField">Column of labels, texts or whole numbers; null means that labels are missing. Default null.</param>
    /// <param name="datasetTypeField">Column of dataset types; null means <paramref name="datasetType"/>. Default null.</param>
    /// <param name="furtherFields">Columns that are passed on under their names: text, Boolean or numbers. Default none.</param>
    /// <param name="imageRoot">Folder or archive that paths start from; null means the folder of the first file. Default null.</param>
    /// <param name="allowOutsideRoot">Whether paths may lead outside of the image root: by "..", by an absolute path, by a network path, or
    /// through a link. Without an image root, absolute paths are allowed anyway. Default false.</param>
    /// <param name="classNames">Names by code, for texts and labels that are codes. Others stay as they are. Default null.</param>
    /// <param name="badRows">What to do with a row whose image or text, or whose further Boolean or whole number, is null.
    /// <see cref="BadRowPolicy.Skip"/> leaves it out, and a warning gives the number and the first fault. Default
    /// <see cref="BadRowPolicy.Fail"/>.</param>
    /// <param name="datasetType">Value of the dataset-type column. Default "caption".</param>
    /// <param name="imageColumnName">Output column with the image's locator or path. Default "Image".</param>
    /// <param name="textColumnName">Output column with the text. Default "Text".</param>
    /// <param name="datasetTypeColumnName">Output column with the dataset type. Default "DatasetType".</param>
    /// <param name="labelColumnName">Output column with the label. Default "Label".</param>
    /// <returns>A view of four text columns and the further ones, in the order of the files.</returns>
    /// <exception cref="FileNotFoundException">A file does not exist, or a wildcard matches none.</exception>
    /// <exception cref="DirectoryNotFoundException">The image root does not exist.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, has no such column or one of another type, or there are no rows; with
    /// <see cref="BadRowPolicy.Fail"/>, a value is null. The message gives file and column.</exception>
    /// <exception cref="ArgumentException">The files or another argument cannot be understood.</exception>
    /// <example>
    /// <code>
    /// IDataView captioned = mlContext.Data.LoadParquet("cc12m/*.parquet", "image", "caption");
    /// </code>
    /// </example>
    public static IDataView LoadParquet(
        this DataOperationsCatalog catalog, string files, string imageField, string captionField, string? labelField = null,
        string? datasetTypeField = null, IReadOnlyList<string>? furtherFields = null, string? imageRoot = null,
        bool allowOutsideRoot = false, IReadOnlyDictionary<string, string>? classNames = null,
        BadRowPolicy badRows = BadRowPolicy.Fail, string datasetType = "caption", string imageColumnName = "Image",
        string textColumnName = "Text", string datasetTypeColumnName = "DatasetType", string labelColumnName = "Label")
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentException.ThrowIfNullOrWhiteSpace(imageField);
        ArgumentException.ThrowIfNullOrWhiteSpace(captionField);
        ArgumentException.ThrowIfNullOrWhiteSpace(datasetType);
        var columns = new SourceColumns(imageColumnName, textColumnName, datasetTypeColumnName, labelColumnName).Checked();
        var fields = new ParquetFields(imageField, captionField, labelField, datasetTypeField, [.. furtherFields ?? []]);
        using var phase = DatasetFormatCatalog.Start(catalog, nameof(LoadParquet), "files");
        return ParquetSource.Load(phase, files, fields, imageRoot, allowOutsideRoot, classNames, badRows, datasetType, columns);
    }
}
