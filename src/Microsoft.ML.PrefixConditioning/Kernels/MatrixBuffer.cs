using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A matrix in native memory that is kept from step to step and grows when it must.</summary>
/// <remarks>
/// Fresh memory is dear: the system clears it page by page when it is first written, which for the large intermediate results of a
/// step takes as long as computing them. libtorch gives such memory back after every operation; this keeps it.
/// </remarks>
internal sealed unsafe class MatrixBuffer : IDisposable
{
    private Tensor? _memory, _view;

    /// <summary>First value, row by row; valid until the buffer grows.</summary>
    public float* Data { get; private set; }

    /// <summary>Number of values that fit without growing.</summary>
    public long Capacity => _memory?.numel() ?? 0;

    /// <summary>Rows, after <see cref="Resize"/>.</summary>
    public long Rows { get; private set; }

    /// <summary>Columns, after <see cref="Resize"/>.</summary>
    public long Columns { get; private set; }

    /// <summary>The matrix as a tensor, [rows, columns], after <see cref="Resize"/>.</summary>
    public Tensor Tensor => _view ?? throw new InvalidOperationException("The buffer has no size yet.");

    /// <summary>Sets the shape. Values are undefined afterwards if the shape changes.</summary>
    /// <returns>This buffer.</returns>
    public MatrixBuffer Resize(long rows, long columns)
    {
        if (_view is not null && Rows == rows && Columns == columns) return this;
        using var notInference = inference_mode(false);   // the memory outlives the caller's mode, outside of which it could not be written
        _view?.Dispose();
        _view = null;
        if (_memory is null || rows * columns > Capacity)
        {
            _memory?.Dispose();
            _memory = null;
            Data = null;   // if there is no memory left, nothing may point at the old
            _memory = empty(rows * columns, ScalarType.Float32).DetachFromDisposeScope();
            Data = Pointer(_memory);
            NativeHeap.UseLargePages((nint)Data, rows * columns * sizeof(float));
        }
        using var part = _memory!.narrow(0, 0, rows * columns);
        _view = part.view(rows, columns).DetachFromDisposeScope();
        (Rows, Columns) = (rows, columns);
        return this;
    }

    /// <summary>First value of a contiguous tensor in the processor's memory.</summary>
    public static float* Pointer(Tensor tensor)
    {
        var count = tensor.numel();
        if (count == 0) return null;
        if (count <= int.MaxValue / sizeof(float)) return (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(tensor.bytes));
        using var first = tensor.as_strided([1], [1], tensor.storage_offset());   // the span of a whole tensor ends at 2 GiB
        return (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(first.bytes));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _view?.Dispose();
        _memory?.Dispose();
        _view = null;
        _memory = null;
        Data = null;
    }
}
