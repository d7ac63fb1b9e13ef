using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.Model.OnnxConverter;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A constant of a graph: a weight, or values computed from weights while writing.</summary>
internal sealed class OnnxInitializer
{
    private const int Dims = 1, DataType = 2, StringData = 6, NameField = 8, RawData = 9, DocString = 12; // TensorProto
    private const int ExternalData = 13, DataLocation = 14, IsExternal = 1;
    private const int Key = 1, Value = 2;                                                            // StringStringEntryProto

    private readonly string _doc;
    private readonly long[] _shape;
    private readonly OnnxElement _type;
    private readonly string[] _texts = [];
    private readonly Action<Stream> _write = _ => { };

    private OnnxInitializer(string name, long[] shape, OnnxElement type, string doc) =>
        (Name, _shape, _type, _doc) = (name, shape, type, doc);

    private OnnxInitializer(string name, long[] shape, OnnxElement type, string doc, long dataLength, Action<Stream> write)
        : this(name, shape, type, doc) => (DataLength, _write) = (dataLength, write);

    private OnnxInitializer(string name, string[] texts, string doc) : this(name, [texts.Length], OnnxElement.Text, doc) => _texts = texts;

    /// <summary>Name in the graph.</summary>
    public string Name { get; }

    /// <summary>Bytes of the values; 0 for texts, which cannot lie outside the model's file.</summary>
    public long DataLength { get; }

    /// <summary>Floats that are computed while writing, so that only one weight at a time is copied.</summary>
    /// <param name="name">Name in the graph.</param>
    /// <param name="shape">Sizes of what <paramref name="value"/> gives.</param>
    /// <param name="value">The values; what it creates is disposed after writing.</param>
    /// <param name="doc">What they are, where the name does not say it; may be empty.</param>
    public static OnnxInitializer Floats(string name, long[] shape, Func<Tensor> value, string doc)
    {
        var length = sizeof(float) * shape.Aggregate(1L, (product, size) => product * size);
        return new OnnxInitializer(name, shape, OnnxElement.Float, doc, length, stream =>
        {
            using var scope = NewDisposeScope();
            using var noGrad = no_grad();
            var values = value();
            if (!values.shape.AsSpan().SequenceEqual(shape) || values.dtype != ScalarType.Float32)
                throw new InvalidOperationException(
                    $"The constant '{name}' is {values.dtype} [{string.Join(", ", values.shape)}], " +
                    $"expected Float32 [{string.Join(", ", shape)}].");
            Safetensors.WriteData(stream, values);
        });
    }

    /// <summary>Integers.</summary>
    public static OnnxInitializer Integers(string name, long[] shape, long[] values) =>
        new(name, shape, OnnxElement.Int64, "", sizeof(long) * values.Length, stream => stream.Write(MemoryMarshal.AsBytes<long>(values)));

    /// <summary>Texts.</summary>
    public static OnnxInitializer Texts(string name, string[] values, string doc) => new(name, values, doc);

    /// <summary>The field's start with all but the values, which <see cref="WriteData"/> writes behind it.</summary>
    /// <param name="field">The field's number in the message around it.</param>
    public OnnxMessage Start(int field)
    {
        var start = Head();
        if (_texts.Length == 0) start.AddStart(RawData, DataLength);
        return new OnnxMessage().AddStart(field, start.Length + DataLength).AddFields(start);
    }

    /// <summary>The whole field for values that lie in another file.</summary>
    /// <param name="field">The field's number in the message around it.</param>
    /// <param name="file">The other file's name; it lies in the same folder.</param>
    /// <param name="offset">Where the values begin, in bytes.</param>
    public OnnxMessage Reference(int field, string file, long offset)
    {
        var head = Head();
        foreach (var (key, value) in new[] { ("location", file), ("offset", Invariant(offset)), ("length", Invariant(DataLength)) })
            head.Add(ExternalData, new OnnxMessage().Add(Key, key).Add(Value, value));
        return new OnnxMessage().Add(field, head.Add(DataLocation, IsExternal));
    }

    /// <summary>Writes the values, little-endian.</summary>
    public void WriteData(Stream stream) => _write(stream);

    /// <summary>Adds the constant to the model that ML.NET writes.</summary>
    /// <param name="context">The model.</param>
    /// <param name="name">The wanted name.</param>
    /// <returns>The name there.</returns>
    public string AddTo(OnnxContext context, string name)
    {
        if (_texts.Length > 0) return context.AddInitializer(_texts, _shape, name);
        var bytes = new byte[DataLength];
        using var stream = new MemoryStream(bytes);
        WriteData(stream);
        if (_type == OnnxElement.Int64)
        {
            var integers = MemoryMarshal.Cast<byte, long>(bytes).ToArray();
            return _shape.Length == 0 ? context.AddInitializer(integers[0], name) : context.AddInitializer(integers, _shape, name);
        }
        var floats = MemoryMarshal.Cast<byte, float>(bytes).ToArray();
        return _shape.Length == 0 ? context.AddInitializer(floats[0], name) : context.AddInitializer(floats, _shape, name);
    }

    private OnnxMessage Head()
    {
        var head = new OnnxMessage().AddAll(Dims, _shape).Add(DataType, (long)_type).Add(NameField, Name).AddAll(StringData, _texts);
        return _doc.Length == 0 ? head : head.Add(DocString, _doc);
    }

    private static string Invariant(long value) => value.ToString(CultureInfo.InvariantCulture);
}
