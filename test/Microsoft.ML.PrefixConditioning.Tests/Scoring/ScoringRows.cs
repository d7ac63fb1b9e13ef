using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A row with columns of many types, an image and a text among them.</summary>
internal sealed class AllTypesRow
{
    public const int Count = 100;

    /// <summary>Encoded images; row i has the one at i modulo their number.</summary>
    public static byte[][] Files { get; } = [.. Enumerable.Range(0, 5).Select(ScoringModel.Encoded)];

    public byte[] Image { get; set; } = [];
    public string Text { get; set; } = "";
    public bool Bool { get; set; }
    public byte Byte { get; set; }
    public int Int { get; set; }
    public long Long { get; set; }
    public float Single { get; set; }
    public double Double { get; set; }
    public TimeSpan Time { get; set; }
    public DateTime Date { get; set; }

    [VectorType(3)]
    public float[] Numbers { get; set; } = [];

    public double[] Varying { get; set; } = [];

    /// <summary>A view of rows whose values tell them apart.</summary>
    public static IDataView View(MLContext mlContext) => mlContext.Data.LoadFromEnumerable(
        Enumerable.Range(0, Count).Select(Row));

    private static AllTypesRow Row(int i) => new()
    {
        Image = Files[i % Files.Length], Text = $"thing {i % 7}", Bool = i % 3 == 0, Byte = (byte)i, Int = i,
        Long = -i * 10_000_000_000, Single = i / 3f,
        Double = i / 7.0, Time = TimeSpan.FromSeconds(i), Date = new DateTime(2020, 1, 1).AddDays(i), Numbers = [i, i + 1, i + 2],
        Varying = [.. Enumerable.Range(0, i % 4).Select(v => (double)v)],
    };
}

/// <summary>An encoded image.</summary>
internal sealed class BytesRow
{
    public byte[] Image { get; set; } = [];
}

/// <summary>An encoded image with the name of its class.</summary>
internal sealed class LabeledRow
{
    public byte[] Image { get; set; } = [];
    public string Label { get; set; } = "";
}

/// <summary>An ML.NET image.</summary>
internal sealed class PixelsRow
{
    [ImageType(16, 16)]
    public MLImage? Image { get; set; }
}
