using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>One weight in the processor's memory with its gradient, as the fused computation uses it.</summary>
internal sealed unsafe class FusedWeight : IDisposable
{
    private const long MostRowsPacked = 1024;   // for more rows, packing again costs less than the memory for a second copy is worth

    private readonly Dictionary<long, MatrixBuffer> _packed = [];   // by first row
    private readonly Tensor _weight;
    private readonly long _columns;
    private readonly bool _isRounded;
    private bool _mayChange;   // since it was rounded
    private Tensor? _gradient, _rounded;

    /// <param name="weight">Contiguous; stays where it is for as long as this lives.</param>
    /// <param name="rounded">Whether it and what it is multiplied with are rounded to bfloat16.</param>
    public FusedWeight(Tensor weight, bool rounded = false)
    {
        _isRounded = rounded;
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        _weight = weight;
        Data = weight.dtype == ScalarType.Float32 ? MatrixBuffer.Pointer(weight) : null;
        Rows = weight.shape[0];
        _columns = weight.numel() / Rows;
        Matrix = weight.view(Rows, _columns).detach().DetachFromDisposeScope();
    }

    /// <summary>First value.</summary>
    public float* Data { get; }

    /// <summary>Length of the first axis.</summary>
    public long Rows { get; }

    /// <summary>The weight as a matrix [first axis, all others].</summary>
    public Tensor Matrix { get; }

    /// <summary>Whether the weight is trained now; a frozen one gets no gradient.</summary>
    public bool IsTrained => _weight.requires_grad;

    /// <summary>First value of the gradient, after <see cref="BeginBackward"/>; null for a frozen weight.</summary>
    public float* Gradient { get; private set; }

    /// <summary>Whether the package's products are faster than libtorch's on this processor.</summary>
    private bool IsMultipliedHere => _isRounded ? TorchTile.IsThere && (Data is not null || IsInPairs) : Vector256.IsHardwareAccelerated;

    /// <summary>Whether a product in bfloat16 can read the weight where it lies.</summary>
    private bool IsInPairs => _columns % 2 == 0;

    /// <summary>Finds the weight's gradient, or gives it one of zeros. Valid until the current dispose scope ends.</summary>
    public void BeginBackward()
    {
        _gradient = null;
        Gradient = null;
        if (!IsTrained) return;
        DropPacked();   // of a time when the weight was frozen
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

    /// <summary>y = x W'.</summary>
    /// <param name="x">[T, columns of the weight].</param>
    /// <param name="y">[T, R], written, for R rows of the weight.</param>
    /// <param name="firstRow">The first of these rows.</param>
    /// <param name="finish">Called once for every value of y, part by part, while it is in the cache.</param>
    public void Multiply<V>(MatrixBuffer x, MatrixBuffer y, long firstRow = 0, MatrixPartAction? finish = null)
        where V : struct, ILanes<V>
    {
        if (IsMultipliedHere)
        {
            Multiply<V>((int)x.Rows, x.Data, (int)y.Columns, y.Data, firstRow, finish);
            return;
        }
        if (_isRounded) Round();
        using var rows = Operand.narrow(0, firstRow, y.Columns);
        using var transposed = rows.t();
        Product(x, transposed, y);
        if (finish is not null) RowChunks.Run(y.Rows, (begin, end) => finish((int)begin, (int)(end - begin), 0, (int)y.Columns));
    }

    /// <summary>The same by the package's own products, in memory of the caller.</summary>
    /// <param name="count">T.</param>
    /// <param name="x">[T, columns of the weight].</param>
    /// <param name="rows">R.</param>
    /// <param name="y">[T, R], written.</param>
    /// <param name="firstRow">As in <see cref="Multiply{V}(MatrixBuffer, MatrixBuffer, long, MatrixPartAction)"/>.</param>
    /// <param name="finish">As there.</param>
    public void Multiply<V>(int count, float* x, int rows, float* y, long firstRow, MatrixPartAction? finish) where V : struct, ILanes<V>
    {
        if (_isRounded && !IsTrained && IsInPairs)
        {
            Round();
            RoundedProduct.Run(count, rows, (int)_columns, x, (ushort*)MatrixBuffer.Pointer(Operand) + firstRow * _columns, y, finish);
            return;
        }
        MatrixOperand left = new(x, _columns), weight = RowsFrom(firstRow).Transposed;
        if (_isRounded)
        {
            RoundedProduct.Run(count, rows, (int)_columns, left, weight, y, add: false, finish);
            return;
        }
        var packed = count <= MostRowsPacked ? Packed<V>(weight, rows, firstRow) : null;
        MatrixProduct<V>.Run(count, rows, (int)_columns, left, weight, y, add: false, finish, packed);
    }

    /// <summary>The gradient of x, y W.</summary>
    /// <param name="y">[T, R], the gradient of y.</param>
    /// <param name="x">[T, columns of the weight], written.</param>
    /// <param name="firstRow">As in <see cref="Multiply{V}(MatrixBuffer, MatrixBuffer, long, MatrixPartAction)"/>.</param>
    public void MultiplyBack<V>(MatrixBuffer y, MatrixBuffer x, long firstRow = 0) where V : struct, ILanes<V>
    {
        if (IsMultipliedHere && Data is not null)   // through a weight that lies in bfloat16, libtorch goes back
        {
            Run<V>((int)y.Rows, (int)_columns, (int)y.Columns, new(y.Data, y.Columns), RowsFrom(firstRow), x.Data, add: false);
            return;
        }
        using var rows = Operand.narrow(0, firstRow, y.Columns);
        Product(y, rows, x);
    }

    /// <summary>Adds y' x to the weight's gradient.</summary>
    /// <param name="y">[T, R], the gradient of y.</param>
    /// <param name="x">[T, columns of the weight].</param>
    /// <param name="firstRow">As in <see cref="Multiply{V}(MatrixBuffer, MatrixBuffer, long, MatrixPartAction)"/>.</param>
    public void AddProduct<V>(MatrixBuffer y, MatrixBuffer x, long firstRow = 0) where V : struct, ILanes<V>
    {
        if (_gradient is null) return;
        if (IsMultipliedHere)
        {
            Run<V>((int)y.Columns, (int)_columns, (int)y.Rows, new MatrixOperand(y.Data, y.Columns).Transposed, new(x.Data, _columns),
                Gradient + firstRow * _columns, add: true);
            return;
        }
        using var rows = _gradient.narrow(0, firstRow, y.Columns);
        if (_isRounded)
        {
            using Tensor left = Rounded(y.Tensor), right = Rounded(x.Tensor), leftTransposed = left.t(), product = leftTransposed.mm(right);
            rows.Add(product);
            return;
        }
        using var transposed = y.Tensor.t();
        rows.addmm_(transposed, x.Tensor, beta: 1);
    }

    private void Run<V>(int m, int n, int k, MatrixOperand left, MatrixOperand right, float* result, bool add) where V : struct, ILanes<V>
    {
        if (_isRounded) RoundedProduct.Run(m, n, k, left, right, result, add);
        else MatrixProduct<V>.Run(m, n, k, left, right, result, add);
    }

    /// <summary>The weight's rows from one on, as far as it is in single precision.</summary>
    private MatrixOperand RowsFrom(long row) => new(Data + row * _columns, _columns);

    /// <summary>The weight as libtorch multiplies it.</summary>
    private Tensor Operand => _isRounded ? _rounded! : Matrix;

    /// <summary>Rounds the weight: in every forward pass if it is trained, and once when it is frozen.</summary>
    private void Round()
    {
        lock (_packed)
        {
            if (_rounded is null) _rounded = Rounded(Matrix).DetachFromDisposeScope();
            else if (_mayChange) _rounded.copy_(Matrix);
            _mayChange = IsTrained;
        }
    }

    private static Tensor Rounded(Tensor x) => x.to(ScalarType.BFloat16);

    /// <summary>y = x w by libtorch.</summary>
    private void Product(MatrixBuffer x, Tensor w, MatrixBuffer y)
    {
        if (!_isRounded)
        {
            y.Tensor.addmm_(x.Tensor, w, beta: 0);
            return;
        }
        using Tensor rounded = Rounded(x.Tensor), product = rounded.mm(w);
        y.Tensor.copy_(product);
    }

    /// <summary>Rows of the weight as products read them, kept for a frozen weight: packing takes as long as multiplying a few rows. Null
    /// for a weight that is trained.</summary>
    private float* Packed<V>(MatrixOperand transposed, int rows, long firstRow) where V : struct, ILanes<V>
    {
        if (IsTrained) return null;
        lock (_packed)
        {
            if (_packed.TryGetValue(firstRow, out var kept)) return kept.Data;
            _packed[firstRow] = kept = new MatrixBuffer().Resize(1, MatrixProduct<V>.PackedLength(rows, (int)_columns));
            MatrixProduct<V>.Pack(rows, (int)_columns, transposed, kept.Data);
            return kept.Data;
        }
    }

    /// <summary>Forgets how products read a frozen weight, because it changes now.</summary>
    public void DropPacked()
    {
        lock (_packed)
        {
            _mayChange = true;
            foreach (var kept in _packed.Values) kept.Dispose();
            _packed.Clear();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        DropPacked();
        _rounded?.Dispose();
        Matrix.Dispose();
    }
}
