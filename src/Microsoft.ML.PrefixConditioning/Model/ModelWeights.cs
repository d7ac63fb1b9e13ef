using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The named weights of one model. Towers declare each weight here once, with its name, shape and initial values.</summary>
/// <remarks>
/// Names are open_clip's, so that loading a file is a look-up. Every weight but statistics is a leaf with a gradient; it lives on one
/// device and is owned by this object. Declaring draws from one generator in order of declaration: a seed gives the same weights
/// everywhere.
/// </remarks>
internal sealed class ModelWeights : IDisposable
{
    private readonly Generator? _generator;
    private readonly Device _device;
    private readonly List<KeyValuePair<string, Tensor>> _named = [];

    private readonly bool _rounded;   // whether matrices and tables are kept rounded, for a model that is not trained

    private ModelWeights(Device device, Products products, Generator? generator, bool rounded) =>
        (_device, Products, _generator, _rounded) = (device, products, generator, rounded);

    /// <summary>Weights with the reference's initial distributions, drawn from a seed.</summary>
    public static ModelWeights Initialized(Device device, Products products, ulong seed) =>
        new(device, products, new Generator(seed, CPU), rounded: false);

    /// <summary>Weights whose values are undefined until they are read from a file.</summary>
    /// <param name="device">Where they lie.</param>
    /// <param name="products">The precision of matrix products.</param>
    /// <param name="rounded">Whether matrices are kept in the type of products, which takes less memory and cannot be trained.</param>
    public static ModelWeights Unset(Device device, Products products, bool rounded) => new(device, products, null, rounded);

    /// <summary>The precision of matrix products.</summary>
    public Products Products { get; }

    /// <summary>All weights in order of declaration.</summary>
    public IReadOnlyList<KeyValuePair<string, Tensor>> Named => _named;

    /// <summary>Number of values in all weights, statistics not counted.</summary>
    public long ParameterCount => _named.Where(w => !IsStatistic(w.Key)).Sum(w => w.Value.numel());

    /// <summary>Whether a weight is a running statistic of batch normalization, which no gradient changes.</summary>
    public static bool IsStatistic(string name) =>
        name.EndsWith(".running_mean", StringComparison.Ordinal) || name.EndsWith(".running_var", StringComparison.Ordinal);

    /// <summary>Where the weights are.</summary>
    public Device Device => _device;

    /// <summary>A weight drawn from N(0, std²).</summary>
    public Tensor Normal(string name, double std, params long[] shape) =>
        Declare(name, shape, t => t.normal_(0, std, _generator));   // nn.init's functions take no notice of the generator

    /// <summary>A weight drawn uniformly from ±bound.</summary>
    public Tensor Uniform(string name, double bound, params long[] shape) =>
        Declare(name, shape, t => t.uniform_(-bound, bound, _generator));

    /// <summary>A weight whose values are all the same.</summary>
    public Tensor Constant(string name, double value, params long[] shape) =>
        Declare(name, shape, t => t.fill_(value));

    private Tensor Declare(string name, long[] shape, Action<Tensor> initialize)
    {
        using var scope = NewDisposeScope();   // for the aliases that in-place operations return
        var type = _rounded && shape.Length is 2 or 3 ? Products.Type : ScalarType.Float32;   // convolutions stay in single precision
        var weight = _device.type == DeviceType.META ? empty(shape, type, _device) : empty(shape, type);
        if (_generator is not null)
            using (no_grad()) initialize(weight);
        if (_device.type != DeviceType.CPU) weight = weight.to(_device);
        weight.requires_grad_(!_rounded && !IsStatistic(name));
        weight.DetachFromDisposeScope();
        _named.Add(new(name, weight));
        return weight;
    }

    /// <summary>Ends the initialization: the generator is no longer needed.</summary>
    public void Seal() => _generator?.Dispose();

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (_, weight) in _named)
        {
            weight.grad?.Dispose();
            weight.Dispose();
        }
        _named.Clear();
        _generator?.Dispose();
    }
}
