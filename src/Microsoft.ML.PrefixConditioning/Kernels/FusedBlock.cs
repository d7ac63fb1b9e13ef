using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A transformer block on a processor, forwards and back, without intermediate results that nobody needs.</summary>
/// <remarks>
/// The same mathematics: matrix products are libtorch's, or <see cref="WeightProduct"/>'s where there are few rows; what lies between two
/// products is one pass of <see cref="RowKernels"/> or <see cref="AttentionKernel"/>. For going back it keeps 14 numbers per token and unit
/// of width, and the attention weights: layer norms are done again, and the activation's derivative is kept in place of its input.
/// T tokens of all sequences, R rows that go on (T, or one per sequence in a tower's last block), W width, M hidden width.
/// </remarks>
internal sealed unsafe class FusedBlock : IDisposable
{
    private readonly int _width, _hidden;
    private readonly ClipActivation _activation;
    private readonly FusedWeight _in, _inBias, _out, _outBias, _expand, _expandBias, _reduce, _reduceBias;
    private readonly FusedNorm _attentionNorm, _mlpNorm;
    private readonly Tensor[] _tensors;                             // all weights
    private readonly Tensor _queryTransposed, _keyValueTransposed;  // [W, W], [W, 2W]
    private readonly Tensor _query, _keyValue;                      // [W, W], [2W, W]

    public FusedBlock(BlockWeights weights)
    {
        _in = new FusedWeight(weights.In);
        _inBias = new FusedWeight(weights.InBias);
        _out = new FusedWeight(weights.Out);
        _outBias = new FusedWeight(weights.OutBias);
        _expand = new FusedWeight(weights.Expand);
        _expandBias = new FusedWeight(weights.ExpandBias);
        _reduce = new FusedWeight(weights.Reduce);
        _reduceBias = new FusedWeight(weights.ReduceBias);
        _attentionNorm = new FusedNorm(weights.AttentionGain, weights.AttentionShift);
        _mlpNorm = new FusedNorm(weights.MlpGain, weights.MlpShift);
        _tensors = weights.All;
        (_width, _hidden, _activation) = ((int)_out.Rows, (int)_expand.Rows, weights.Activation);
        using var noGrad = no_grad();
        _query = _in.Matrix.narrow(0, 0, _width).DetachFromDisposeScope();
        _keyValue = _in.Matrix.narrow(0, _width, 2 * _width).DetachFromDisposeScope();
        _queryTransposed = _query.t().DetachFromDisposeScope();
        _keyValueTransposed = _keyValue.t().DetachFromDisposeScope();
    }

    /// <summary>The block's result.</summary>
    /// <param name="x">[T, W].</param>
    /// <param name="layout">The sequences. With <see cref="AttentionLayout.Pooled"/> only one row of each goes on.</param>
    /// <param name="queryRows">[N], that row for every sequence; used with a pooled layout only.</param>
    /// <param name="memory">Intermediate results for <see cref="Backward"/>.</param>
    /// <param name="scratch">Intermediate results that nobody needs later.</param>
    /// <param name="keep">Whether <see cref="Backward"/> follows; without it the result may take the input's place.</param>
    /// <returns>[R, W], in the block's memory or in x.</returns>
    public MatrixBuffer Forward(MatrixBuffer x, AttentionLayout layout, long[] queryRows, BlockMemory memory, BlockScratch scratch,
        bool keep)
    {
        long tokens = layout.Rows, rows = layout.Pooled ? layout.Sequences : tokens;
        memory.Input = x;
        var normed = scratch.Normed.Resize(tokens, _width);
        RowKernels.AddAndNormalize(tokens, _width, x.Data, null, null, null, _attentionNorm.Weights, normed.Data,
            memory.InputStatistics.Resize(tokens, 2).Data);
        if (layout.Pooled)
        {
            WeightProduct.Run(Gathered(normed, queryRows, memory.QueryNormed), _in.Data, _queryTransposed,
                memory.Queries.Resize(rows, _width));
            WeightProduct.Run(normed, _in.Data + (long)_width * _width, _keyValueTransposed, memory.Packed.Resize(tokens, 2 * _width));
        }
        else WeightProduct.Run(normed, _in.Data, _in.Transposed, memory.Packed.Resize(tokens, 3 * _width));

        var attended = memory.Attended.Resize(rows, _width);
        AttentionKernel.Forward(layout, Operands(layout, memory), attended.Data,
            keep ? memory.Probabilities.Resize(1, layout.ProbabilityCount).Data : null);
        var projected = scratch.Projected.Resize(rows, _width);
        WeightProduct.Run(attended, _out.Data, _out.Transposed, projected);

        // Without a way back, a sum takes its first operand's place.
        var residual = layout.Pooled ? Gathered(x, queryRows, memory.Middle) : x;
        var middle = keep || layout.Pooled ? memory.Middle.Resize(rows, _width) : x;
        normed = scratch.Normed.Resize(rows, _width);
        RowKernels.AddAndNormalize(rows, _width, residual.Data, projected.Data, _outBias.Data, middle.Data, _mlpNorm.Weights, normed.Data,
            memory.MiddleStatistics.Resize(rows, 2).Data);
        var hidden = memory.Hidden.Resize(rows, _hidden);
        WeightProduct.Run(normed, _expand.Data, _expand.Transposed, hidden);
        var activated = keep ? memory.Activated.Resize(rows, _hidden) : hidden;
        RowKernels.Activate(rows, _hidden, hidden.Data, _expandBias.Data, _activation, activated.Data, keep);
        WeightProduct.Run(activated, _reduce.Data, _reduce.Transposed, projected);
        var result = keep ? memory.Result.Resize(rows, _width) : middle;
        RowKernels.AddAndNormalize(rows, _width, middle.Data, projected.Data, _reduceBias.Data, result.Data, _mlpNorm.Weights, null, null);
        return result;
    }

    /// <summary>Adds to the gradients of the block's weights and gives that of its input.</summary>
    /// <param name="layout">As in <see cref="Forward"/>.</param>
    /// <param name="queryRows">As in <see cref="Forward"/>.</param>
    /// <param name="memory">What <see cref="Forward"/> kept.</param>
    /// <param name="scratch">Intermediate results that nobody needs later.</param>
    /// <param name="gradient">[R, W], of the result; overwritten.</param>
    /// <param name="inputGradient">[T, W], written; for a layout that is not pooled the same as <paramref name="gradient"/>.</param>
    public void Backward(AttentionLayout layout, long[] queryRows, BlockMemory memory, BlockScratch scratch, MatrixBuffer gradient,
        MatrixBuffer inputGradient)
    {
        long tokens = layout.Rows, rows = layout.Pooled ? layout.Sequences : tokens;
        foreach (var weight in Weights) weight.BeginBackward();

        // x + reduce(activate(expand(norm(x))))
        RowKernels.MultiplyAndSum(rows, _width, gradient.Data, null, _reduceBias.Gradient);
        _reduce.AddProduct(gradient.Tensor, memory.Activated.Tensor);
        var wide = memory.Activated;                      // not needed any more
        wide.Tensor.addmm_(gradient.Tensor, _reduce.Matrix, beta: 0);
        RowKernels.MultiplyAndSum(rows, _hidden, wide.Data, memory.Hidden.Data, _expandBias.Gradient);
        var normed = scratch.Normed.Resize(rows, _width);
        RowKernels.Normalize(rows, _width, memory.Middle.Data, memory.MiddleStatistics.Data, _mlpNorm.Weights, normed.Data);
        _expand.AddProduct(wide.Tensor, normed.Tensor);
        var narrow = scratch.Projected.Resize(rows, _width);
        narrow.Tensor.addmm_(wide.Tensor, _expand.Matrix, beta: 0);
        RowKernels.NormalizeBack(rows, _width, memory.Middle.Data, memory.MiddleStatistics.Data, _mlpNorm.BeginBackward(), narrow.Data,
            gradient.Data, overwrite: false);

        // x + out(attention(in(norm(x))))
        RowKernels.MultiplyAndSum(rows, _width, gradient.Data, null, _outBias.Gradient);
        _out.AddProduct(gradient.Tensor, memory.Attended.Tensor);
        narrow.Tensor.addmm_(gradient.Tensor, _out.Matrix, beta: 0);
        BackThroughAttention(layout, queryRows, memory, scratch, gradient, inputGradient, narrow, tokens);
    }

    private void BackThroughAttention(
        AttentionLayout layout, long[] queryRows, BlockMemory memory, BlockScratch scratch, MatrixBuffer gradient,
            MatrixBuffer inputGradient, MatrixBuffer attendedGradient, long tokens)
    {
        var packed = scratch.Packed.Resize(tokens, layout.Pooled ? 2 * _width : 3 * _width);
        var queries = layout.Pooled ? scratch.Queries.Resize(layout.Sequences, _width).Data : packed.Data;
        var keys = layout.Pooled ? packed.Data : packed.Data + _width;
        AttentionKernel.Backward(layout, Operands(layout, memory), memory.Probabilities.Data, attendedGradient.Data, queries, keys,
            keys + _width);
        var normed = scratch.Normed.Resize(tokens, _width);
        RowKernels.Normalize(tokens, _width, memory.Input!.Data, memory.InputStatistics.Data, _attentionNorm.Weights, normed.Data);
        var normedGradient = scratch.Projected.Resize(tokens, _width);
        if (!layout.Pooled)
        {
            RowKernels.MultiplyAndSum(tokens, 3 * _width, packed.Data, null, _inBias.Gradient);
            _in.AddProduct(packed.Tensor, normed.Tensor);
            normedGradient.Tensor.addmm_(packed.Tensor, _in.Matrix, beta: 0);
            RowKernels.NormalizeBack(tokens, _width, memory.Input.Data, memory.InputStatistics.Data, _attentionNorm.BeginBackward(),
                normedGradient.Data, inputGradient.Data, overwrite: false);
            return;
        }
        RowKernels.MultiplyAndSum(layout.Sequences, _width, queries, null, _inBias.Gradient);
        RowKernels.MultiplyAndSum(tokens, 2 * _width, packed.Data, null, _inBias.IsTrained ? _inBias.Gradient + _width : null);
        _in.AddProduct(scratch.Queries.Tensor, memory.QueryNormed.Tensor);
        _in.AddProduct(packed.Tensor, normed.Tensor, _width);
        normedGradient.Tensor.addmm_(packed.Tensor, _keyValue, beta: 0);
        var queryGradient = memory.QueryNormed;           // not needed any more
        queryGradient.Tensor.addmm_(scratch.Queries.Tensor, _query, beta: 0);
        AddRows(queryGradient, queryRows, normedGradient);
        RowKernels.NormalizeBack(tokens, _width, memory.Input.Data, memory.InputStatistics.Data, _attentionNorm.BeginBackward(),
            normedGradient.Data, inputGradient.Data, overwrite: true);
        AddRows(gradient, queryRows, inputGradient);
    }

    private AttentionOperands Operands(AttentionLayout layout, BlockMemory memory)
    {
        var keys = layout.Pooled ? memory.Packed.Data : memory.Packed.Data + _width;
        return new AttentionOperands
        {
            Query = layout.Pooled ? memory.Queries.Data : memory.Packed.Data, Key = keys, Value = keys + _width,
            QueryBias = _inBias.Data, KeyBias = _inBias.Data + _width, ValueBias = _inBias.Data + 2 * _width,
            QueryStride = layout.Pooled ? _width : 3 * _width, KeyStride = layout.Pooled ? 2 * _width : 3 * _width,
        };
    }

    private MatrixBuffer Gathered(MatrixBuffer source, long[] rows, MatrixBuffer target)
    {
        target.Resize(rows.Length, _width);
        for (var i = 0; i < rows.Length; i++)
            new ReadOnlySpan<float>(source.Data + rows[i] * _width, _width).CopyTo(new Span<float>(target.Data + (long)i * _width, _width));
        return target;
    }

    private void AddRows(MatrixBuffer source, long[] rows, MatrixBuffer target)
    {
        for (var i = 0; i < rows.Length; i++)
        {
            float* from = source.Data + (long)i * _width, to = target.Data + rows[i] * _width;
            for (var column = 0; column < _width; column++) to[column] += from[column];
        }
    }

    /// <summary>One of the block's weights that is trained now; null where all are frozen.</summary>
    public Tensor? AnyTrained => Array.Find(_tensors, w => w.requires_grad);

    private FusedWeight[] Weights => [_in, _inBias, _out, _outBias, _expand, _expandBias, _reduce, _reduceBias];

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var weight in Weights) weight.Dispose();
        foreach (var view in new[] { _query, _keyValue, _queryTransposed, _keyValueTransposed }) view.Dispose();
        _attentionNorm.Dispose();
        _mlpNorm.Dispose();
    }
}
