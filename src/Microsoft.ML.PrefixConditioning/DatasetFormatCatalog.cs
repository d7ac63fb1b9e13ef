using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;

namespace Microsoft.ML;

/// <summary>Sources in the formats of published datasets. Images are ranges of bytes of the files; nothing is copied.</summary>
public static class DatasetFormatCatalog
{
    /// <summary>Lists the samples of a WebDataset: TAR shards in which the files of a sample follow each other, named by its key.</summary>
    /// <remarks>
    /// <para>The key is the name up to the first dot, folders included; what follows is the extension (<c>000017.jpg</c>,
    /// <c>000017.txt</c>). Names that begin with a dot are ignored.</para>
    /// <para>Each shard's headers and texts are scanned once, by this call, on all cores. A small index file keeps the result, and the
    /// next load reads it instead of the shard, unless the shard's size or modification time, or the extensions or fields to read have
    /// changed. If the index cannot be written, a line in the log says so.</para>
    /// <para>A sample takes 32 bytes and its key; texts and images are read from the shard when they are needed. The view can be read
    /// repeatedly, knows its row count and can be shuffled.</para>
    /// </remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="shards">Files, with ranges (<c>{00000..02175}.tar</c>), lists (<c>{train,val}.tar</c>) or wildcards (<c>*.tar</c>) in
    /// the name, several joined by <c>::</c>. Commands (<c>pipe:</c>), web addresses and compressed files are rejected.</param>
    /// <param name="image">Extensions of images, separated by semicolons, the preferred one first. Default "jpg;jpeg;png;webp".</param>
    /// <param name="text">Extension of the text, or a field of a JSON file: <c>json:caption</c>. Default "txt".</param>
    /// <param name="label">Extension of the label, or a field of a JSON file; null means that labels are missing. Default null.</param>
    /// <param name="classNames">Names by code, for texts and labels that are codes. Others stay as they are. Default null.</param>
    /// <param name="badRows">What to do with a sample without image or text, or with a text that cannot be read, and with a damaged rest
    /// of a shard. <see cref="BadRowPolicy.Skip"/> leaves them out, and a warning gives their number and the first fault. Default
    /// <see cref="BadRowPolicy.Fail"/>.</param>
    /// <param name="indexFolder">Folder for the index files, created if it does not exist; null means beside each shard, as
    /// <c>SHARD.index</c>. Default null.</param>
    /// <param name="datasetType">Value of the dataset-type column. Default "caption".</param>
    /// <param name="imageColumnName">Output column with the image's locator. Default "Image".</param>
    /// <param name="textColumnName">Output column with the text. Default "Text".</param>
    /// <param name="datasetTypeColumnName">Output column with the dataset type. Default "DatasetType".</param>
    /// <param name="labelColumnName">Output column with the label. Default "Label".</param>
    /// <returns>A view of four text columns, one row per sample, in the order of the shards.</returns>
    /// <exception cref="FileNotFoundException">A shard does not exist, or a wildcard matches none.</exception>
    /// <exception cref="InvalidDataException">There are no samples, or with <see cref="BadRowPolicy.Fail"/> one is faulty; the message
    /// gives the shard and the key.</exception>
    /// <exception cref="ArgumentException">The shards or another argument cannot be understood.</exception>
    /// <example>
    /// <code>
    /// IDataView captioned = mlContext.Data.LoadWebDataset("cc12m/{00000..01242}.tar");
    /// </code>
    /// </example>
    public static IDataView LoadWebDataset(
        this DataOperationsCatalog catalog, string shards, string image = "jpg;jpeg;png;webp", string text = "txt", string? label = null,
        IReadOnlyDictionary<string, string>? classNames = null, BadRowPolicy badRows = BadRowPolicy.Fail, string? indexFolder = null,
        string datasetType = "caption", string imageColumnName = "Image", string textColumnName = "Text",
        string datasetTypeColumnName = "DatasetType", string labelColumnName = "Label")
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentException.ThrowIfNullOrWhiteSpace(datasetType);
        ArgumentException.ThrowIfNullOrWhiteSpace(image);
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        var columns = new SourceColumns(imageColumnName, textColumnName, datasetTypeColumnName, labelColumnName).Checked();
        var members = new WebDatasetMembers(
            [.. image.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(e => e.ToLowerInvariant())],
            WebDatasetValue.Parse(text, nameof(text)), label is null ? null : WebDatasetValue.Parse(label, nameof(label)));
        using var phase = Start(catalog, nameof(LoadWebDataset), "files in shards");
        return WebDatasetSource.Load(phase, shards, members, classNames, badRows, indexFolder, datasetType, columns);
    }

    /// <summary>Reads captions in COCO's format, such as <c>captions_train2017.json</c>. An image with several captions has one row for
    /// each.</summary>
    /// <remarks>The file is read once, as a stream, by this call; captions are read again when a row is. Images are opened when they are
    /// needed. The view can be read repeatedly, knows its row count and can be shuffled.</remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="path">The JSON file, with "images" and "annotations".</param>
    /// <param name="imageRoot">Folder or archive that the images' names start from; null means the folder of
    /// the file. Default null.</param>
    /// <param name="badRows">What to do with an image or annotation whose ids or texts are missing, repeated or of a wrong type.
    /// <see cref="BadRowPolicy.Skip"/> leaves it out, and a warning gives the number and the first fault. Default
    /// <see cref="BadRowPolicy.Fail"/>.</param>
    /// <param name="datasetType">Value of the dataset-type column. Default "caption".</param>
    /// <param name="imageColumnName">Output column with the image's path or locator. Default "Image".</param>
    /// <param name="textColumnName">Output column with the caption. Default "Text".</param>
    /// <param name="datasetTypeColumnName">Output column with the dataset type. Default "DatasetType".</param>
    /// <param name="labelColumnName">Output column for labels, all missing. Default "Label".</param>
    /// <param name="allowOutsideRoot">Whether rows may name files outside of the image root: by "..", by an absolute path, by a network
    /// path, or through a link. Set it for files that you trust only. Default false.</param>
    /// <returns>A view of four text columns, one row per annotation, in the file's order.</returns>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="DirectoryNotFoundException">The image root does not exist.</exception>
    /// <exception cref="InvalidDataException">The file is no JSON or has no captions, or with <see cref="BadRowPolicy.Fail"/> an entry is
    /// faulty; the message gives its place.</exception>
    /// <exception cref="ArgumentException">A name is empty, or two columns have the same name.</exception>
    /// <example>
    /// <code>
    /// IDataView captioned = mlContext.Data.LoadCocoCaptions("annotations/captions_train2017.json", imageRoot: "train2017/");
    /// </code>
    /// </example>
    public static IDataView LoadCocoCaptions(
        this DataOperationsCatalog catalog, string path, string? imageRoot = null, BadRowPolicy badRows = BadRowPolicy.Fail,
        string datasetType = "caption", string imageColumnName = "Image", string textColumnName = "Text",
        string datasetTypeColumnName = "DatasetType", string labelColumnName = "Label", bool allowOutsideRoot = false)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        ArgumentException.ThrowIfNullOrWhiteSpace(datasetType);
        var columns = new SourceColumns(imageColumnName, textColumnName, datasetTypeColumnName, labelColumnName).Checked();
        using var phase = Start(catalog, nameof(LoadCocoCaptions), "images and captions");
        return CocoCaptionSource.Load(phase, path, imageRoot, allowOutsideRoot, badRows, datasetType, columns);
    }

    /// <summary>Lists the images of a pair of IDX files, as MNIST and Fashion-MNIST have them.</summary>
    /// <remarks>Rows are ranges of the file of images. The view can be read repeatedly, knows its row count and can be shuffled.</remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="imagesPath">Gray images, such as <c>train-images-idx3-ubyte</c>; unpacked.</param>
    /// <param name="labelsPath">Their classes, such as <c>train-labels-idx1-ubyte</c>; unpacked.</param>
    /// <param name="classNames">Names by number of the class; null for the numbers themselves. Default null.</param>
    /// <param name="datasetType">Value of the dataset-type column. Default "classification".</param>
    /// <param name="imageColumnName">Output column with the image's locator. Default "Image".</param>
    /// <param name="textColumnName">Output column with the class name. Default "Text".</param>
    /// <param name="datasetTypeColumnName">Output column with the dataset type. Default "DatasetType".</param>
    /// <param name="labelColumnName">Output column with the class name again, as the label. Default "Label".</param>
    /// <returns>A view of four text columns, one row per image, in the file's order.</returns>
    /// <exception cref="FileNotFoundException">A file does not exist.</exception>
    /// <exception cref="InvalidDataException">A file is of another kind, compressed or cut off, the two have different numbers of rows, or
    /// a class has no name.</exception>
    /// <exception cref="ArgumentException">A name is empty, or two columns have the same name.</exception>
    /// <example>
    /// <code>
    /// IDataView digits = mlContext.Data.LoadIdx("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    /// </code>
    /// </example>
    public static IDataView LoadIdx(
        this DataOperationsCatalog catalog, string imagesPath, string labelsPath, IReadOnlyList<string>? classNames = null,
        string datasetType = "classification", string imageColumnName = "Image", string textColumnName = "Text",
        string datasetTypeColumnName = "DatasetType", string labelColumnName = "Label")
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentException.ThrowIfNullOrWhiteSpace(datasetType);
        var columns = new SourceColumns(imageColumnName, textColumnName, datasetTypeColumnName, labelColumnName).Checked();
        return PixelFileSource.LoadIdx(imagesPath, labelsPath, classNames, datasetType, columns);
    }

    /// <summary>Lists the images of CIFAR-10 or CIFAR-100 in the binary version.</summary>
    /// <remarks>Rows are ranges of the files; CIFAR-100 gives the fine classes. The view can be read repeatedly, knows its row count and
    /// can be shuffled.</remarks>
    /// <param name="catalog">The data catalog.</param>
    /// <param name="files">The .bin files, with ranges, lists or wildcards as in <see cref="LoadWebDataset"/>.</param>
    /// <param name="classNames">Names by number of the class; null means <c>batches.meta.txt</c> or <c>fine_label_names.txt</c> beside the
    /// first file, or without these the numbers. Default null.</param>
    /// <param name="datasetType">Value of the dataset-type column. Default "classification".</param>
    /// <param name="imageColumnName">Output column with the image's locator. Default "Image".</param>
    /// <param name="textColumnName">Output column with the class name. Default "Text".</param>
    /// <param name="datasetTypeColumnName">Output column with the dataset type. Default "DatasetType".</param>
    /// <param name="labelColumnName">Output column with the class name again, as the label. Default "Label".</param>
    /// <returns>A view of four text columns, one row per image, in the order of the files.</returns>
    /// <exception cref="FileNotFoundException">A file does not exist.</exception>
    /// <exception cref="InvalidDataException">A file's size is no multiple of a record's, or a class has no name.</exception>
    /// <exception cref="ArgumentException">A name is empty, or two columns have the same name.</exception>
    /// <example>
    /// <code>
    /// IDataView train = mlContext.Data.LoadCifar("cifar-10-batches-bin/data_batch_{1..5}.bin");
    /// </code>
    /// </example>
    public static IDataView LoadCifar(
        this DataOperationsCatalog catalog, string files, IReadOnlyList<string>? classNames = null,
        string datasetType = "classification", string imageColumnName = "Image", string textColumnName = "Text",
        string datasetTypeColumnName = "DatasetType", string labelColumnName = "Label")
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentException.ThrowIfNullOrWhiteSpace(datasetType);
        var columns = new SourceColumns(imageColumnName, textColumnName, datasetTypeColumnName, labelColumnName).Checked();
        return PixelFileSource.LoadCifar(files, classNames, datasetType, columns);
    }

    /// <summary>Opens ML.NET's log for a source that counts units of work.</summary>
    internal static LongPhase Start(DataOperationsCatalog catalog, string source, string units, TimeSpan? interval = null) =>
        new(CatalogUtils.GetEnvironment(catalog), source, units, interval);
}
