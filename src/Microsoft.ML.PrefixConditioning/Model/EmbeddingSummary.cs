using System.Diagnostics;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Mean and variance of a set of embeddings, per dimension.</summary>
/// <param name="Count">Embeddings that it was taken from.</param>
/// <param name="Mean">[D].</param>
/// <param name="Variance">[D], divided by the count, not by the count minus 1.</param>
internal sealed record EmbeddingSummary(long Count, double[] Mean, double[] Variance)
{
    /// <summary>The summary of embeddings.</summary>
    /// <param name="embeddings">At least one, [D] each.</param>
    public static EmbeddingSummary Of(IReadOnlyList<float[]> embeddings)
    {
        Debug.Assert(embeddings.Count > 0);
        var (mean, variance) = (new double[embeddings[0].Length], new double[embeddings[0].Length]);
        foreach (var embedding in embeddings)
            for (var d = 0; d < mean.Length; d++) mean[d] += embedding[d] / (double)embeddings.Count;
        foreach (var embedding in embeddings)
            for (var d = 0; d < mean.Length; d++) variance[d] += Math.Pow(embedding[d] - mean[d], 2) / embeddings.Count;
        return new EmbeddingSummary(embeddings.Count, mean, variance);
    }

    /// <summary>The squared Fréchet distance of two normal distributions with diagonal covariance: |m1 - m2|^2 + |s1 - s2|^2, with s the
    /// standard deviations.</summary>
    /// <remarks>Source: Dowson and Landau, "The Fréchet distance between multivariate normal distributions", 1982.</remarks>
    public static double SquaredDistance(EmbeddingSummary first, EmbeddingSummary second)
    {
        var sum = 0.0;
        for (var d = 0; d < first.Mean.Length; d++)
            sum += Math.Pow(first.Mean[d] - second.Mean[d], 2)
                + Math.Pow(Math.Sqrt(first.Variance[d]) - Math.Sqrt(second.Variance[d]), 2);
        return sum;
    }

    /// <summary>Writes one summary per dataset type.</summary>
    // i32 types; per type i64 count, D f64 means, D f64 variances.
    public static void Write(Stream stream, IReadOnlyList<EmbeddingSummary> summaries)
    {
        using var writer = new BinaryWriter(stream, System.Text.Encoding.UTF8, leaveOpen: true);
        writer.Write(summaries.Count);
        foreach (var summary in summaries)
        {
            writer.Write(summary.Count);
            foreach (var value in summary.Mean) writer.Write(value);
            foreach (var value in summary.Variance) writer.Write(value);
        }
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <param name="stream">The stream, which may be damaged.</param>
    /// <param name="types">Dataset types of the model.</param>
    /// <param name="size">D of the model.</param>
    /// <exception cref="InvalidDataException">The values are no summaries of this model.</exception>
    /// <exception cref="EndOfStreamException">There are fewer values.</exception>
    public static EmbeddingSummary[] Read(Stream stream, int types, int size)
    {
        using var reader = new BinaryReader(stream, System.Text.Encoding.UTF8, leaveOpen: true);
        if (reader.ReadInt32() is var found && found != types)
            throw new InvalidDataException($"It has summaries of {found} dataset types, the model has {types}.");
        return [.. Enumerable.Range(0, types).Select(_ =>
        {
            var summary = new EmbeddingSummary(reader.ReadInt64(), Values(reader, size), Values(reader, size));
            var valid = summary.Count > 0 && summary.Mean.All(double.IsFinite) && summary.Variance.All(v => double.IsFinite(v) && v >= 0);
            return valid ? summary : throw new InvalidDataException("A summary has no images, or values that no images can give.");
        })];
    }

    private static double[] Values(BinaryReader reader, int count)
    {
        var values = new double[count];
        for (var i = 0; i < count; i++) values[i] = reader.ReadDouble();
        return values;
    }
}
