using Parquet;
using Parquet.Schema;

namespace PackageConsumer;

/// <summary>A handful of one-coloured bitmaps with labels and captions.</summary>
internal static class TinyData
{
    public static readonly string[] ClassNames = ["red square", "blue square"];

    /// <summary>Writes labeled/(class)/(number).bmp, four images, and captions.tsv with four more.</summary>
    public static void Write(string folder)
    {
        var lines = new List<string> { "image\tcaption" };
        for (var i = 0; i < 4; i++)
        {
            var isRed = i % 2 == 0;
            var name = ClassNames[i % 2];
            WriteBitmap(Path.Combine(folder, "labeled", name, $"{i}.bmp"), isRed);
            WriteBitmap(Path.Combine(folder, "captioned", $"{i}.bmp"), isRed);
            lines.Add($"captioned/{i}.bmp\tnumber {i}, a {name} on a white table");
        }
        File.WriteAllLines(Path.Combine(folder, "captions.tsv"), lines);
    }

    /// <summary>The classes of README's examples.</summary>
    public static readonly string[] ReadmeNames = ["red apple", "grinning face"];

    /// <summary>Writes what README's examples read: labeled/ and test/ with class folders, images/ and captions.tsv, and
    /// photo.jpg.</summary>
    public static void WriteForReadme(string folder)
    {
        var lines = new List<string> { "image\tcaption" };
        for (var i = 0; i < 8; i++)
        {
            var (isRed, name) = (i % 2 == 0, ReadmeNames[i % 2]);
            WriteBitmap(Path.Combine(folder, "labeled", name, $"{i}.bmp"), isRed);
            WriteBitmap(Path.Combine(folder, "test", name, $"{i}.bmp"), isRed);
            WriteBitmap(Path.Combine(folder, "images", $"{i}.bmp"), isRed);
            lines.Add($"{i}.bmp\tnumber {i}, a {name} on a white table");
        }
        File.WriteAllLines(Path.Combine(folder, "captions.tsv"), lines);
        WriteBitmap(Path.Combine(folder, "photo.jpg"), isRed: true);   // formats are told by content
    }

    /// <summary>A 24-bit bitmap of 8 x 8 pixels: a header of 54 bytes, then rows of blue, green, red.</summary>
    private static void WriteBitmap(string path, bool isRed)
    {
        const int HeaderSize = 54, Side = 8, PixelSize = 3;
        var bytes = new byte[HeaderSize + Side * Side * PixelSize];
        "BM"u8.CopyTo(bytes);
        foreach (var (offset, value) in new[] { (2, bytes.Length), (10, HeaderSize), (14, 40), (18, Side), (22, Side), (26, 1),
            (28, 8 * PixelSize) })
            BitConverter.TryWriteBytes(bytes.AsSpan(offset), value);
        for (var at = HeaderSize; at < bytes.Length; at += PixelSize) bytes[at + (isRed ? 2 : 0)] = 255;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
    }

    /// <summary>A Parquet file of one image with a caption.</summary>
    public static async Task WriteParquet(string path, string image)
    {
        var (bytes, caption) = (new DataField<byte[]>("image"), new DataField<string>("caption"));
        await using var stream = File.Create(path);
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(bytes, caption), stream);
        using var group = writer.CreateRowGroup();
        await group.WriteAsync(bytes, [await File.ReadAllBytesAsync(image)]);
        await group.WriteAsync(caption, ["a picture"]);
    }
}
