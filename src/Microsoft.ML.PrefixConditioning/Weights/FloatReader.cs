using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Little-endian floating-point numbers of any width from a stream into an fp32 tensor.</summary>
/// <remarks>fp32 goes straight into the tensor's memory; other widths pass a buffer of fixed size. fp16 and bfloat16 are exact in
/// fp32.</remarks>
internal static class FloatReader
{
    private const int BufferBytes = 1 << 20;
    private const long PartValues = 1 << 28;   // a span of bytes ends at 2 GiB; a tensor need not

    /// <summary>Bytes of one value in a file.</summary>
    /// <exception cref="InvalidDataException">The type is none that weights have.</exception>
    public static int BytesOf(ScalarType type) => type switch
    {
        ScalarType.Float64 or ScalarType.Int64 => 8,
        ScalarType.Float32 or ScalarType.Int32 => 4,
        ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Int16 => 2,
        ScalarType.Int8 or ScalarType.Byte or ScalarType.Bool => 1,
        _ => throw new InvalidDataException($"Tensors of type {type} are not known; floating-point and integer numbers and booleans are."),
    };

    /// <summary>Fills a tensor from the stream's next values.</summary>
    /// <param name="stream">Stands at the first value.</param>
    /// <param name="type">Type of the values in the stream.</param>
    /// <param name="destination">fp32, contiguous, on the processor.</param>
    /// <param name="name">The tensor's name, for messages.</param>
    /// <exception cref="InvalidDataException">The stream ends early, or the type is no floating-point one.</exception>
    public static void Read(Stream stream, ScalarType type, Tensor destination, string name)
    {
        if (type is not (ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float64))
            throw new InvalidDataException($"Tensor '{name}' is of type {type}; weights are floating-point numbers (F64, F32, F16 or " +
                "BF16).");
        using var scope = NewDisposeScope();
        var count = destination.numel();
        var flat = destination.detach().view(count);
        var buffer = type == ScalarType.Float32 ? [] : new byte[Math.Min(BufferBytes, count * BytesOf(type))];
        for (long begin = 0; begin < count; begin += PartValues)
        {
            using var part = NewDisposeScope();
            var values = MemoryMarshal.Cast<byte, float>(flat.narrow(0, begin, Math.Min(PartValues, count - begin)).bytes);
            if (type == ScalarType.Float32) Fill(stream, MemoryMarshal.AsBytes(values), name);
            else ReadConverted(stream, type, values, buffer, name);
        }
    }

    private static void ReadConverted(Stream stream, ScalarType type, Span<float> values, byte[] buffer, string name)
    {
        var step = BytesOf(type);
        while (values.Length > 0)
        {
            var count = Math.Min(values.Length, buffer.Length / step);
            var bytes = buffer.AsSpan(0, count * step);
            Fill(stream, bytes, name);
            Convert(type, bytes, values[..count]);
            values = values[count..];
        }
    }

    private static void Convert(ScalarType type, ReadOnlySpan<byte> bytes, Span<float> values)
    {
        switch (type)
        {
            case ScalarType.Float16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(bytes), values);
                break;
            case ScalarType.BFloat16:   // the upper half of an fp32 number
                var halves = MemoryMarshal.Cast<byte, ushort>(bytes);
                for (var i = 0; i < values.Length; i++) values[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
                break;
            default:
                var doubles = MemoryMarshal.Cast<byte, double>(bytes);
                for (var i = 0; i < values.Length; i++) values[i] = (float)doubles[i];
                break;
        }
    }

    private static void Fill(Stream stream, Span<byte> buffer, string name)
    {
        var read = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        if (read < buffer.Length)
            throw new InvalidDataException(
                $"The data end inside tensor '{name}': {buffer.Length} bytes expected, {read} found. The file is truncated.");
    }
}
