using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A copy of a model's weights in the processor's memory: those after the best validation, which early stopping returns
/// to.</summary>
internal sealed class BestWeights(ClipModel model) : IDisposable
{
    private readonly Dictionary<string, Tensor> _values = model.Weights.ToDictionary(
        w => w.Key, w => empty_like(w.Value, device: CPU, requires_grad: false).DetachFromDisposeScope(), StringComparer.Ordinal);

    /// <summary>Keeps the model's weights, or others of its names and shapes.</summary>
    public void Keep(IEnumerable<KeyValuePair<string, Tensor>>? weights = null)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        foreach (var (name, weight) in weights ?? model.Weights) _values[name].copy_(weight);
    }

    /// <summary>Gives the model the weights kept.</summary>
    public void Restore()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        foreach (var (name, weight) in model.Weights) weight.copy_(_values[name]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var value in _values.Values) value.Dispose();
    }
}
