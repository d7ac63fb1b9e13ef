using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;

namespace Microsoft.ML;

/// <summary>Sources of image-text data for prefix conditioning. Every row has a dataset type.</summary>
public static class DatasetCatalog
{
    /// <summary>Lists labeled images from class-name folders: each folder directly below the root is a class.</summary>
    /// <remarks>
    /// <para>Files anywhere below a class folder belong to its class. Files are recognized as images by their extension, in any case: .png,
    /// .jpg, .jpeg, .jpe, .jfif, .webp, .bmp or .gif. Other files, hidden files and folders, and images outside of class folders are
    /// skipped; a warning in the log gives their number and an example of each kind. Metadata of macOS (<c>__MACOSX</c>) is ignored. Rows
    /// are sorted ordinally by class folder, then by path.</para>
    /// <para>Links are followed, but a class never lists a folder twice, nor one at or above the root. The warning counts images that are
    /// listed more than once through links.</para>
    /// <para>An uncompressed .tar file directly below the root is a class as well, named after the file; all its images belong to it, in
    /// whatever folder. The image column then holds ranges of bytes, such as <c>train/n02084071.tar!/dog.jpg@512+48213</c>. Compressed
    /// ones (.tar.gz, .tgz) are an error.</para>
    /// <para>In a ZIP or uncompressed TAR archive, the top-level folders are the classes. If another folder encloses them, append it after
    /// <c>!/</c>: <c>photos.zip!/photos</c>. The image column then holds locators such as <c>photos.zip!/photos/cat/1.png</c>, which this
    /// package's trainers and transformers read directly. Names that a ZIP archive does not mark as UTF-8 are read as UTF-8 if valid,
    /// otherwise as code page 437. Links are followed to files of the archive only. If several files have the same name, the last one
    /// counts, as after unpacking.</para>
    /// <para>Files are listed once, by this call, and opened when an image is needed. The view can be read repeatedly, knows its row count
    /// and can be shuffled.</para>
    /// </remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="path">A folder, or a .zip or .tar archive, optionally followed by <c>!/</c> and a folder inside it.</param>
    /// <param name="datasetType">Value of the dataset-type column. Default "classification".</param>
    /// <param name="classNames">Class names by folder name, or by name of a .tar file without its extension, for classes that are named
    /// by codes. Those that are not listed keep their own name. Default null.</param>
    /// <param name="imageColumnName">Output column with the image's path or locator. Default "Image".</param>
    /// <param name="textColumnName">Output column with the class name. Default "Text".</param>
    /// <param name="datasetTypeColumnName">Output column with the dataset type. Default "DatasetType".</param>
    /// <param name="labelColumnName">Output column with the class name again, as the label. Default "Label".</param>
    /// <returns>A view of four text columns, one row per image.</returns>
    /// <exception cref="DirectoryNotFoundException">The folder does not exist; the message says which part of the path is
    /// missing.</exception>
    /// <exception cref="InvalidDataException">There are no images in class folders, or none in one of them; a name is not UTF-8; or an
    /// archive is damaged or compressed.</exception>
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
        var columns = new SourceColumns(imageColumnName, textColumnName, datasetTypeColumnName, labelColumnName);
        var source = new ImageFolderSource(classNames, datasetType, columns);
        source.Check();
        return source.Load(CatalogUtils.GetEnvironment(catalog), path);
    }

    /// <summary>Reads a table of images and captions, such as <c>captions.tsv</c>. An image with several captions has one row for
    /// each.</summary>
    /// <remarks>
    /// <para>The table is UTF-8, or UTF-16 with a byte order mark. Lines end with LF, CR or CRLF. The first line names the fields.
    /// Recognized names for the image are image, image_path, filepath, image_file, image_filename, image_name, filename, file, path, img
    /// and img_path; for the caption, they are caption, title, text, description, sentence, alt_text, alt, captions and comment. Case,
    /// spaces, '_' and '-' are ignored, and the first match in this order is used. For a table without a header line, set
    /// <paramref name="imageIndex"/> and <paramref name="captionIndex"/>.</para>
    /// <para>A field that begins and ends with a quote is unquoted as in RFC 4180, in CSV and in TSV: it may contain separators, line
    /// breaks and doubled quotes. A quote anywhere else is text. In TSV, a quote that begins a field but does not end it is text as well
    /// (<c>"hello" she said</c>), and two stray quotes do not join the rows between them; in CSV, such a field is an error. Every line must
    /// have as many fields as the first, not counting separators at its end; empty lines are skipped.</para>
    /// <para>Images are paths with forward slashes or backslashes, relative to the image root or absolute, or file URIs
    /// (<c>file:///images/1.png</c>). The root may be an archive (<c>images.zip</c>, <c>images.tar</c>) or a folder inside one
    /// (<c>images.zip!/train</c>).</para>
    /// <para>A .jsonl or .ndjson file has one JSON object per line, with the same names of fields. The caption is a text, or an array of
    /// texts that give a row each.</para>
    /// <para>This call checks only the format of the table. Images are opened when they are needed; <c>Fit</c> reports or skips rows with a
    /// missing image or an empty caption (<see cref="PrefixClipOptions.BadRows"/>).</para>
    /// <para>The table is read once, by this call. The view can be read repeatedly, knows its row count and can be shuffled.</para>
    /// </remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="path">The table: a .tsv, .tab, .csv, .jsonl or .ndjson file, or any file if
    /// <paramref name="separator"/> is set.</param>
    /// <param name="imageRoot">Folder or archive that relative image paths start from; null means the folder of the table. Default
    /// null.</param>
    /// <param name="imageField">Header name of the image field; null means the recognized names. Default null.</param>
    /// <param name="captionField">Header name of the caption field; null means the recognized names. Default null.</param>
    /// <param name="imageIndex">Zero-based index of the image field, in a table without a header line. Default null.</param>
    /// <param name="captionIndex">Zero-based index of the caption field, in a table without a header line. Default null.</param>
    /// <param name="separator">The character between two fields; null to infer it from the extension. Default null.</param>
    /// <param name="datasetType">Value of the dataset-type column. Default "caption".</param>
    /// <param name="imageColumnName">Output column with the image's path or locator. Default "Image".</param>
    /// <param name="textColumnName">Output column with the caption. Default "Text".</param>
    /// <param name="datasetTypeColumnName">Output column with the dataset type. Default "DatasetType".</param>
    /// <param name="labelColumnName">Output column for labels, all missing, because each caption is a class of its own. Default
    /// "Label".</param>
    /// <param name="allowOutsideRoot">Whether rows may name files outside of the image root: by "..", by an absolute path, by a network
    /// path, or through a link. Without an image root, absolute paths are allowed anyway. Set it for tables that you trust only. Default
    /// false.</param>
    /// <returns>A view of four text columns, one row per caption, in the table's order.</returns>
    /// <exception cref="FileNotFoundException">The table does not exist; the message says which part of the path is missing.</exception>
    /// <exception cref="DirectoryNotFoundException">The image root does not exist.</exception>
    /// <exception cref="InvalidDataException">The table is malformed, or names a file outside of the image root; the message
    /// gives the line.</exception>
    /// <exception cref="ArgumentException">Arguments contradict each other, or the separator cannot be inferred.</exception>
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
        string datasetTypeColumnName = "DatasetType", string labelColumnName = "Label", bool allowOutsideRoot = false)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        var columns = new SourceColumns(imageColumnName, textColumnName, datasetTypeColumnName, labelColumnName);
        var fields = new CaptionTableFields(imageField, captionField, imageIndex, captionIndex);
        var source = new ImageCaptionSource(imageRoot, allowOutsideRoot, fields, separator, datasetType, columns);
        source.Check();
        return source.Load(CatalogUtils.GetEnvironment(catalog), path);
    }

    /// <summary>Joins datasets row-wise into one view with the columns Image, Text, DatasetType and Label.</summary>
    /// <remarks>
    /// <para>Each view needs an image column (text, a vector of bytes, or ML.NET image; the same type in all views), a text column and a
    /// dataset-type column (text, or key with text key values). A label column (text or key) is optional; where it is absent, labels are
    /// missing. Keys become text. If a view has a column Weight (float), so has the result; rows of the other views weigh 1. Further
    /// columns are dropped, and the log names them.</para>
    /// <para>Rows are read lazily, one dataset after the other. The row count is known if all datasets know theirs. The view can be
    /// shuffled if, in addition, all datasets can: rows are then drawn from each in proportion to its remaining rows.</para>
    /// </remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="datasets">At least one view.</param>
    /// <returns>One view with an image column of the common type, three text columns and possibly the weights.</returns>
    /// <exception cref="ArgumentException">There are no datasets, or one is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type, or image types differ; the message names
    /// the dataset.</exception>
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

    /// <summary>Joins datasets row-wise into one view, with custom column names.</summary>
    /// <remarks>
    /// Works like <see cref="UnifyDatasets(DataOperationsCatalog, IDataView[])"/>. The datasets and the result use the given names.
    /// </remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="datasets">At least one view.</param>
    /// <param name="imageColumnName">Column with the image.</param>
    /// <param name="textColumnName">Column with the caption or class name.</param>
    /// <param name="datasetTypeColumnName">Column with the dataset type.</param>
    /// <param name="labelColumnName">Column with the label; datasets may lack it.</param>
    /// <param name="weightColumnName">Column with the weights of rows; datasets may lack it. Default "Weight".</param>
    /// <returns>One view with an image column of the common type, three text columns and possibly the weights.</returns>
    /// <exception cref="ArgumentException">There are no datasets, one is null, or two columns have the same name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type, or image types differ; the message names
    /// the dataset.</exception>
    /// <example>
    /// <code>
    /// IDataView train = mlContext.Data.UnifyDatasets([first, second], "Picture", "Caption", "Source", "Class");
    /// </code>
    /// </example>
    public static IDataView UnifyDatasets(
        this DataOperationsCatalog catalog, IEnumerable<IDataView> datasets,
        string imageColumnName, string textColumnName, string datasetTypeColumnName, string labelColumnName,
        string weightColumnName = "Weight")
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(datasets);
        var columns = new SourceColumns(imageColumnName, textColumnName, datasetTypeColumnName, labelColumnName)
        {
            Weight = weightColumnName,
        }.Checked();
        using var channel = CatalogUtils.GetEnvironment(catalog).Start(nameof(UnifyDatasets));
        return DatasetUnion.Create(channel, [.. datasets], columns);
    }

    /// <summary>Adds a dataset-type column with the same value in all rows, so that any view can be used as a dataset.</summary>
    /// <remarks>
    /// Needs no input column and replaces an existing column of that name. It consists of ML.NET's own transforms, and is saved and loaded
    /// with them in any process that has this package.
    /// </remarks>
    /// <param name="catalog">The transforms catalog.</param>
    /// <param name="datasetType">The value, such as "caption"; not empty.</param>
    /// <param name="outputColumnName">The column to add. Default "DatasetType".</param>
    /// <returns>An estimator that learns nothing from data.</returns>
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
        return ConstantColumn.Create(catalog, datasetType, outputColumnName);
    }

    /// <summary>Adds a dataset-type column with the same value in all rows to a view.</summary>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="input">Any view.</param>
    /// <param name="datasetType">The value, such as "caption"; not empty.</param>
    /// <param name="outputColumnName">The column to add or replace. Default "DatasetType".</param>
    /// <returns>The view with the additional column.</returns>
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
        return ConstantColumn.Create(new MLContext().Transforms, datasetType, outputColumnName).Fit(input).Transform(input);
    }

    /// <summary>Adds a weight column with the same value in all rows to a view: how often training draws a row, relative to the other
    /// rows of its dataset type.</summary>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="input">Any view.</param>
    /// <param name="weight">The value, greater than 0. Rows without a weight weigh 1.</param>
    /// <param name="outputColumnName">The column to add or replace. Default "Weight".</param>
    /// <returns>The view with the additional column.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The weight is not a finite number greater than 0.</exception>
    /// <example>
    /// <code>
    /// IDataView train = mlContext.Data.UnifyDatasets(web, mlContext.Data.TagWeight(curated, 4));   // both are captions
    /// </code>
    /// </example>
    public static IDataView TagWeight(
        this DataOperationsCatalog catalog, IDataView input, float weight, string outputColumnName = "Weight")
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(input);
        return ConstantColumn.Create(new MLContext().Transforms, weight, outputColumnName).Fit(input).Transform(input);
    }

    /// <summary>Draws the same number of random rows from every class, for few-shot training.</summary>
    /// <remarks>
    /// Labels are read once, by this call. Rows are read lazily, in the order of the input, and cannot be shuffled. Rows without a label
    /// are skipped, and the log gives their number. The same seed and rows give the same sample.
    /// </remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="input">A view that returns its rows in the same order each time.</param>
    /// <param name="count">Rows per class; at least 1.</param>
    /// <param name="labelColumnName">Column with the class: text, or key with text key values. Default "Label".</param>
    /// <param name="seed">Any number; null to draw one from the <see cref="MLContext"/>. Default null.</param>
    /// <returns>A view of the drawn rows with all columns of the input.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The label column is missing or has the wrong type, or the count is below
    /// 1.</exception>
    /// <exception cref="InvalidDataException">No row has a label, or a class has fewer rows than requested.</exception>
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

    /// <summary>One of several shards of a view, for scoring on many processes or machines.</summary>
    /// <remarks>
    /// Shard i has the rows i, i + count, i + 2 count and so on, counted from 0, in the order of the view. Every row is in exactly
    /// one shard, sizes differ by at most one row, and a class is spread over all shards where rows are sorted by class. Rows are read
    /// lazily, and values of other shards' rows are not read: take the shard before the steps that compute, such as a model. The row count
    /// is known if that of the view is. The shard itself cannot be shuffled; shuffle its rows with <c>ShuffleRows</c>.
    /// </remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="input">A view that returns its rows in the same order each time, and the same in every process.</param>
    /// <param name="index">The shard, from 0.</param>
    /// <param name="count">Number of shards; at least 1.</param>
    /// <returns>A view of the shard's rows with all columns of the input.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The count is below 1, or the index is not from 0 to the count - 1.</exception>
    /// <example>
    /// <code>
    /// IDataView shard = mlContext.Data.ShardOf(mlContext.Data.LoadImageFolder("photos/"), index: 2, count: 64);
    /// </code>
    /// </example>
    public static IDataView ShardOf(this DataOperationsCatalog catalog, IDataView input, int index, int count)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(input);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, count);
        return new RowSelection(input, row => row % count == index, (input.GetRowCount() - index + count - 1) / count);
    }
}
