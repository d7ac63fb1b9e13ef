using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Operations with numbers that live until the operation ends.</summary>
/// <remarks>
/// TorchSharp passes a number to libtorch as a <see cref="Scalar"/> and does not keep it alive: a garbage collection in the middle of the
/// call frees it, and the operation fails or computes with whatever the memory holds. This applies to its operators, too; a sum of two
/// tensors has a hidden factor of 1. The build fails where they are used (build/BannedSymbols.txt).
/// </remarks>
internal static class TensorMath
{
    private static readonly Scalar One = 1.ToScalar();

    /// <summary>x + y.</summary>
    public static Tensor Plus(this Tensor x, Tensor y) => x.add(y, One);

    /// <summary>x + number.</summary>
    public static Tensor Plus(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return x.add(scalar, One);
    }

    /// <summary>x += y.</summary>
    public static Tensor Add(this Tensor x, Tensor y) => x.add_(y, One);

    /// <summary>x += number.</summary>
    public static Tensor Add(this Tensor x, Scalar number) => x.add_(number, One);

    /// <summary>Adds rows to those of x at some places, in place: x[places[i]] += rows[i].</summary>
    public static Tensor AddRows(this Tensor x, Tensor places, Tensor rows) => x.index_add_(0, places, rows, One);

    /// <summary>x number.</summary>
    public static Tensor Times(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return x.mul(scalar);
    }

    /// <summary>x number, for integers.</summary>
    public static Tensor Times(this Tensor x, long number)
    {
        using var scalar = number.ToScalar();
        return x.mul(scalar);
    }

    /// <summary>0, 1, ..., count - 1: [count] int64.</summary>
    public static Tensor Range(long count, Device device)
    {
        using var end = count.ToScalar();
        return arange(end, ScalarType.Int64, device);
    }

    /// <summary>The value of a tensor that holds one.</summary>
    public static double Number(this Tensor x)
    {
        using Tensor detached = x.detach(), converted = detached.to(ScalarType.Float64), value = converted.cpu();
        return value.item<double>();
    }

    /// <summary>Whether every value is finite.</summary>
    public static bool IsFinite(this Tensor x)
    {
        using Tensor each = x.isfinite(), all = each.all(), value = all.cpu();
        return value.item<bool>();
    }
}
