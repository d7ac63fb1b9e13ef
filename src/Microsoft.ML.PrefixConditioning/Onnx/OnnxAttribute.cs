namespace Microsoft.ML.PrefixConditioning;

/// <summary>A setting of a node.</summary>
internal sealed class OnnxAttribute
{
    // AttributeProto, and its AttributeType
    private const int NameField = 1, FloatField = 2, IntegerField = 3, TensorField = 5, IntegersField = 8, TypeField = 20;
    private const int FloatType = 1, IntegerType = 2, TensorType = 4, IntegersType = 7;

    private OnnxAttribute(OnnxMessage message) => Message = message;

    /// <summary>The setting as the format has it.</summary>
    public OnnxMessage Message { get; }

    /// <summary>A number.</summary>
    public static OnnxAttribute Of(string name, float value) => new(Start(name, FloatType).Add(FloatField, value));

    /// <summary>An integer.</summary>
    public static OnnxAttribute Of(string name, long value) => new(Start(name, IntegerType).Add(IntegerField, value));

    /// <summary>Integers.</summary>
    public static OnnxAttribute Of(string name, params long[] values) => new(Start(name, IntegersType).AddAll(IntegersField, values));

    /// <summary>A tensor of one number.</summary>
    public static OnnxAttribute OneNumber(string name, float value)
    {
        const int Dims = 1, DataType = 2, FloatData = 4, Float = 1;   // TensorProto
        return new(Start(name, TensorType).Add(TensorField, new OnnxMessage().Add(Dims, 1).Add(DataType, Float).Add(FloatData, value)));
    }

    private static OnnxMessage Start(string name, long type) => new OnnxMessage().Add(NameField, name).Add(TypeField, type);
}
