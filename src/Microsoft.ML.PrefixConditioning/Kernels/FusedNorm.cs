namespace Microsoft.ML.PrefixConditioning;

/// <summary>A layer norm's weights as the fused computation uses them.</summary>
internal sealed unsafe class FusedNorm(TorchSharp.torch.Tensor gain, TorchSharp.torch.Tensor shift) : IDisposable
{
    private readonly FusedWeight _gain = new(gain), _shift = new(shift);

    /// <summary>For the way forward.</summary>
    public NormWeights Weights => new(_gain.Data, _shift.Data);

    /// <summary>For the way back: with gradients, which are made if there are none yet.</summary>
    public NormWeights BeginBackward()
    {
        _gain.BeginBackward();
        _shift.BeginBackward();
        return new NormWeights(_gain.Data, _shift.Data, _gain.Gradient, _shift.Gradient);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _gain.Dispose();
        _shift.Dispose();
    }
}
