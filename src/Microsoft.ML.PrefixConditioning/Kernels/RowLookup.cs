using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Rows of a table, whose gradient is added where it belongs instead of being made as a table of its own.</summary>
/// <remarks>libtorch's own lookup makes a gradient of the table's size, 100 MB for CLIP's vocabulary; a batch uses a thousandth of
/// it.</remarks>
internal sealed class RowLookup : autograd.SingleTensorFunction<RowLookup>
{
    /// <inheritdoc/>
    public override string Name => nameof(RowLookup);

    /// <summary>Looks rows up: [V, W] and [N] int64 -> [N, W].</summary>
    public static Tensor Of(Tensor table, Tensor rows) => apply(table, rows);

    /// <inheritdoc/>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (table, rows) = ((Tensor)vars[0], (Tensor)vars[1]);
        ctx.save_for_backward([table, rows]);
        if (table.requires_grad) FusedWeight.GradientOf(table);   // here, where a lack of memory can be thrown; not in the backward pass
        return table.index_select(0, rows);
    }

    /// <inheritdoc/>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var saved = ctx.get_saved_variables();
        FusedWeight.GradientOf(saved[0]).AddRows(saved[1], grad_output);
        return [null!, null!];
    }
}
