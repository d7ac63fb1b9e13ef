using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Embeddings with keys, as views and indexes of <see cref="ScoringModel"/>'s size.</summary>
internal sealed class EmbeddedRow
{
    public const int Size = 8;

    private const ulong Purpose = 20;

    [VectorType(Size)]
    public float[] Embedding { get; set; } = [];

    public string Key { get; set; } = "";

    /// <summary>Random vectors of any length, the same every time.</summary>
    public static float[][] Random(int count, ulong seed = 1)
    {
        var random = SeededRandom.Derive(seed, Purpose);
        var vectors = new float[count][];
        for (var i = 0; i < count; i++)
        {
            vectors[i] = new float[Size];
            for (var d = 0; d < Size; d++) vectors[i][d] = (float)(random.NextDouble() + random.NextDouble() - 1);
        }
        return vectors;
    }

    /// <summary>A view of vectors, with keys "0", "1", ...</summary>
    public static IDataView View(IEnumerable<float[]> vectors) => new MLContext().Data.LoadFromEnumerable(
        vectors.Select((v, i) => new EmbeddedRow { Embedding = v, Key = $"{i}" }));

    /// <summary>An index of vectors, with keys "0", "1", ...</summary>
    public static ClipSearchIndex Index(PrefixClipTransformer model, IEnumerable<float[]> vectors)
    {
        var index = new ClipSearchIndex(model);
        index.AddImages(View(vectors), nameof(Embedding), nameof(Key));
        return index;
    }

    /// <summary>The cosine in double precision.</summary>
    public static double Cosine(float[] x, float[] y)
    {
        double product = 0, first = 0, second = 0;
        for (var d = 0; d < x.Length; d++)
            (product, first, second) = (product + (double)x[d] * y[d], first + (double)x[d] * x[d], second + (double)y[d] * y[d]);
        return product / Math.Sqrt(first * second);
    }
}
