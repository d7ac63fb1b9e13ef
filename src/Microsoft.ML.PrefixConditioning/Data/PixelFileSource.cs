using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Turns files of raw pixels into rows: IDX (MNIST, Fashion-MNIST) and the binary version of CIFAR-10 and CIFAR-100.</summary>
/// <remarks>Rows are slices of the files; in memory there is one byte per row, its class.</remarks>
internal static class PixelFileSource
{
    private const int IdxImages = 0x803, IdxLabels = 0x801, ImagesHeader = 16, LabelsHeader = 8;   // unsigned bytes in 3 and 1 dimensions
    private const int CifarSide = 32, CifarPixels = CifarSide * CifarSide * 3;

    /// <summary>Rows of a pair of IDX files.</summary>
    /// <remarks>Source: Yann LeCun's description of the format on the MNIST page.</remarks>
    public static IDataView LoadIdx(
        string imagesPath, string labelsPath, IReadOnlyList<string>? classNames, string datasetType, SourceColumns columns)
    {
        using var images = Open(imagesPath);
        using var labels = Open(labelsPath);
        var size = IdxHeader(images, imagesPath, IdxImages, ImagesHeader, "images");
        var (count, height, width) = (size[0], size[1], size[2]);
        var labelCount = IdxHeader(labels, labelsPath, IdxLabels, LabelsHeader, "labels")[0];
        if (labelCount != count)
            throw new InvalidDataException($"'{imagesPath}' has {count} images, but '{labelsPath}' {labelCount} labels. They are no pair.");
        var classes = ImageArchive.ReadBytes(labels, LabelsHeader, count);
        var pixels = width * height;   // with one image or more, the length of the file bounds them
        var names = Names(classes, classNames, row => $"'{labelsPath}', row {row + 1}");
        return Rows(count, row => new ImageSlice(imagesPath, $"{row + 1}", ImagesHeader + ((long)row * pixels), pixels)
        {
            Width = width, Height = height, Channels = 1,
        }, classes, names, datasetType, columns);
    }

    /// <summary>Rows of CIFAR's binary files.</summary>
    /// <remarks>Source: "Binary version" on the CIFAR page: a record is one label (CIFAR-10) or a coarse and a fine one (CIFAR-100), and
    /// the red, green and blue plane of 32 x 32 pixels.</remarks>
    public static IDataView LoadCifar(string files, IReadOnlyList<string>? classNames, string datasetType, SourceColumns columns)
    {
        var paths = ShardList.Expand(files, "*.bin");
        var labelBytes = paths.Select(LabelBytes).Distinct().ToArray();
        if (labelBytes.Length > 1) throw new InvalidDataException($"{NearName.Quoted(files)} has files of CIFAR-10 and of CIFAR-100.");
        var record = labelBytes[0] + CifarPixels;
        var classes = new List<byte>();
        var starts = new List<int>();
        Span<byte> label = stackalloc byte[1];
        foreach (var path in paths)
        {
            starts.Add(classes.Count);
            using var file = Open(path);
            for (long at = labelBytes[0] - 1, end = RandomAccess.GetLength(file); at < end; at += record)
            {
                if (RandomAccess.Read(file, label, at) == 0) throw new InvalidDataException($"'{path}' became shorter while it was read.");
                classes.Add(label[0]);
            }
        }
        var beside = Path.Join(Path.GetDirectoryName(paths[0]), labelBytes[0] == 1 ? "batches.meta.txt" : "fine_label_names.txt");
        if (classNames is null && File.Exists(beside))
            classNames = [.. File.ReadLines(beside).Select(l => l.Trim()).Where(l => l.Length > 0)];
        var names = Names([.. classes], classNames, row => $"'{paths[FileOf(row)]}', row {row - starts[FileOf(row)] + 1}");
        return Rows(classes.Count, row =>
        {
            var (file, inFile) = (FileOf(row), row - starts[FileOf(row)]);
            return new ImageSlice(paths[file], $"{inFile + 1}", ((long)inFile * record) + labelBytes[0], CifarPixels)
            {
                Width = CifarSide, Height = CifarSide, Channels = 3,
            };
        }, [.. classes], names, datasetType, columns);

        int FileOf(int row) => starts.FindLastIndex(start => start <= row);
    }

    private static int LabelBytes(string path)
    {
        using var file = Open(path);
        var length = RandomAccess.GetLength(file);
        if (length > 0 && length % (CifarPixels + 1) == 0) return 1;
        if (length > 0 && length % (CifarPixels + 2) == 0) return 2;
        throw new InvalidDataException($"'{path}' has {length} bytes, neither a multiple of {CifarPixels + 1} (CIFAR-10) nor of " +
            $"{CifarPixels + 2} (CIFAR-100). Give the binary version's .bin files, whole.");
    }

    private static int[] IdxHeader(SafeFileHandle file, string path, int magic, int headerLength, string what)
    {
        var length = RandomAccess.GetLength(file);
        var header = ImageArchive.ReadBytes(file, 0, (int)Math.Min(length, headerLength));
        var found = length < sizeof(int) ? 0 : BinaryPrimitives.ReadInt32BigEndian(header);
        if (found != magic)
            throw new InvalidDataException($"'{path}' begins with {found:x8}, expected {magic:x8}: an IDX file with {what}." +
                (header is [0x1F, 0x8B, ..] ? " It is compressed; unpack it with gunzip." : ""));
        if (length < headerLength) throw new InvalidDataException($"'{path}' ends in its header, after {length} bytes.");
        var size = new int[(headerLength / sizeof(int)) - 1];
        for (var i = 0; i < size.Length; i++) size[i] = BinaryPrimitives.ReadInt32BigEndian(header.AsSpan((i + 1) * sizeof(int)));
        if (size.Any(s => s < 1) || size.Aggregate(1m, (bytes, s) => bytes * s)
            != length - headerLength)
            throw new InvalidDataException($"'{path}' should have {string.Join(" x ", size)} bytes of {what} behind its header, but has " +
                $"{length - headerLength}. It is damaged or cut off.");
        return size;
    }

    private static SafeFileHandle Open(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return RemoteFiles.Read(path, local => File.Exists(local) ? File.OpenHandle(local)
            : throw new FileNotFoundException($"There is no file '{path}'. {MissingPath.Describe(path)}", path));
    }

    /// <summary>A name by class; numbers without names.</summary>
    private static string[] Names(byte[] classes, IReadOnlyList<string>? classNames, Func<int, string> place)
    {
        if (classNames is null) return [.. Enumerable.Range(0, 256).Select(i => $"{i}")];
        var row = Array.FindIndex(classes, c => c >= classNames.Count);
        if (row >= 0)
            throw new InvalidDataException(
                $"{place(row)}: the class is {classes[row]}, but there are only {classNames.Count} class names.");
        return [.. classNames];
    }

    private static TextRowsView Rows(
        int count, Func<int, ImageSlice> image, byte[] classes, string[] names, string datasetType, SourceColumns columns) => new(
            count,
            (columns.Image, row => image(row).ToString()),
            (columns.Text, row => names[classes[row]]),
            (columns.DatasetType, _ => datasetType),
            (columns.Label, row => names[classes[row]]));
}
