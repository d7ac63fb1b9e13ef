using SkiaSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A tiny made-up training set in a folder of its own: labeled and captioned drawings of 16 x 16 pixels.</summary>
internal sealed class DrawnData : IDisposable
{
    private static readonly (string Name, SKColor Color)[] Colors =
        [("red", SKColors.Red), ("blue", SKColors.Blue), ("green", SKColors.Green), ("yellow", SKColors.Yellow)];

    private readonly string _folder;
    private readonly bool _isDrawn;

    /// <param name="labeled">Rows of "classification"; eight classes in turn.</param>
    /// <param name="captioned">Rows of "caption".</param>
    /// <param name="drawn">Folder of another process's data with the same rows; null to draw new ones.</param>
    public DrawnData(int labeled = 16, int captioned = 16, string? drawn = null)
    {
        (_isDrawn, _folder) = (drawn is not null, drawn ?? Directory.CreateTempSubdirectory("prefix-training-").FullName);
        for (var i = 0; i < labeled; i++)
            Rows.Add(new Row { Image = Draw($"labeled{i}.png", i), Text = Name(i), DatasetType = "classification", Label = Name(i) });
        for (var i = 0; i < captioned; i++)
            Rows.Add(new Row
            {
                Image = Draw($"captioned{i}.png", 3 * i + 1), Text = $"here is a {Name(3 * i + 1)} with number {i}",
                DatasetType = "caption"
            });
    }

    public MLContext Context { get; } = new(seed: 1);

    public List<Row> Rows { get; } = [];

    public IDataView View => Context.Data.LoadFromEnumerable(Rows);

    /// <summary>The labeled rows.</summary>
    public IDataView Labeled => Context.Data.LoadFromEnumerable(Rows.Where(r => r.Label is not null));

    /// <summary>A path below the folder.</summary>
    public string this[string name] => Path.Combine(_folder, name);

    public static PrefixClipOptions Options { get; } = new()
    {
        Architecture = SmallModel.Architecture, BatchSize = 8, Epochs = 2, Seed = 7, Device = ComputeDevice.Cpu, VocabularySize = 520,
        LearningRate = 2e-3, ImageCacheMegabytes = 8,
    };

    public PrefixClipTransformer Fit(PrefixClipOptions options) => Context.Transforms.PrefixClip(options).Fit(View);

    public TaggedRows Tagged(PrefixClipOptions? options = null) => TaggedRows.Read(View, options ?? Options);

    /// <summary>Makes a row's file something that is no image.</summary>
    public void Break(params int[] rows)
    {
        foreach (var row in rows) File.WriteAllText(Rows[row].Image, "no picture");
    }

    /// <summary>Every weight's bytes by name.</summary>
    public static Dictionary<string, byte[]> Weights(PrefixClipTransformer transformer)
    {
        using var scope = NewDisposeScope();
        using var stream = new MemoryStream();
        transformer.Trained.Lend(network => Safetensors.Write(stream, [.. network.Weights]));
        stream.Position = 0;
        return Safetensors.Read(stream).ToDictionary(w => w.Key, w => w.Value.bytes.ToArray());
    }

    public static void AreBitEqual(Dictionary<string, byte[]> expected, Dictionary<string, byte[]> actual)
    {
        CollectionAssert.AreEqual(expected.Keys, actual.Keys);
        foreach (var (name, bytes) in expected) CollectionAssert.AreEqual(bytes, actual[name], name);
    }

    public void Dispose()
    {
        if (!_isDrawn) Directory.Delete(_folder, recursive: true);
    }

    private static string Name(int i) => $"{Colors[i % 4].Name} {(i / 4 % 2 == 0 ? "square" : "disc")}";

    private string Draw(string file, int i)
    {
        var path = Path.Combine(_folder, file);
        if (_isDrawn) return path;
        using var bitmap = new SKBitmap(16, 16, SKColorType.Rgba8888, SKAlphaType.Opaque);
        using var canvas = new SKCanvas(bitmap);
        using var paint = new SKPaint();
        paint.Color = Colors[i % 4].Color;
        canvas.Clear(SKColors.White);
        var shift = i % 3;
        if (i / 4 % 2 == 0) canvas.DrawRect(2 + shift, 3, 9, 9, paint);
        else canvas.DrawCircle(7 + shift, 8, 5, paint);
        canvas.Flush();
        using var png = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        File.WriteAllBytes(path, png.ToArray());
        return path;
    }

    public sealed class Row
    {
        public string Image { get; set; } = "";
        public string Text { get; set; } = "";
        public string DatasetType { get; set; } = "";
        public string? Label { get; set; }
    }
}

/// <summary>Calls back at once on the reporting thread, as .NET's own Progress does not.</summary>
internal sealed class Reports(Action<TrainingProgress>? action = null) : Reports<TrainingProgress>(action);

/// <summary>The same for any reports.</summary>
internal class Reports<T>(Action<T>? action = null) : IProgress<T>
{
    public List<T> All { get; } = [];

    public void Report(T value)
    {
        All.Add(value);
        action?.Invoke(value);
    }
}
