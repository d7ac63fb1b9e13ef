using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Functions of eight numbers at a time.</summary>
/// <remarks>Polynomials are least-maximum fits of this project's own; the errors stated are those of single-precision arithmetic.</remarks>
internal static class VectorMath
{
    private const float SmallestExponent = -87.3f;         // below it exp leaves the normal numbers
    private const float Log2E = 1.44269504f;
    // add up to ln 2; the first has few digits, so that a multiple of it is exact
    private const float Ln2High = 0.693359375f, Ln2Low = -2.12194440e-4f;
    private const float ErfcScale = 0.3f;                  // t = 1 / (1 + 0.3 z) in the fit of erfc

    /// <summary>exp(x) for x of 0 or less; at least exp(-87.3). Relative error below 2e-7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ExpOfNegative(Vector256<float> x)
    {
        x = Vector256.MaxNative(Vector256.Create(SmallestExponent), x);          // in this order a NaN stays one
        var n = Vector256.Round(x * Log2E);
        var r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-Ln2High), x);
        r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-Ln2Low), r);
        var p = Vector256.Create(0.00138146104f);
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.00836871006f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.041668389f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.166665211f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.49999994f));
        var e = Vector256.FusedMultiplyAdd(p * r, r, r) + Vector256<float>.One;              // 1 + r + r² p(r)
        var power = Vector256.ShiftLeft(Vector256.ConvertToInt32Native(n) + Vector256.Create(127), 23).AsSingle(); // 2^n
        return e * power;
    }

    /// <summary>GELU with the exact Gaussian distribution function, x Φ(x), and its derivative Φ(x) + x φ(x).</summary>
    /// <remarks>erfc(z) = t P(t) exp(-z²) with a P of degree 8: relative error below 5e-7, also far from zero.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Gelu(Vector256<float> x, out Vector256<float> derivative)
    {
        const float RootHalf = 0.707106781f, DensityAtZero = 0.39894228f;
        var density = ExpOfNegative(x * x * -0.5f);                                          // exp(-z²) for z = |x| / √2
        var t = Vector256<float>.One / Vector256.FusedMultiplyAdd(Vector256.Abs(x), Vector256.Create(RootHalf * ErfcScale),
            Vector256<float>.One);
        var p = Vector256.Create(-0.129434288f);
        p = Vector256.FusedMultiplyAdd(p, t, Vector256.Create(0.485097468f));
        p = Vector256.FusedMultiplyAdd(p, t, Vector256.Create(-0.511228502f));
        p = Vector256.FusedMultiplyAdd(p, t, Vector256.Create(0.546397388f));
        p = Vector256.FusedMultiplyAdd(p, t, Vector256.Create(-0.0936328322f));
        p = Vector256.FusedMultiplyAdd(p, t, Vector256.Create(0.214436933f));
        p = Vector256.FusedMultiplyAdd(p, t, Vector256.Create(0.148482278f));
        p = Vector256.FusedMultiplyAdd(p, t, Vector256.Create(0.170691952f));
        p = Vector256.FusedMultiplyAdd(p, t, Vector256.Create(0.169189617f));
        var tail = p * t * density * 0.5f;                                                   // Φ(-|x|)
        var phi = Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256<float>.Zero), tail, Vector256<float>.One - tail);
        derivative = Vector256.FusedMultiplyAdd(x * DensityAtZero, density, phi);
        return x * phi;
    }

    /// <summary>OpenAI's approximation of GELU, x sigmoid(1.702 x), and its derivative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> QuickGelu(Vector256<float> x, out Vector256<float> derivative)
    {
        const float Slope = 1.702f;
        var tail = ExpOfNegative(Vector256.Abs(x) * -Slope);
        var sigmoid = Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256<float>.Zero), tail, Vector256<float>.One)
            / (Vector256<float>.One + tail);
        derivative = Vector256.FusedMultiplyAdd(x * Slope * sigmoid, Vector256<float>.One - sigmoid, sigmoid);
        return x * sigmoid;
    }
}
