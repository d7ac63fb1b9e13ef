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

    /// <summary>The images as PNG files in memory, with their class names.</summary>
    /// <exception cref="InvalidDataException">A file is not what it should be.</exception>
    public static IReadOnlyList<LabelledBytes> Read(string imagesPath, string labelsPath, IReadOnlyList<string> classNames)
    {
        using var images = Open(imagesPath);
        using var labels = Open(labelsPath);
        var (count, labelCount) = (Header(images, imagesPath, ImagesMagic), Header(labels, labelsPath, LabelsMagic));
        if (count != labelCount)
            throw new InvalidDataException($"'{imagesPath}' has {count} images and '{labelsPath}' {labelCount} labels; name two files that belong together.");
        var (height, width) = (Number(images, imagesPath), Number(images, imagesPath));
        if (height < 1 || width < 1 || (long)height * width > MostPixels)
            throw new InvalidDataException($"'{imagesPath}' says its images have {width} x {height} pixels; expected 1 to {MostPixels} in all.");
        var rows = new List<LabelledBytes>();
        var pixels = new byte[width * height];
        for (var i = 0; i < count; i++)
        {
            Fill(images, imagesPath, pixels);
            var label = labels.ReadByte();
            if (label < 0) throw Truncated(labelsPath);
            if (label >= classNames.Count)
                throw new InvalidDataException($"Label {label} of image {i} in '{labelsPath}' has no name; classNames has {classNames.Count}.");
            rows.Add(new LabelledBytes { Image = Png(pixels, width, height), Text = classNames[label], Label = classNames[label] });
        }
        return rows;
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
        return path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new BufferedStream(new GZipStream(file, CompressionMode.Decompress)) : file;
    }

    private static int Header(Stream stream, string path, int magic)
    {
        var found = Number(stream, path);
        if (found != magic)
            throw new InvalidDataException($"'{path}' begins with 0x{found:X8}; an IDX file of {(magic == ImagesMagic ? "images" : "labels")} begins with 0x{magic:X8}.");
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
