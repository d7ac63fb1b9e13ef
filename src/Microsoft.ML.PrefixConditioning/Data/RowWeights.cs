namespace Microsoft.ML.PrefixConditioning;

/// <summary>How often each row is drawn, relative to the others of its dataset type.</summary>
/// <param name="Indexes">[N] indexes into <paramref name="Values"/>.</param>
/// <param name="Values">The distinct weights, at most <see cref="MostValues"/>.</param>
internal sealed record RowWeights(byte[] Indexes, IReadOnlyList<float> Values)
{
    /// <summary>Distinct weights that fit into a byte per row.</summary>
    public const int MostValues = 256;

    /// <summary>Whether this is a weight: a finite number greater than 0.</summary>
    public static bool IsValid(float weight) => weight > 0 && float.IsFinite(weight);
}
