using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The values in weight files: their types, and little-endian numbers from a stream into tensors.</summary>
internal static class WeightValues
{
    private const int BufferBytes = 1 << 20;
    private const long PartBytes = 1 << 30;   // a span of bytes ends at 2 GiB; a tensor need not

    /// <summary>All types, with the bytes of one value and the names that safetensors and PyTorch's storages have for them.</summary>
    public static readonly (ScalarType Type, int Bytes, string Safetensors, string Storage)[] Types =
    [
        (ScalarType.Float64, 8, "F64", "DoubleStorage"), (ScalarType.Float32, 4, "F32", "FloatStorage"),
        (ScalarType.Float16, 2, "F16", "HalfStorage"), (ScalarType.BFloat16, 2, "BF16", "BFloat16Storage"),
        (ScalarType.Int64, 8, "I64", "LongStorage"), (ScalarType.Int32, 4, "I32", "IntStorage"),
        (ScalarType.Int16, 2, "I16", "ShortStorage"), (ScalarType.Int8, 1, "I8", "CharStorage"),
        (ScalarType.Byte, 1, "U8", "ByteStorage"), (ScalarType.Bool, 1, "BOOL", "BoolStorage"),
    ];

    /// <summary>Bytes of one value in a file.</summary>
    public static int BytesOf(ScalarType type) => Types.First(t => t.Type == type).Bytes;

    /// <summary>Views of a contiguous tensor's values, each short enough for one span of bytes; none for an empty tensor.</summary>
    public static IEnumerable<Tensor> Parts(Tensor tensor)
    {
        long count = tensor.numel(), step = PartBytes / tensor.element_size();
        var flat = tensor.view(count);
        for (long begin = 0; begin < count; begin += step) yield return flat.narrow(0, begin, Math.Min(step, count - begin));
    }

    /// <summary>Fills a tensor from the stream's next values, which are floating-point numbers of any width.</summary>
    /// <param name="stream">Stands at the first value.</param>
    /// <param name="type">Type of the values in the stream.</param>
    /// <param name="destination">fp32, contiguous, on the processor.</param>
    /// <param name="name">The tensor's name, for messages.</param>
    /// <remarks>fp32 goes straight into the tensor's memory; other widths pass a buffer of fixed size. fp16 and bfloat16 are exact in
    /// fp32.</remarks>
    /// <exception cref="InvalidDataException">The stream ends early, or the type is no floating-point one.</exception>
    public static void Read(Stream stream, ScalarType type, Tensor destination, string name)
    {
        if (type is not (ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float64))
            throw new InvalidDataException($"Tensor '{name}' is of type {type}; weights are floating-point numbers (F64, F32, F16 or " +
                "BF16).");
        using var scope = NewDisposeScope();
        var (place, step) = ($"The data end inside tensor '{name}'", BytesOf(type));
        var buffer = type == ScalarType.Float32 ? [] : new byte[Math.Min(BufferBytes, destination.numel() * step)];
        foreach (var part in Parts(destination.detach()))
        {
            if (type == ScalarType.Float32)
            {
                Fill(stream, part.bytes, place);
                continue;
            }
            var values = MemoryMarshal.Cast<byte, float>(part.bytes);
            while (values.Length > 0)
            {
                var bytes = buffer.AsSpan(0, Math.Min(values.Length, buffer.Length / step) * step);
                Fill(stream, bytes, place);
                Convert(type, bytes, values);
                values = values[(bytes.Length / step)..];
            }
        }
    }

    /// <summary>Fills a buffer from a stream.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="buffer">What to fill.</param>
    /// <param name="place">The message's beginning, which says where the data end.</param>
    /// <exception cref="InvalidDataException">The stream ends early.</exception>
    public static void Fill(Stream stream, Span<byte> buffer, string place)
    {
        var read = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        if (read < buffer.Length)
            throw new InvalidDataException($"{place}: {buffer.Length} bytes expected, {read} found. The file is truncated.");
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
                for (var i = 0; i < halves.Length; i++) values[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
                break;
            default:
                var doubles = MemoryMarshal.Cast<byte, double>(bytes);
                for (var i = 0; i < doubles.Length; i++) values[i] = (float)doubles[i];
                break;
        }
    }
}
