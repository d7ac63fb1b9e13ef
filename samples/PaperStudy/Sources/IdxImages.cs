using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using SkiaSharp;

namespace PaperStudy;

/// <summary>Reads grey images and labels in the IDX format of MNIST and Fashion-MNIST, plain or gzip.</summary>
/// <remarks>Big-endian: magic number 0x00000803, count, height, width, pixels; 0x00000801, count, labels.</remarks>
internal static class IdxImages
{
    private const int ImagesMagic = 0x803;
    private const int LabelsMagic = 0x801;
    private const int MostPixels = 1 << 20;   // of one image

    /// <summary>Writes the images as PNG files into a folder of class-name folders, unless they are there already.</summary>
    /// <param name="imagesPath">IDX file of images.</param>
    /// <param name="labelsPath">IDX file of labels.</param>
    /// <param name="classNames">Names of the labels 0, 1, ...</param>
    /// <param name="perClass">How many of each class, the first ones; null for all.</param>
    /// <param name="folder">Where to; it is complete or not there.</param>
    /// <exception cref="InvalidDataException">A file is not what it should be.</exception>
    public static void Write(string imagesPath, string labelsPath, IReadOnlyList<string> classNames, int? perClass, string folder)
    {
        if (Directory.Exists(folder)) return;
        // A process of its own folder each, so that several may start at the same time.
        var unfinished = $"{folder}.{Environment.ProcessId}.unfinished";
        if (Directory.Exists(unfinished)) Directory.Delete(unfinished, recursive: true);
        Unpack(imagesPath, labelsPath, classNames, perClass, unfinished);
        try
        {
            Directory.Move(unfinished, folder);
        }
        catch (IOException) when (Directory.Exists(folder))
        {
            Directory.Delete(unfinished, recursive: true);   // another process was faster
        }
    }

    private static void Unpack(string imagesPath, string labelsPath, IReadOnlyList<string> classNames, int? perClass, string folder)
    {
        using var images = Open(imagesPath);
        using var labels = Open(labelsPath);
        var (count, labelCount) = (Header(images, imagesPath, ImagesMagic), Header(labels, labelsPath, LabelsMagic));
        if (count != labelCount)
            throw new InvalidDataException($"'{imagesPath}' has {count} images and '{labelsPath}' {labelCount} labels; name two files " +
                "that belong together.");
        var (height, width) = (Number(images, imagesPath), Number(images, imagesPath));
        if (height < 1 || width < 1 || (long)height * width > MostPixels)
            throw new InvalidDataException($"'{imagesPath}' says its images have {width} x {height} pixels; expected 1 to {MostPixels} " +
                "in all.");
        foreach (var name in classNames) Directory.CreateDirectory(Path.Combine(folder, name));
        var counts = new int[classNames.Count];
        var pixels = new byte[width * height];
        for (var i = 0; i < count; i++)
        {
            Fill(images, imagesPath, pixels);
            var label = labels.ReadByte();
            if (label < 0) throw Truncated(labelsPath);
            if (label >= classNames.Count)
                throw new InvalidDataException($"Label {label} of image {i} in '{labelsPath}' has no name; classNames has " +
                    $"{classNames.Count}.");
            if (++counts[label] > perClass) continue;
            File.WriteAllBytes(Path.Combine(folder, classNames[label], $"{i:D5}.png"), Png(pixels, width, height));
        }
        foreach (var empty in classNames.Where((_, label) => counts[label] == 0)) Directory.Delete(Path.Combine(folder, empty));
    }

    private static byte[] Png(byte[] pixels, int width, int height)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(width, height, SKColorType.Gray8, SKAlphaType.Opaque));
        for (var y = 0; y < height; y++) Marshal.Copy(pixels, y * width, bitmap.GetPixels() + (y * bitmap.RowBytes), width);
        using var png = bitmap.Encode(SKEncodedImageFormat.Png, quality: 100);
        return png.ToArray();
    }

    private static Stream Open(string path)
    {
        var file = File.OpenRead(path);
        return path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase)
            ? new BufferedStream(new GZipStream(file, CompressionMode.Decompress)) : file;
    }

    private static int Header(Stream stream, string path, int magic)
    {
        var found = Number(stream, path);
        if (found != magic)
            throw new InvalidDataException($"'{path}' begins with 0x{found:X8}; an IDX file of " +
                $"{(magic == ImagesMagic ? "images" : "labels")} begins with 0x{magic:X8}.");
        var count = Number(stream, path);
        return count >= 1 ? count : throw new InvalidDataException($"'{path}' says it has {count} entries; expected at least one.");
    }

    private static int Number(Stream stream, string path)
    {
        var bytes = new byte[4];
        Fill(stream, path, bytes);
        return BinaryPrimitives.ReadInt32BigEndian(bytes);
    }

    private static void Fill(Stream stream, string path, byte[] bytes)
    {
        if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length) throw Truncated(path);
    }

    private static InvalidDataException Truncated(string path) => new($"'{path}' ends before its last entry; get the file again.");
}
