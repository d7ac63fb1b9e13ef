using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A transformer block on a processor.</summary>
/// <remarks>T tokens of all sequences, R rows that go on (T, or one per sequence in a tower's last block), W width.</remarks>
internal abstract class FusedBlock : IDisposable
{
    /// <summary>A block that computes with the widest vectors of this processor.</summary>
    public static FusedBlock Create(BlockWeights weights) =>
        Vector512.IsHardwareAccelerated ? new FusedBlock<Lanes512>(weights) : new FusedBlock<Lanes256>(weights);

    /// <summary>One of the block's weights that is trained now; null where all are frozen.</summary>
    public abstract Tensor? AnyTrained { get; }

    /// <summary>The block's result.</summary>
    /// <param name="x">[T, W].</param>
    /// <param name="layout">The sequences. With <see cref="AttentionLayout.Pooled"/> only one row of each goes on.</param>
    /// <param name="queryRows">[N], that row for every sequence; used with a pooled layout only.</param>
    /// <param name="memory">Intermediate results for <see cref="Backward"/>.</param>
    /// <param name="scratch">Intermediate results that nobody needs later.</param>
    /// <param name="keep">Whether <see cref="Backward"/> follows; without it the result may take the input's place.</param>
    /// <returns>[R, W], in the block's memory or in x.</returns>
    public abstract MatrixBuffer Forward(MatrixBuffer x, AttentionLayout layout, long[] queryRows, BlockMemory memory,
        BlockScratch scratch, bool keep);

    /// <summary>Adds to the gradients of the block's weights and gives that of its input.</summary>
    /// <param name="layout">As in <see cref="Forward"/>.</param>
    /// <param name="queryRows">As in <see cref="Forward"/>.</param>
    /// <param name="memory">What <see cref="Forward"/> kept.</param>
    /// <param name="scratch">Intermediate results that nobody needs later.</param>
    /// <param name="gradient">[R, W], of the result; overwritten.</param>
    /// <param name="inputGradient">[T, W], written; for a layout that is not pooled the same as <paramref name="gradient"/>.</param>
    public abstract void Backward(AttentionLayout layout, long[] queryRows, BlockMemory memory, BlockScratch scratch,
        MatrixBuffer gradient, MatrixBuffer inputGradient);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>A transformer block on a processor, forwards and back, without intermediate results that nobody needs.</summary>
/// <remarks>
/// The same mathematics: <see cref="MatrixProduct{V}"/> multiplies; what lies between two products is one pass of
/// <see cref="RowKernels{V}"/> or <see cref="AttentionKernel{V}"/>. For going back it keeps 14 numbers per token and unit of width, and the
/// attention weights: layer norms are done again, and the activation's derivative is kept in place of its input.
/// T tokens of all sequences, R rows that go on (T, or one per sequence in a tower's last block), W width, M hidden width.
/// </remarks>
/// <typeparam name="V">The vector that it computes with.</typeparam>
internal sealed unsafe class FusedBlock<V> : FusedBlock where V : struct, ILanes<V>
{
    private readonly int _width, _hidden;
    private readonly ClipActivation _activation;
    private readonly FusedWeight _in, _inBias, _out, _outBias, _expand, _expandBias, _reduce, _reduceBias;
    private readonly FusedNorm _attentionNorm, _mlpNorm;
    private readonly Tensor[] _tensors;                             // all weights

    public FusedBlock(BlockWeights weights)
    {
        _in = new FusedWeight(weights.In, weights.Rounded);
        _inBias = new FusedWeight(weights.InBias);
        _out = new FusedWeight(weights.Out, weights.Rounded);
        _outBias = new FusedWeight(weights.OutBias);
        _expand = new FusedWeight(weights.Expand, weights.Rounded);
        _expandBias = new FusedWeight(weights.ExpandBias);
        _reduce = new FusedWeight(weights.Reduce, weights.Rounded);
        _reduceBias = new FusedWeight(weights.ReduceBias);
        _attentionNorm = new FusedNorm(weights.AttentionGain, weights.AttentionShift);
        _mlpNorm = new FusedNorm(weights.MlpGain, weights.MlpShift);
        _tensors = weights.All;
        (_width, _hidden, _activation) = ((int)_out.Rows, (int)_expand.Rows, weights.Activation);
    }

    /// <inheritdoc/>
    public override MatrixBuffer Forward(MatrixBuffer x, AttentionLayout layout, long[] queryRows, BlockMemory memory,
        BlockScratch scratch, bool keep)
    {
        long tokens = layout.Rows, rows = layout.Pooled ? layout.Sequences : tokens;
        memory.Input = x;
        var normed = scratch.Normed.Resize(tokens, _width);
        RowKernels<V>.AddAndNormalize(tokens, _width, x.Data, null, null, null, _attentionNorm.Weights, normed.Data,
            memory.InputStatistics.Resize(tokens, 2).Data);
        if (layout.Pooled)
        {
            _in.Multiply<V>(Gathered(normed, queryRows, memory.QueryNormed), memory.Queries.Resize(rows, _width));
            _in.Multiply<V>(normed, memory.Packed.Resize(tokens, 2 * _width), _width);
        }
        else _in.Multiply<V>(normed, memory.Packed.Resize(tokens, 3 * _width));

        var attended = memory.Attended.Resize(rows, _width);
        AttentionKernel<V>.Forward(layout, Operands(layout, memory), attended.Data,
            keep ? memory.Probabilities.Resize(1, layout.ProbabilityCount).Data : null);
        var projected = scratch.Projected.Resize(rows, _width);
        _out.Multiply<V>(attended, projected);

        // Without a way back, a sum takes its first operand's place.
        var residual = layout.Pooled ? Gathered(x, queryRows, memory.Middle) : x;
        var middle = keep || layout.Pooled ? memory.Middle.Resize(rows, _width) : x;
        normed = scratch.Normed.Resize(rows, _width);
        RowKernels<V>.AddAndNormalize(rows, _width, residual.Data, projected.Data, _outBias.Data, middle.Data, _mlpNorm.Weights,
            normed.Data, memory.MiddleStatistics.Resize(rows, 2).Data);
        var hidden = memory.Hidden.Resize(rows, _hidden);
        var activated = keep ? memory.Activated.Resize(rows, _hidden) : hidden;
        _expand.Multiply<V>(normed, hidden, finish: (row, count, column, columns) => RowKernels<V>.Activate(count, columns, _hidden,
            hidden.Data + (long)row * _hidden + column, _expandBias.Data + column, _activation,
            activated.Data + (long)row * _hidden + column, keep));
        _reduce.Multiply<V>(activated, projected);
        var result = keep ? memory.Result.Resize(rows, _width) : middle;
        RowKernels<V>.AddAndNormalize(rows, _width, middle.Data, projected.Data, _reduceBias.Data, result.Data, _mlpNorm.Weights,
            null, null);
        return result;
    }

    /// <inheritdoc/>
    public override void Backward(AttentionLayout layout, long[] queryRows, BlockMemory memory, BlockScratch scratch,
        MatrixBuffer gradient, MatrixBuffer inputGradient)
    {
        long tokens = layout.Rows, rows = layout.Pooled ? layout.Sequences : tokens;
        foreach (var weight in Weights) weight.BeginBackward();

        // x + reduce(activate(expand(norm(x))))
        RowKernels<V>.MultiplyAndSum(rows, _width, gradient.Data, null, _reduceBias.Gradient);
        _reduce.AddProduct<V>(gradient, memory.Activated);
        var wide = memory.Activated;                      // not needed any more
        _reduce.MultiplyBack<V>(gradient, wide);
        RowKernels<V>.MultiplyAndSum(rows, _hidden, wide.Data, memory.Hidden.Data, _expandBias.Gradient);
        var normed = scratch.Normed.Resize(rows, _width);
        RowKernels<V>.Normalize(rows, _width, memory.Middle.Data, memory.MiddleStatistics.Data, _mlpNorm.Weights, normed.Data);
        _expand.AddProduct<V>(wide, normed);
        var narrow = scratch.Projected.Resize(rows, _width);
        _expand.MultiplyBack<V>(wide, narrow);
        RowKernels<V>.NormalizeBack(rows, _width, memory.Middle.Data, memory.MiddleStatistics.Data, _mlpNorm.BeginBackward(), narrow.Data,
            gradient.Data, overwrite: false);

        // x + out(attention(in(norm(x))))
        RowKernels<V>.MultiplyAndSum(rows, _width, gradient.Data, null, _outBias.Gradient);
        _out.AddProduct<V>(gradient, memory.Attended);
        _out.MultiplyBack<V>(gradient, narrow);
        BackThroughAttention(layout, queryRows, memory, scratch, gradient, inputGradient, narrow, tokens);
    }

    private void BackThroughAttention(
        AttentionLayout layout, long[] queryRows, BlockMemory memory, BlockScratch scratch, MatrixBuffer gradient,
            MatrixBuffer inputGradient, MatrixBuffer attendedGradient, long tokens)
    {
        var packed = scratch.Packed.Resize(tokens, layout.Pooled ? 2 * _width : 3 * _width);
        var queries = layout.Pooled ? scratch.Queries.Resize(layout.Sequences, _width).Data : packed.Data;
        var keys = layout.Pooled ? packed.Data : packed.Data + _width;
        AttentionKernel<V>.Backward(layout, Operands(layout, memory), memory.Probabilities.Data, attendedGradient.Data, queries, keys,
            keys + _width);
        var normed = scratch.Normed.Resize(tokens, _width);
        RowKernels<V>.Normalize(tokens, _width, memory.Input!.Data, memory.InputStatistics.Data, _attentionNorm.Weights, normed.Data);
        var normedGradient = scratch.Projected.Resize(tokens, _width);
        if (!layout.Pooled)
        {
            RowKernels<V>.MultiplyAndSum(tokens, 3 * _width, packed.Data, null, _inBias.Gradient);
            _in.AddProduct<V>(packed, normed);
            _in.MultiplyBack<V>(packed, normedGradient);
            RowKernels<V>.NormalizeBack(tokens, _width, memory.Input.Data, memory.InputStatistics.Data, _attentionNorm.BeginBackward(),
                normedGradient.Data, inputGradient.Data, overwrite: false);
            return;
        }
        RowKernels<V>.MultiplyAndSum(layout.Sequences, _width, queries, null, _inBias.Gradient);
        RowKernels<V>.MultiplyAndSum(tokens, 2 * _width, packed.Data, null, _inBias.IsTrained ? _inBias.Gradient + _width : null);
        _in.AddProduct<V>(scratch.Queries, memory.QueryNormed);
        _in.AddProduct<V>(packed, normed, _width);
        _in.MultiplyBack<V>(packed, normedGradient, _width);
        var queryGradient = memory.QueryNormed;           // not needed any more
        _in.MultiplyBack<V>(scratch.Queries, queryGradient);
        AddRows(queryGradient, queryRows, normedGradient);
        RowKernels<V>.NormalizeBack(tokens, _width, memory.Input.Data, memory.InputStatistics.Data, _attentionNorm.BeginBackward(),
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

    /// <inheritdoc/>
    public override Tensor? AnyTrained => Array.Find(_tensors, w => w.requires_grad);

    private FusedWeight[] Weights => [_in, _inBias, _out, _outBias, _expand, _expandBias, _reduce, _reduceBias];

    /// <inheritdoc/>
    public override void Dispose()
    {
        foreach (var weight in Weights) weight.Dispose();
        _attentionNorm.Dispose();
        _mlpNorm.Dispose();
    }
}
