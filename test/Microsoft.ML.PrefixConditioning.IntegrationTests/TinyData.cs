using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>Small pictures of one colour each, in a folder of their own: labeled ones and captioned ones.</summary>
internal sealed class TinyData : IDisposable
{
    private const int Side = 20, PerClass = 8;

    private static readonly (string Name, byte Red, byte Green, byte Blue)[] Colours =
        [("red", 220, 30, 30), ("green", 30, 200, 40), ("blue", 30, 40, 220)];

    public TinyData()
    {
        Folder = Directory.CreateTempSubdirectory("prefix-conditioning-").FullName;
        Labeled = Path.Combine(Folder, "labeled");
        Captioned = Path.Combine(Folder, "captioned");
        Directory.CreateDirectory(Captioned);
        var captions = new List<string> { "image\tcaption" };
        foreach (var (name, red, green, blue) in Colours)
        {
            Directory.CreateDirectory(Path.Combine(Labeled, name));
            for (var i = 0; i < PerClass; i++)
            {
                Write(Path.Combine(Labeled, name, $"{i}.png"), i, red, green, blue);
                Write(Path.Combine(Captioned, $"{name}{i}.png"), i + PerClass, red, green, blue);
                captions.Add($"{name}{i}.png\tphoto {i} of something {name}");
            }
        }
        Captions = Path.Combine(Folder, "captions.tsv");
        File.WriteAllLines(Captions, captions);
    }

    public static IReadOnlyList<string> ClassNames { get; } = [.. Colours.Select(c => c.Name)];

    public string Folder { get; }

    /// <summary>Class-name folders.</summary>
    public string Labeled { get; }

    public string Captioned { get; }

    /// <summary>A table of the captioned images.</summary>
    public string Captions { get; }

    /// <summary>Paths of all labeled images with their class names, ordinally sorted by class.</summary>
    public IEnumerable<(string Path, string ClassName)> Images => ClassNames.Order(StringComparer.Ordinal).SelectMany(name =>
        Enumerable.Range(0, PerClass).Select(i => (Path.Combine(Labeled, name, $"{i}.png"), name)));

    /// <summary>The path of one labeled image.</summary>
    public string Image(int index) => Images.ElementAt(index).Path;

    /// <summary>Labeled and captioned rows with the columns Image, Text, DatasetType and Label.</summary>
    public IDataView Train(MLContext mlContext) => mlContext.Data.UnifyDatasets(
        mlContext.Data.LoadImageFolder(Labeled), mlContext.Data.LoadImageCaptions(Captions, imageRoot: Captioned));

    /// <summary>Labeled rows.</summary>
    public IDataView Test(MLContext mlContext) => mlContext.Data.LoadImageFolder(Labeled);

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    private static void Write(string path, int variant, byte red, byte green, byte blue)
    {
        var pixels = new byte[Side * Side * 4];
        for (var i = 0; i < Side * Side; i++)
        {
            var shade = (byte)((variant * 7 + i % Side * (variant % 3)) % 30);   // pictures of one class are not equal
            (pixels[4 * i], pixels[4 * i + 1], pixels[4 * i + 2], pixels[4 * i + 3]) =
                ((byte)(red + shade), (byte)(green + shade), (byte)(blue + shade), 255);
        }
        using var image = MLImage.CreateFromPixels(Side, Side, MLPixelFormat.Rgba32, pixels);
        image.Save(path);
    }
}
