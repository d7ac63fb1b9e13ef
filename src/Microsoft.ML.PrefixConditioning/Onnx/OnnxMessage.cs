using Google.Protobuf;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A message of the ONNX format: fields by number, in the protocol-buffers encoding. Its length is known before writing.</summary>
/// <remarks>Source: the field numbers that callers give are those of the published schema, <c>onnx.proto</c>.</remarks>
internal sealed class OnnxMessage
{
    private readonly List<Action<CodedOutputStream>> _fields = [];

    /// <summary>Bytes of all fields so far.</summary>
    public long Length { get; private set; }

    /// <summary>An integer or a member of an enumeration.</summary>
    public OnnxMessage Add(int field, long value) => Add(field, WireFormat.WireType.Varint,
        CodedOutputStream.ComputeInt64Size(value), output => output.WriteInt64(value));

    /// <summary>A number in single precision.</summary>
    public OnnxMessage Add(int field, float value) => Add(field, WireFormat.WireType.Fixed32,
        sizeof(float), output => output.WriteFloat(value));

    /// <summary>A text, in UTF-8.</summary>
    public OnnxMessage Add(int field, string value) => Add(field, WireFormat.WireType.LengthDelimited,
        CodedOutputStream.ComputeStringSize(value), output => output.WriteString(value));

    /// <summary>A message inside this one, to which no fields are added any more.</summary>
    public OnnxMessage Add(int field, OnnxMessage value) => AddStart(field, value.Length).AddFields(value);

    /// <summary>The same field once for every value.</summary>
    public OnnxMessage AddAll(int field, IEnumerable<long> values) => values.Aggregate(this, (message, value) => message.Add(field, value));

    /// <summary>The same field once for every text.</summary>
    public OnnxMessage AddAll(int field, IEnumerable<string> values) =>
        values.Aggregate(this, (message, value) => message.Add(field, value));

    /// <summary>The start of a field whose bytes follow: its tag and their number.</summary>
    public OnnxMessage AddStart(int field, long length) => Add(field, WireFormat.WireType.LengthDelimited,
        CodedOutputStream.ComputeUInt64Size((ulong)length), output => output.WriteUInt64((ulong)length));   // encoded as lengths are

    /// <summary>The fields of another message, behind this one's.</summary>
    public OnnxMessage AddFields(OnnxMessage other)
    {
        _fields.AddRange(other._fields);
        Length += other.Length;
        return this;
    }

    /// <summary>Writes the message's bytes.</summary>
    public void WriteTo(Stream stream)
    {
        using var output = new CodedOutputStream(stream, leaveOpen: true);
        foreach (var write in _fields) write(output);
    }

    private OnnxMessage Add(int field, WireFormat.WireType type, int size, Action<CodedOutputStream> write)
    {
        _fields.Add(output =>
        {
            output.WriteTag(field, type);
            write(output);
        });
        Length += CodedOutputStream.ComputeTagSize(field) + size;
        return this;
    }
}
