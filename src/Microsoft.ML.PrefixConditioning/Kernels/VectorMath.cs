using System.Runtime.CompilerServices;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Functions of a vector of numbers.</summary>
/// <remarks>Polynomials are least-maximum fits of this project's own; the errors stated are those of single-precision arithmetic.</remarks>
/// <typeparam name="V">The vector.</typeparam>
internal static class VectorMath<V> where V : struct, ILanes<V>
{
    private const float SmallestExponent = -87.3f;         // below it exp leaves the normal numbers
    private const float Log2E = 1.44269504f;
    // add up to ln 2; the first has few digits, so that a multiple of it is exact
    private const float Ln2High = 0.693359375f, Ln2Low = -2.12194440e-4f;
    private const float ErfcScale = 0.3f;                  // t = 1 / (1 + 0.3 z) in the fit of erfc

    private static V One => V.Create(1);

    /// <summary>exp(x) for x of 0 or less; at least exp(-87.3). Relative error below 2e-7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ExpOfNegative(V x)
    {
        x = V.Max(V.Create(SmallestExponent), x);          // in this order a NaN stays one
        var n = V.Round(x * Log2E);
        var r = V.MultiplyAdd(n, V.Create(-Ln2High), x);
        r = V.MultiplyAdd(n, V.Create(-Ln2Low), r);
        var p = V.Create(0.00138146104f);
        p = V.MultiplyAdd(p, r, V.Create(0.00836871006f));
        p = V.MultiplyAdd(p, r, V.Create(0.041668389f));
        p = V.MultiplyAdd(p, r, V.Create(0.166665211f));
        p = V.MultiplyAdd(p, r, V.Create(0.49999994f));
        var e = V.MultiplyAdd(p * r, r, r) + One;              // 1 + r + r² p(r)
        var power = V.PowerOfTwo(n);
        return e * power;
    }

    /// <summary>GELU with the exact Gaussian distribution function, x Φ(x), and its derivative Φ(x) + x φ(x).</summary>
    /// <remarks>erfc(z) = t P(t) exp(-z²) with a P of degree 8: relative error below 5e-7, also far from zero.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gelu(V x, out V derivative)
    {
        const float RootHalf = 0.707106781f, DensityAtZero = 0.39894228f;
        var density = ExpOfNegative(x * x * -0.5f);                                          // exp(-z²) for z = |x| / √2
        var t = One / V.MultiplyAdd(V.Abs(x), V.Create(RootHalf * ErfcScale),
            One);
        var p = V.Create(-0.129434288f);
        p = V.MultiplyAdd(p, t, V.Create(0.485097468f));
        p = V.MultiplyAdd(p, t, V.Create(-0.511228502f));
        p = V.MultiplyAdd(p, t, V.Create(0.546397388f));
        p = V.MultiplyAdd(p, t, V.Create(-0.0936328322f));
        p = V.MultiplyAdd(p, t, V.Create(0.214436933f));
        p = V.MultiplyAdd(p, t, V.Create(0.148482278f));
        p = V.MultiplyAdd(p, t, V.Create(0.170691952f));
        p = V.MultiplyAdd(p, t, V.Create(0.169189617f));
        var tail = p * t * density * 0.5f;                                                   // Φ(-|x|)
        var phi = V.SelectBySign(x, tail, One - tail);
        derivative = V.MultiplyAdd(x * DensityAtZero, density, phi);
        return x * phi;
    }

    /// <summary>OpenAI's approximation of GELU, x sigmoid(1.702 x), and its derivative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V QuickGelu(V x, out V derivative)
    {
        const float Slope = 1.702f;
        var tail = ExpOfNegative(V.Abs(x) * -Slope);
        var sigmoid = V.SelectBySign(x, tail, One)
            / (One + tail);
        derivative = V.MultiplyAdd(x * Slope * sigmoid, One - sigmoid, sigmoid);
        return x * sigmoid;
    }
}
