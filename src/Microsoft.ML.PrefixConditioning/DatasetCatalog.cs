using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;

namespace Microsoft.ML;

/// <summary>Sources of image-text data for prefix conditioning. Every row says which dataset type it belongs to.</summary>
public static class DatasetCatalog
{
    /// <summary>Lists labeled images from class-name folders: the folder right below the root is the class.</summary>
    /// <remarks>
    /// <para>Files anywhere below a class folder belong to its class. Files are recognized as images by their extension: .png, .jpg, .jpeg,
    /// .jpe, .jfif, .webp, .bmp or .gif, in any case. Other files, hidden files and folders, and images outside of a class folder are left
    /// out; the log has one warning with their number and an example of each kind. Metadata of macOS (<c>__MACOSX</c>) is ignored. Rows are
    /// sorted ordinally by class folder, then by path.</para>
    /// <para>Links are followed, but a class reads no folder twice and none at or above the root. The warning counts images that are
    /// listed again through links.</para>
    /// <para>In a ZIP or uncompressed TAR archive the top folders are the classes; if there is one more folder around
    /// them, name it after <c>!/</c>: <c>photos.zip!/photos</c>. The image column then holds locators such as
    /// <c>photos.zip!/photos/cat/1.png</c>, which this package's trainers and transformers read directly. Names that a ZIP archive does
    /// not mark as UTF-8 are read as UTF-8 if they are valid, else as code page 437. Links to files of the archive are followed, others are
    /// not. Of several files with one name the last counts, as after unpacking.</para>
    /// <para>The files are listed once, here; they are opened when an image is needed. The view can be read many times, knows its row count
    /// and can be shuffled.</para>
    /// </remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="path">A folder, or a .zip or .tar archive, optionally with <c>!/</c> and a folder inside.</param>
    /// <param name="datasetType">Value of the dataset-type column. Default "classification".</param>
    /// <param name="classNames">Class names by folder name, for folders that are named by codes; folders that it lacks keep their own
    /// name. Default null.</param>
    /// <param name="imageColumnName">Output column with the image's path or locator. Default "Image".</param>
    /// <param name="textColumnName">Output column with the class name. Default "Text".</param>
    /// <param name="datasetTypeColumnName">Output column with the dataset type. Default "DatasetType".</param>
    /// <param name="labelColumnName">Output column with the class name again, as the label. Default "Label".</param>
    /// <returns>A view of four text columns, one row per image.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder; the message says which part of the path is
    /// missing.</exception>
    /// <exception cref="InvalidDataException">There are no images in class-name folders, or none in one of them; a name is not UTF-8; or
    /// the archive is damaged.</exception>
    /// <exception cref="ArgumentException">A name is empty, or two columns have the same name.</exception>
    /// <example>
    /// <code>
    /// var mlContext = new MLContext(seed: 1);
    /// IDataView labeled = mlContext.Data.LoadImageFolder("labeled/");   // labeled/red apple/1.png: class "red apple"
    ///
    /// var names = new Dictionary&lt;string, string&gt; { ["n01440764"] = "tench", ["n01443537"] = "goldfish" };
    /// IDataView imageNet = mlContext.Data.LoadImageFolder("train.zip!/train", classNames: names);
    /// </code>
    /// </example>
    public static IDataView LoadImageFolder(
        this DataOperationsCatalog catalog, string path, string datasetType = "classification",
        IReadOnlyDictionary<string, string>? classNames = null, string imageColumnName = "Image", string textColumnName = "Text",
        string datasetTypeColumnName = "DatasetType", string labelColumnName = "Label")
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentException.ThrowIfNullOrWhiteSpace(datasetType);
        foreach (var (folder, name) in classNames ?? new Dictionary<string, string>())
            if (string.IsNullOrWhiteSpace(name))
                throw new ArgumentException($"The class name of the folder '{folder}' is empty.", nameof(classNames));
        var columns = new SourceColumns(imageColumnName, textColumnName, datasetTypeColumnName, labelColumnName).Checked();
        using var channel = CatalogUtils.GetEnvironment(catalog).Start(nameof(LoadImageFolder));
        return ImageFolderSource.Load(channel, path, datasetType, classNames, columns);
    }

    /// <summary>Reads a table of images and captions, such as <c>captions.tsv</c>. An image may have several captions: one row
    /// each.</summary>
    /// <remarks>
    /// <para>The table is UTF-8, or UTF-16 with a byte order mark. Lines end with LF, CR or CRLF. The first line names the fields. Known
    /// names for the image are image, image_path, filepath, image_file, image_filename, image_name, filename, file, path, img and img_path;
    /// for the caption caption, title, text, description, sentence, alt_text, alt, captions and comment. Case, spaces, '_' and '-' do not
    /// count, and the first that is found in this
    /// order is taken. For a table without a header line set <paramref name="imageIndex"/> and <paramref name="captionIndex"/>.</para>
    /// <para>A field that begins and ends with a quote is unquoted, as RFC 4180 says, in CSV and in TSV: it may hold separators, line
    /// breaks and doubled quotes. A quote anywhere else is text. In TSV so is a quote that begins a field but does not end it
    /// (<c>"hello" she said</c>), and two stray quotes do not join the rows between them; in CSV it is an error. Every line must have as
    /// many fields as the first, not counting separators at its end; empty lines are skipped.</para>
    /// <para>Images are paths with either slash, relative to the image root unless they are absolute, or file URIs
    /// (<c>file:///images/1.png</c>). The root may be an archive (<c>images.zip</c>, <c>images.tar</c>) or a folder inside
    /// (<c>images.zip!/train</c>).</para>
    /// <para>Only the form of the table is checked here. Images are opened when they are needed; rows with a missing image or an empty
    /// caption are reported, or left out, by <c>Fit</c> (<see cref="PrefixClipOptions.BadRows"/>).</para>
    /// <para>The table is read once, here. The view can be read many times, knows its row count and can be shuffled.</para>
    /// </remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="path">The table: a .tsv, .tab or .csv file, or another if <paramref name="separator"/> is set.</param>
    /// <param name="imageRoot">What relative images are relative to: a folder or an archive; null for the table's own folder. Default
    /// null.</param>
    /// <param name="imageField">Header name of the image's field; null for the known names. Default null.</param>
    /// <param name="captionField">Header name of the caption's field; null for the known names. Default null.</param>
    /// <param name="imageIndex">Index of the image's field, from 0, in a table without a header line. Default null.</param>
    /// <param name="captionIndex">Index of the caption's field, from 0, in a table without a header line. Default null.</param>
    /// <param name="separator">The character between two fields; null to tell it from the extension. Default null.</param>
    /// <param name="datasetType">Value of the dataset-type column. Default "caption".</param>
    /// <param name="imageColumnName">Output column with the image's path or locator. Default "Image".</param>
    /// <param name="textColumnName">Output column with the caption. Default "Text".</param>
    /// <param name="datasetTypeColumnName">Output column with the dataset type. Default "DatasetType".</param>
    /// <param name="labelColumnName">Output column for labels, all missing: a caption is a class of its own. Default "Label".</param>
    /// <returns>A view of four text columns, one row per caption, in the table's order.</returns>
    /// <exception cref="FileNotFoundException">There is no such table; the message says which part of the path is missing.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such image root.</exception>
    /// <exception cref="InvalidDataException">The table has a fault; the message gives the line.</exception>
    /// <exception cref="ArgumentException">Arguments contradict each other, or the separator cannot be told.</exception>
    /// <example>
    /// <code>
    /// var mlContext = new MLContext(seed: 1);
    /// IDataView captioned = mlContext.Data.LoadImageCaptions("captions.tsv", imageRoot: "images/");
    ///
    /// // no header line: image, then a number that is not needed, then the caption
    /// IDataView piped = mlContext.Data.LoadImageCaptions("captions.txt", "images.zip", imageIndex: 0, captionIndex: 2, separator: '|');
    /// </code>
    /// </example>
    public static IDataView LoadImageCaptions(
        this DataOperationsCatalog catalog, string path, string? imageRoot = null, string? imageField = null, string? captionField = null,
        int? imageIndex = null, int? captionIndex = null, char? separator = null, string datasetType = "caption",
        string imageColumnName = "Image", string textColumnName = "Text",
        string datasetTypeColumnName = "DatasetType", string labelColumnName = "Label")
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentException.ThrowIfNullOrWhiteSpace(datasetType);
        var columns = new SourceColumns(imageColumnName, textColumnName, datasetTypeColumnName, labelColumnName).Checked();
        var fields = new CaptionTableFields(imageField, captionField, imageIndex, captionIndex);
        return ImageCaptionSource.Load(path, imageRoot, fields, separator, datasetType, columns);
    }

    /// <summary>Joins datasets row-wise into one view with the columns Image, Text, DatasetType and Label.</summary>
    /// <remarks>
    /// <para>Any view will do that has an image column (text, a vector of bytes, or ML.NET image; the same in all of them), a text column
    /// and a
    /// dataset-type column (text, or key with text key values). A label column of text or key is taken over; where there is
    /// none, labels are missing. Keys become text. Other columns are dropped; the log names them.</para>
    /// <para>Rows are read when they are needed, one dataset after the other. The row count is known when all are. The view can be
    /// shuffled when all
    /// datasets can and know their row count: then rows are drawn from each in proportion to those that it has left.</para>
    /// </remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="datasets">At least one view.</param>
    /// <returns>One view: an image column in the form that the datasets share, and three text columns.</returns>
    /// <exception cref="ArgumentException">There are no datasets, or one is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of a wrong type, or the images differ in form; the message
    /// names the dataset.</exception>
    /// <example>
    /// <code>
    /// IDataView labeled = mlContext.Data.LoadImageFolder("labeled/");
    /// IDataView captioned = mlContext.Data.LoadImageCaptions("captions.tsv", imageRoot: "images/");
    /// IDataView train = mlContext.Data.UnifyDatasets(labeled, captioned);
    /// </code>
    /// </example>
    public static IDataView UnifyDatasets(this DataOperationsCatalog catalog, params IDataView[] datasets)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(datasets);
        return catalog.UnifyDatasets(datasets, "Image", "Text", "DatasetType", "Label");
    }

    /// <summary>Joins datasets row-wise into one view, with other column names than the usual ones.</summary>
    /// <remarks>As <see cref="UnifyDatasets(DataOperationsCatalog, IDataView[])"/>; the names are those of the datasets and of the
    /// result.</remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="datasets">At least one view.</param>
    /// <param name="imageColumnName">Column with the image.</param>
    /// <param name="textColumnName">Column with the caption or class name.</param>
    /// <param name="datasetTypeColumnName">Column with the dataset type.</param>
    /// <param name="labelColumnName">Column with the label; datasets may lack it.</param>
    /// <returns>One view: an image column in the form that the datasets share, and three text columns.</returns>
    /// <exception cref="ArgumentException">There are no datasets, one is null, or two columns have the same name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of a wrong type, or the images differ in form; the message
    /// names the dataset.</exception>
    /// <example>
    /// <code>
    /// IDataView train = mlContext.Data.UnifyDatasets([first, second], "Picture", "Caption", "Source", "Class");
    /// </code>
    /// </example>
    public static IDataView UnifyDatasets(
        this DataOperationsCatalog catalog, IEnumerable<IDataView> datasets,
        string imageColumnName, string textColumnName, string datasetTypeColumnName, string labelColumnName)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(datasets);
        var columns = new SourceColumns(imageColumnName, textColumnName, datasetTypeColumnName, labelColumnName).Checked();
        using var channel = CatalogUtils.GetEnvironment(catalog).Start(nameof(UnifyDatasets));
        return DatasetUnion.Create(channel, [.. datasets], columns);
    }

    /// <summary>Adds a dataset-type column with one value for all rows, to make any view a dataset.</summary>
    /// <remarks>
    /// Needs no input column; an existing column of that name is replaced. Made of ML.NET's own transforms, and saved and loaded
    /// as they are, in any process that has this package.
    /// </remarks>
    /// <param name="catalog">The transforms catalog.</param>
    /// <param name="datasetType">The value, such as "caption". Not empty.</param>
    /// <param name="outputColumnName">The column to add. Default "DatasetType".</param>
    /// <returns>An estimator with nothing to learn.</returns>
    /// <exception cref="ArgumentException">A name is empty.</exception>
    /// <example>
    /// <code>
    /// var pipeline = mlContext.Transforms.TagDatasetType("caption").Append(mlContext.Transforms.CopyColumns("Text", "Description"));
    /// </code>
    /// </example>
    public static IEstimator<ITransformer> TagDatasetType(
        this TransformsCatalog catalog, string datasetType, string outputColumnName = "DatasetType")
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return DatasetTypeTag.Create(catalog, datasetType, outputColumnName);
    }

    /// <summary>The view with a dataset-type column that has one value in all rows.</summary>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="input">Any view.</param>
    /// <param name="datasetType">The value, such as "caption". Not empty.</param>
    /// <param name="outputColumnName">The column to add or replace. Default "DatasetType".</param>
    /// <returns>The input's columns and the new one.</returns>
    /// <exception cref="ArgumentException">A name is empty.</exception>
    /// <example>
    /// <code>
    /// IDataView own = mlContext.Data.LoadFromEnumerable(photos);   // rows with Image and Text
    /// IDataView train = mlContext.Data.UnifyDatasets(labeled, mlContext.Data.TagDatasetType(own, "caption"));
    /// </code>
    /// </example>
    public static IDataView TagDatasetType(
        this DataOperationsCatalog catalog, IDataView input, string datasetType, string outputColumnName = "DatasetType")
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(input);
        // A data catalog does not give access to the transforms; nothing here depends on the context.
        return DatasetTypeTag.Create(new MLContext().Transforms, datasetType, outputColumnName).Fit(input).Transform(input);
    }

    /// <summary>The same number of randomly chosen rows of every class: k shots, for training on few examples.</summary>
    /// <remarks>
    /// Labels are read once, here; rows are read when they are needed, in the input's order, and cannot be shuffled. Rows without a label
    /// are left out, and the log says how many. The same seed and rows give the same choice.
    /// </remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="input">A view whose rows come in the same order each time.</param>
    /// <param name="count">Rows per class, k. At least 1.</param>
    /// <param name="labelColumnName">Column with the class: text, or key with text key values. Default "Label".</param>
    /// <param name="seed">Any number; null to draw it from the <see cref="MLContext"/>. Default null.</param>
    /// <returns>A view of the chosen rows with all of the input's columns.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The label column is missing or has the wrong type, or the count is below
    /// 1.</exception>
    /// <exception cref="InvalidDataException">No row has a label, or a class has fewer rows than are asked for.</exception>
    /// <example>
    /// <code>
    /// IDataView fourShots = mlContext.Data.TakeRowsPerClass(labeled, count: 4, seed: 1);
    /// </code>
    /// </example>
    public static IDataView TakeRowsPerClass(
        this DataOperationsCatalog catalog, IDataView input, int count, string labelColumnName = "Label", int? seed = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(input);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentException.ThrowIfNullOrWhiteSpace(labelColumnName);
        seed ??= CatalogUtils.GetEnvironment(catalog).Register(nameof(TakeRowsPerClass)).Rand.Next();
        using var channel = CatalogUtils.GetEnvironment(catalog).Start(nameof(TakeRowsPerClass));
        return PerClassSample.Draw(channel, input, count, labelColumnName, seed.Value);
    }
}
