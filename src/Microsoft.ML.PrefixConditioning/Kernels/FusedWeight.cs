using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>One weight in the processor's memory with its gradient, as the fused computation uses it.</summary>
internal sealed unsafe class FusedWeight : IDisposable
{
    private readonly Tensor _weight;
    private Tensor? _gradient;

    /// <param name="weight">Contiguous; stays where it is for as long as this lives.</param>
    public FusedWeight(Tensor weight)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        _weight = weight;
        Data = MatrixBuffer.Pointer(weight);
        Rows = weight.shape[0];
        Matrix = (weight.dim() == 1 ? weight.view(1, -1) : weight.view(Rows, -1)).detach().DetachFromDisposeScope();
        Transposed = Matrix.t().DetachFromDisposeScope();
    }

    /// <summary>First value.</summary>
    public float* Data { get; }

    /// <summary>Length of the first axis.</summary>
    public long Rows { get; }

    /// <summary>The weight as a matrix [first axis, all others].</summary>
    public Tensor Matrix { get; }

    /// <summary>The matrix's transpose.</summary>
    public Tensor Transposed { get; }

    /// <summary>Whether the weight is trained now; a frozen one gets no gradient.</summary>
    public bool IsTrained => _weight.requires_grad;

    /// <summary>First value of the gradient, after <see cref="BeginBackward"/>; null for a frozen weight.</summary>
    public float* Gradient { get; private set; }

    /// <summary>Finds the weight's gradient, or gives it one of zeros; everything up to the end of the dispose scope adds to it.</summary>
    public void BeginBackward()
    {
        _gradient = null;
        Gradient = null;
        if (!IsTrained) return;
        var gradient = GradientOf(_weight);
        Gradient = MatrixBuffer.Pointer(gradient);
        _gradient = gradient.view(Matrix.shape);
    }

    /// <summary>A weight's gradient; one of zeros is given to a weight that has none.</summary>
    public static Tensor GradientOf(Tensor weight)
    {
        if (weight.grad is not { IsInvalid: false })
        {
            using var zero = zeros_like(weight.detach());
            weight.grad = zero;
        }
        return weight.grad!;
    }

    /// <summary>gradient += left' right, for rows of the weight from one on.</summary>
    /// <param name="left">[T, rows].</param>
    /// <param name="right">[T, columns].</param>
    /// <param name="firstRow">First row of the weight that is meant.</param>
    public void AddProduct(Tensor left, Tensor right, long firstRow = 0)
    {
        if (_gradient is null) return;
        using var transposed = left.t();
        using var rows = _gradient.narrow(0, firstRow, left.shape[1]);
        rows.addmm_(transposed, right, beta: 1, alpha: 1);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Matrix.Dispose();
        Transposed.Dispose();
    }
}
