using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The gradients of all trained weights, side by side in one array that is summed over the ranks.</summary>
/// <remarks>The weights' gradients are views of the array, so that nothing is copied on a processor. The loss is its last value.</remarks>
/// <param name="weights">The weights to train.</param>
/// <param name="ranks">The ranks.</param>
internal sealed unsafe class SharedGradients(IReadOnlyList<Tensor> weights, Ranks ranks) : IDisposable
{
    private const int SpanLength = 1 << 28;   // values; a span has fewer than 2^31 bytes

    private readonly Tensor _all = zeros(weights.Sum(w => w.numel()) + 1, device: weights[0].device).DetachFromDisposeScope();

    /// <summary>Gives a gradient to every weight that has none. To be called before the backward pass.</summary>
    public void Attach()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        if (weights.All(w => w.grad is { IsInvalid: false })) return;
        _all.zero_();
        long first = 0;
        foreach (var weight in weights)
        {
            weight.grad = _all.narrow(0, first, weight.numel()).view(weight.shape);
            first += weight.numel();
        }
    }

    /// <summary>Adds up the gradients of all ranks. To be called after an exchange.</summary>
    /// <param name="loss">The loss as this rank computed it; the last bits may differ between ranks.</param>
    /// <returns>The loss as rank 0 computed it.</returns>
    public double Sum(double loss)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var values = _all.cpu();   // itself on a processor
        var count = values.numel();
        var first = MatrixBuffer.Pointer(values);
        first[count - 1] = ranks.IsFirst ? (float)loss : 0;
        for (long at = 0; at < count; at += SpanLength)
            ranks.Sum(new Span<float>(first + at, (int)Math.Min(SpanLength, count - at)));
        if (_all.device_type != TorchSharp.DeviceType.CPU) _all.copy_(values);
        return first[count - 1];
    }

    /// <inheritdoc/>
    public void Dispose() => _all.Dispose();
}
