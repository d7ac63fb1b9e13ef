using System.Globalization;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A computation under construction: inputs, named nodes in order, constants and outputs. Values are known by name.</summary>
/// <param name="opset">Version of the operators that its nodes may use.</param>
internal sealed class OnnxGraph(int opset = OnnxModelFile.Opset)
{
    private const int ValueName = 1, ValueType = 2, ValueDoc = 3;                                          // ValueInfoProto
    private const int TensorType = 1, ElementType = 1, Shape = 2;                                          // TypeProto, its Tensor
    private const int Dimension = 1, DimensionValue = 1, DimensionName = 2;                                // TensorShapeProto

    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly List<OnnxInitializer> _initializers = [];
    private readonly List<OnnxOperation> _nodes = [];
    private readonly List<OnnxMessage> _inputs = [], _outputs = [];

    /// <summary>Version of the operators that the nodes may use.</summary>
    public int Opset => opset;

    /// <summary>Nodes, each after those whose outputs it takes.</summary>
    public IReadOnlyList<OnnxOperation> Nodes => _nodes;

    /// <summary>The model's inputs.</summary>
    public IReadOnlyList<OnnxMessage> Inputs => _inputs;

    /// <summary>The model's outputs.</summary>
    public IReadOnlyList<OnnxMessage> Outputs => _outputs;

    /// <summary>Constants in the order of their first use.</summary>
    public IReadOnlyList<OnnxInitializer> Initializers => _initializers;

    /// <summary>Declares an input.</summary>
    /// <param name="name">Name of the value.</param>
    /// <param name="type">Type of its elements.</param>
    /// <param name="shape">Sizes; text names one that differs from call to call.</param>
    /// <param name="doc">What it is.</param>
    /// <returns>The name.</returns>
    public string Input(string name, OnnxElement type, object[] shape, string doc)
    {
        _inputs.Add(Value(name, type, shape, doc));
        return name;
    }

    /// <summary>Declares a value as an output.</summary>
    /// <inheritdoc cref="Input" path="/param|/returns"/>
    public string Output(string name, OnnxElement type, object[] shape, string doc)
    {
        _outputs.Add(Value(name, type, shape, doc));
        return name;
    }

    /// <summary>Adds a node with one output.</summary>
    /// <param name="operation">The operator.</param>
    /// <param name="place">Where it belongs, such as "/visual/ln_pre"; the node is named after it and the operator.</param>
    /// <param name="inputs">Names of the values that it takes.</param>
    /// <param name="attributes">Its settings.</param>
    /// <returns>Name of the value that it gives.</returns>
    public string Add(string operation, string place, string[] inputs, params OnnxAttribute[] attributes) =>
        Add(operation, place, inputs, $"{place}/{operation}_output_0", attributes);

    /// <summary>Adds a node whose output has a name of its own.</summary>
    /// <param name="operation">The operator.</param>
    /// <param name="place">Where it belongs.</param>
    /// <param name="inputs">Names of the values that it takes.</param>
    /// <param name="output">Name of the value that it gives.</param>
    /// <param name="attributes">Its settings.</param>
    /// <returns>The output's name.</returns>
    public string Add(string operation, string place, string[] inputs, string output, params OnnxAttribute[] attributes) =>
        AddMany(operation, place, inputs, [output], attributes)[0];

    /// <summary>Adds a node with several outputs.</summary>
    /// <param name="operation">The operator.</param>
    /// <param name="place">Where it belongs.</param>
    /// <param name="inputs">Names of the values that it takes.</param>
    /// <param name="outputs">Number of outputs.</param>
    /// <param name="attributes">Its settings.</param>
    /// <returns>Names of the values that it gives.</returns>
    public string[] Add(string operation, string place, string[] inputs, int outputs, params OnnxAttribute[] attributes)
    {
        var names = Enumerable.Range(0, outputs).Select(i => $"{place}/{operation}_output_{i.ToString(CultureInfo.InvariantCulture)}");
        return AddMany(operation, place, inputs, [.. names], attributes);
    }

    private string[] AddMany(string operation, string place, string[] inputs, string[] outputs, OnnxAttribute[] attributes)
    {
        var name = $"{place}/{operation}";
        if (!_names.Add(name))
            throw new InvalidOperationException($"The graph has two nodes '{name}'; give the second a place of its own.");
        _nodes.Add(new OnnxOperation(operation, name, inputs, outputs, attributes));
        return outputs;
    }

    /// <summary>A constant of floats; the first of a name counts.</summary>
    /// <inheritdoc cref="OnnxInitializer.Floats" path="/param"/>
    /// <returns>The name.</returns>
    public string Floats(string name, long[] shape, Func<Tensor> value, string doc = "") =>
        Constant(name, () => OnnxInitializer.Floats(name, shape, value, doc));

    /// <summary>A constant of texts.</summary>
    /// <returns>The name.</returns>
    public string Texts(string name, string[] values, string doc) => Constant(name, () => OnnxInitializer.Texts(name, values, doc));

    /// <summary>A single number as a constant, named after its value.</summary>
    /// <returns>The name.</returns>
    public string Number(float value)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"constants/number_{value}");
        return Constant(name, () => OnnxInitializer.Floats(name, [], () => tensor(value), ""));
    }

    /// <summary>A single integer as a constant, named after its value.</summary>
    /// <returns>The name.</returns>
    public string Integer(long value)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"constants/integer_{value}");
        return Constant(name, () => OnnxInitializer.Integers(name, [], [value]));
    }

    /// <summary>A list of integers as a constant, named after its values.</summary>
    /// <returns>The name.</returns>
    public string Integers(params long[] values)
    {
        var name = $"constants/integers_{string.Join('_', values.Select(v => v.ToString(CultureInfo.InvariantCulture)))}";
        return Constant(name, () => OnnxInitializer.Integers(name, [values.Length], values));
    }

    /// <summary>A list of integers as a constant with a name of its own.</summary>
    /// <returns>The name.</returns>
    public string Integers(string name, long[] values) => Constant(name, () => OnnxInitializer.Integers(name, [values.Length], values));

    private string Constant(string name, Func<OnnxInitializer> create)
    {
        if (_names.Add(name)) _initializers.Add(create());
        return name;
    }

    private static OnnxMessage Value(string name, OnnxElement type, object[] shape, string doc)
    {
        var dimensions = new OnnxMessage();
        foreach (var size in shape)
            dimensions.Add(Dimension, size is string text
                ? new OnnxMessage().Add(DimensionName, text)
                : new OnnxMessage().Add(DimensionValue, Convert.ToInt64(size, CultureInfo.InvariantCulture)));
        var tensorType = new OnnxMessage().Add(ElementType, (long)type).Add(Shape, dimensions);
        return new OnnxMessage().Add(ValueName, name).Add(ValueType, new OnnxMessage().Add(TensorType, tensorType)).Add(ValueDoc, doc);
    }
}

/// <summary>Type of a tensor's elements, with its number in the format (<c>TensorProto.DataType</c>).</summary>
internal enum OnnxElement
{
    /// <summary>Single precision.</summary>
    Float = 1,

    /// <summary>32-bit integers.</summary>
    Int32 = 6,

    /// <summary>64-bit integers.</summary>
    Int64 = 7,

    /// <summary>Text.</summary>
    Text = 8,

    /// <summary>32-bit integers without a sign.</summary>
    UInt32 = 12,
}
