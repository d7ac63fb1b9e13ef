using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The precision of a model's matrix products, as libtorch computes them.</summary>
/// <param name="Type">The type that matrices are rounded to; sums are in single precision.</param>
internal readonly record struct Products(ScalarType Type)
{
    /// <summary>Whether nothing is rounded.</summary>
    public bool IsSingle => Type == ScalarType.Float32;

    /// <summary>x W' + b: [..., I] and [O, I] -> [..., O], rounded.</summary>
    /// <param name="x">[..., I].</param>
    /// <param name="weight">[O, I].</param>
    /// <param name="bias">[O] or null.</param>
    public Tensor Linear(Tensor x, Tensor weight, Tensor? bias = null) =>
        nn.functional.linear(Round(x), Round(weight), bias is null ? null : Round(bias));

    /// <summary>x w: [N, I] and [I, O] -> [N, O], rounded.</summary>
    public Tensor Product(Tensor x, Tensor w) => Round(x).matmul(Round(w));

    /// <summary>Values of a table that are added, not multiplied: rounded like matrices, in single precision.</summary>
    public Tensor Added(Tensor x) => IsSingle ? x : Round(x).to(ScalarType.Float32);

    /// <summary>Values rounded to the type; the same tensor if it is of this type.</summary>
    public Tensor Round(Tensor x) => x.dtype == Type ? x : x.to(Type);
}
