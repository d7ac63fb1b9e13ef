using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The plane through a cloud of vectors that shows most of their variance.</summary>
/// <param name="Points">[N] coordinates.</param>
/// <param name="Shares">Shares of the variance along both axes, 0 to 1.</param>
internal sealed record PrincipalComponents(IReadOnlyList<(double X, double Y)> Points, (double X, double Y) Shares)
{
    /// <summary>Projects vectors on their first two principal components.</summary>
    /// <param name="vectors">[N] vectors of length D, at least 2.</param>
    public static PrincipalComponents Of(IReadOnlyList<float[]> vectors)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var values = tensor(vectors.SelectMany(vector => vector).Select(value => (double)value).ToArray())
            .reshape(vectors.Count, vectors[0].Length);
        var centered = values - values.mean([0], keepdim: true);
        var (variances, axes) = linalg.eigh(centered.t().matmul(centered));   // ascending
        double[] spread = [.. variances.data<double>()];
        var total = Math.Max(spread.Sum(), double.Epsilon);
        var plane = axes.narrow(1, spread.Length - 2, 2).flip(1);             // [D, 2]
        // An axis may point either way; its largest part points up, so that equal models give equal maps.
        var largest = plane.gather(0, plane.abs().argmax(0, keepdim: true));
        double[] points = [.. centered.matmul(plane * largest.sign()).contiguous().data<double>()];
        return new([.. points.Chunk(2).Select(point => (point[0], point[1]))], (spread[^1] / total, spread[^2] / total));
    }
}
