namespace Microsoft.ML.PrefixConditioning;

/// <summary>The precision of matrix products.</summary>
public enum Precision
{
    /// <summary>Single precision.</summary>
    Float32,

    /// <summary>Matrices are rounded to bfloat16 before they are multiplied. Sums, norms, softmax, the loss, and the weights that the
    /// optimizer updates stay in single precision. Slow on a processor without instructions for bfloat16.</summary>
    BFloat16,

    /// <summary>bfloat16 where it is faster: on a CPU with AVX-512 BF16 or AMX if both towers have a width of 192 or more, and on a GPU for
    /// which a short measurement says so. Otherwise single precision. The choice is logged.</summary>
    Auto,
}
