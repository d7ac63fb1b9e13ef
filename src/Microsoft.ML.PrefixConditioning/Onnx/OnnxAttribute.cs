using Microsoft.ML.Model.OnnxConverter;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A setting of a node.</summary>
internal sealed class OnnxAttribute
{
    // AttributeProto, and its AttributeType
    private const int NameField = 1, FloatField = 2, IntegerField = 3, TensorField = 5, IntegersField = 8, TypeField = 20;
    private const int FloatType = 1, IntegerType = 2, TensorType = 4, IntegersType = 7;

    private readonly Action<OnnxNode> _addTo;

    private OnnxAttribute(OnnxMessage message, Action<OnnxNode> addTo) => (Message, _addTo) = (message, addTo);

    /// <summary>The setting as the format has it.</summary>
    public OnnxMessage Message { get; }

    /// <summary>Adds the setting to a node of the model that ML.NET writes.</summary>
    /// <exception cref="NotSupportedException">It is a tensor, which ML.NET's nodes cannot have.</exception>
    public void AddTo(OnnxNode node) => _addTo(node);

    /// <summary>A number.</summary>
    public static OnnxAttribute Of(string name, float value) => new(
        Start(name, FloatType).Add(FloatField, value), node => node.AddAttribute(name, value));

    /// <summary>An integer.</summary>
    public static OnnxAttribute Of(string name, long value) => new(
        Start(name, IntegerType).Add(IntegerField, value), node => node.AddAttribute(name, value));

    /// <summary>Integers.</summary>
    public static OnnxAttribute Of(string name, params long[] values) => new(
        Start(name, IntegersType).AddAll(IntegersField, values), node => node.AddAttribute(name, values));

    /// <summary>A tensor of one number.</summary>
    public static OnnxAttribute OneNumber(string name, float value)
    {
        const int Dims = 1, DataType = 2, FloatData = 4, Float = 1;   // TensorProto
        return new(Start(name, TensorType).Add(TensorField, new OnnxMessage().Add(Dims, 1).Add(DataType, Float).Add(FloatData, value)),
            _ => throw new NotSupportedException($"The attribute '{name}' is a tensor, which a node of ML.NET's ONNX export cannot have."));
    }

    private static OnnxMessage Start(string name, long type) => new OnnxMessage().Add(NameField, name).Add(TypeField, type);
}
