using System.Runtime.ExceptionServices;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A tower's transformer blocks on a processor as one function that libtorch differentiates.</summary>
/// <remarks>N sequences of at most L tokens, T tokens of all of them, W width.</remarks>
internal sealed unsafe class FusedStack : autograd.SingleTensorFunction<FusedStack>
{
    private const string PassName = "pass";

    /// <inheritdoc/>
    public override string Name => nameof(FusedStack);

    /// <summary>The blocks' result at one token of each sequence: [N, L, W] -> [N, W].</summary>
    /// <param name="blocks">The blocks.</param>
    /// <param name="x">[N, L, W].</param>
    /// <param name="pooled">[N], the token of each sequence that is wanted. With a causal mask the tokens after it are not
    /// computed.</param>
    public static Tensor Pool(FusedBlocks blocks, Tensor x, int[] pooled)
    {
        var lengths = blocks.IsCausal ? Array.ConvertAll(pooled, p => p + 1) : [.. Enumerable.Repeat((int)x.shape[1], pooled.Length)];
        var trained = !is_grad_enabled() ? null : x.requires_grad ? x : blocks.AnyTrained;
        if (trained is not null) return apply(x, blocks, pooled, lengths, trained);
        var memory = blocks.Rent();
        try
        {
            return Forward(blocks, memory, x, pooled, lengths, keep: false);
        }
        finally
        {
            blocks.Return(memory);
        }
    }

    /// <inheritdoc/>
    /// <remarks>The last argument, a trained tensor, is not read; it makes autograd record this call even if <c>x</c> needs no
    /// gradient.</remarks>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (x, blocks, pooled, lengths) = ((Tensor)vars[0], (FusedBlocks)vars[1], (int[])vars[2], (int[])vars[3]);
        var memory = blocks.Rent();
        try
        {
            ctx.save_data(PassName, new Pass(blocks, memory, lengths, x.requires_grad, x.shape));
            return Forward(blocks, memory, x, pooled, lengths, keep: true);
        }
        catch
        {
            memory.Dispose();   // no backward pass will give it back
            throw;
        }
    }

    /// <inheritdoc/>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var pass = (Pass)ctx.get_data(PassName);
        try
        {
            return [Backward(pass, grad_output)!, null!, null!, null!, null!];
        }
        catch (Exception e)
        {
            // libtorch calls this from native code. An exception that leaves it ends the process.
            pass.Blocks.Fault ??= ExceptionDispatchInfo.Capture(e);
            return [null!, null!, null!, null!, null!];
        }
    }

    private static Tensor Forward(FusedBlocks blocks, TowerMemory memory, Tensor x, int[] pooled, int[] lengths, bool keep)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        int count = (int)x.shape[0], length = (int)x.shape[1], width = (int)x.shape[2];
        var queries = new long[count];
        long rows = 0;
        for (var i = 0; i < count; rows += lengths[i++]) queries[i] = rows + pooled[i];
        var packed = memory.Embedded.Resize(rows, width);
        Repack(lengths, length, width, MatrixBuffer.Pointer(x.detach().contiguous()), packed.Data, pack: true);
        return blocks.Forward(memory, packed, lengths, queries, keep).Tensor.clone().MoveToOuterDisposeScope();
    }

    private static Tensor? Backward(Pass pass, Tensor gradient)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        if (pass.IsOver)
            throw new InvalidOperationException(
                "This forward pass had its backward pass; its intermediate results are gone. Encode the batch again.");
        pass.IsOver = true;
        try
        {
            var rows = pass.Blocks.Backward(pass.Memory, gradient, pass.InputIsTrained);
            if (rows is null) return null;
            var isPadded = rows.Tensor.shape[0] < pass.Shape[0] * pass.Shape[1];
            var result = isPadded ? zeros(pass.Shape) : empty(pass.Shape);
            Repack(pass.Lengths, (int)pass.Shape[1], (int)pass.Shape[2], MatrixBuffer.Pointer(result), rows.Data, pack: false);
            return result.MoveToOuterDisposeScope();
        }
        finally
        {
            pass.Blocks.Return(pass.Memory);
        }
    }

    /// <summary>[N, L, W] to the tokens that count, [T, W], or back.</summary>
    private static void Repack(int[] lengths, int length, int width, float* padded, float* packed, bool pack)
    {
        var starts = new long[lengths.Length];
        for (var i = 1; i < lengths.Length; i++) starts[i] = starts[i - 1] + lengths[i - 1];
        ParallelLoop.Run(lengths.Length, i =>
        {
            float* outer = padded + (long)i * length * width, inner = packed + starts[i] * width;
            var bytes = (long)lengths[i] * width * sizeof(float);
            Buffer.MemoryCopy(pack ? outer : inner, pack ? inner : outer, bytes, bytes);
        });
    }

    private sealed record Pass(FusedBlocks Blocks, TowerMemory Memory, int[] Lengths, bool InputIsTrained, long[] Shape)
    {
        public bool IsOver { get; set; }
    }
}
