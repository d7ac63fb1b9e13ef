using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The named weights of one model. Towers declare each weight here once, with its part, layer, name, shape and initial
/// values.</summary>
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
    private readonly Dictionary<string, WeightPlace> _places = new(StringComparer.Ordinal);
    private MemoryPressure? _pressure;
    private readonly bool _rounded;   // whether matrices and tables are kept rounded, for a model that is not trained

    private ModelWeights(Device device, Products products, Generator? generator, bool rounded) =>
        (_device, Products, _generator, _rounded) = (device, products, generator, rounded);

    /// <summary>Weights with the reference's initial distributions, drawn from a seed.</summary>
    public static ModelWeights Initialized(Device device, ulong seed, ScalarType products = ScalarType.Float32) =>
        new(device, new Products(products), new Generator(seed, CPU), rounded: false);

    /// <summary>Weights whose values are undefined until they are read from a file.</summary>
    /// <param name="device">Where they lie.</param>
    /// <param name="products">The type that matrices are rounded to before they are multiplied.</param>
    /// <param name="rounded">Whether matrices are kept in the type of products, which takes less memory and cannot be trained.</param>
    public static ModelWeights Unset(Device device, ScalarType products, bool rounded) =>
        new(device, new Products(products), null, rounded);

    /// <summary>The precision of matrix products.</summary>
    public Products Products { get; }

    /// <summary>All weights in order of declaration.</summary>
    public IReadOnlyList<KeyValuePair<string, Tensor>> Named => _named;

    /// <summary>Number of values in all weights, statistics not counted.</summary>
    public long ParameterCount => _named.Where(w => !PlaceOf(w.Key).IsStatistic).Sum(w => w.Value.numel());

    /// <summary>The part and the layer that a weight was declared with.</summary>
    public WeightPlace PlaceOf(string name) => _places[name];

    /// <summary>Where the weights are.</summary>
    public Device Device => _device;

    /// <summary>Declares weights of one part.</summary>
    /// <param name="part">The part.</param>
    /// <param name="layer">In a tower of L blocks: 0 (embeddings, first norm), 1 to L (blocks) or L + 1 (last norm). Other parts have no
    /// layers.</param>
    public WeightGroup Of(TrainableParts part, int layer = 0) => new(this, new WeightPlace(part, layer));

    /// <summary>Adds a weight.</summary>
    /// <param name="place">Where it belongs.</param>
    /// <param name="name">Its name in weight files.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="initialize">Sets its values in place.</param>
    public Tensor Declare(WeightPlace place, string name, long[] shape, Action<Tensor, Generator> initialize)
    {
        using var scope = NewDisposeScope();   // for the aliases that in-place operations return
        var type = _rounded && shape.Length is 2 or 3 ? Products.Type : ScalarType.Float32;   // convolutions stay in single precision
        var weight = _device.type == DeviceType.META ? empty(shape, type, _device) : empty(shape, type);
        NativeHeap.UseLargePages();
        if (_generator is not null)
            using (no_grad()) initialize(weight, _generator);
        if (_device.type != DeviceType.CPU) weight = weight.to(_device);
        weight.requires_grad_(!_rounded && !place.IsStatistic);
        weight.DetachFromDisposeScope();
        _named.Add(new(name, weight));
        _places.Add(name, place);
        return weight;
    }

    /// <summary>Ends the declarations: the generator is no longer needed, and the memory is known.</summary>
    public void Seal()
    {
        _generator?.Dispose();
        if (_device.type == DeviceType.CPU) _pressure = new MemoryPressure(_named.Sum(w => w.Value.numel() * w.Value.element_size()));
    }

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
        _pressure?.Dispose();
    }
}

/// <summary>Where a weight belongs.</summary>
/// <param name="Part">The part that is trained or frozen with it; none for a statistic.</param>
/// <param name="Layer">Layer of its tower, 0 to L + 1 for L blocks.</param>
internal readonly record struct WeightPlace(TrainableParts Part, int Layer)
{
    /// <summary>Whether the weight is a running statistic of batch normalization, which no gradient changes.</summary>
    public bool IsStatistic => Part == TrainableParts.None;
}

/// <summary>Declares weights of one part and layer.</summary>
internal sealed class WeightGroup(ModelWeights weights, WeightPlace place)
{
    /// <summary>The precision of matrix products.</summary>
    public Products Products => weights.Products;

    /// <summary>A weight drawn from N(0, std²).</summary>
    public Tensor Normal(string name, double std, params long[] shape) =>
        weights.Declare(place, name, shape, (t, g) => t.normal_(0, std, g));   // nn.init's functions take no notice of the generator

    /// <summary>A weight drawn uniformly from ±bound.</summary>
    public Tensor Uniform(string name, double bound, params long[] shape) =>
        weights.Declare(place, name, shape, (t, g) => t.uniform_(-bound, bound, g));

    /// <summary>A weight whose values are all the same.</summary>
    public Tensor Constant(string name, double value, params long[] shape) =>
        weights.Declare(place, name, shape, (t, _) =>
        {
            using var scalar = value.ToScalar();
            t.fill_(scalar);
        });

    /// <summary>A running statistic of batch normalization, whose values are all the same.</summary>
    public Tensor Statistic(string name, double value, params long[] shape) =>
        weights.Of(TrainableParts.None).Constant(name, value, shape);
}
